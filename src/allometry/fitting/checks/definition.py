"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from allometry.fitting.result import Finding, Fit, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that can be wrong with a fit.

    Attributes:
        code: Stable name; the code of its finding.
        looks_for: What it looks for, in one sentence with its threshold.
        source: Who showed that it matters.
        find: The finding, or None.
        quick: Needs no refit, so that every fit carries its finding.
    """

    code: str
    looks_for: str
    source: str
    find: Callable[[Fit], Finding | None]
    quick: bool = False


def note(code: str, sentence: str, remedy: str, evidence: Mapping[str, float | str] | None = None) -> Finding:
    """A finding that is good to know."""
    return Finding(
        code=code, severity=Severity.NOTE, sentence=sentence, evidence=evidence or {}, remedy=remedy
    )


def warning(
    code: str, sentence: str, remedy: str, evidence: Mapping[str, float | str] | None = None
) -> Finding:
    """A finding that a decision should weigh."""
    return Finding(
        code=code, severity=Severity.WARNING, sentence=sentence, evidence=evidence or {}, remedy=remedy
    )


def serious(
    code: str, sentence: str, remedy: str, evidence: Mapping[str, float | str] | None = None
) -> Finding:
    """A finding with which the numbers should not be used for a decision."""
    return Finding(
        code=code, severity=Severity.SERIOUS, sentence=sentence, evidence=evidence or {}, remedy=remedy
    )
