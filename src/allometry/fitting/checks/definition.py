"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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


def note(
    code: str, sentence: str, remedy: str = "", evidence: Mapping[str, float | str] | None = None
) -> Finding:
    """A finding that is good to know."""
    return _finding(Severity.NOTE, code, sentence, remedy, evidence)


def warning(
    code: str, sentence: str, remedy: str = "", evidence: Mapping[str, float | str] | None = None
) -> Finding:
    """A finding that a decision should weigh."""
    return _finding(Severity.WARNING, code, sentence, remedy, evidence)


def serious(
    code: str, sentence: str, remedy: str = "", evidence: Mapping[str, float | str] | None = None
) -> Finding:
    """A finding with which the numbers should not be used for a decision."""
    return _finding(Severity.SERIOUS, code, sentence, remedy, evidence)


def worst_first(findings: Iterable[Finding | None]) -> list[Finding]:
    """Findings by severity, those of one severity in the order they were found; None is nothing found.

    >>> [one.code for one in worst_first([note("small", "…"), None, serious("large", "…")])]
    ['large', 'small']
    """
    order = list(reversed(Severity))
    found = [one for one in findings if one is not None]
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _finding(
    severity: Severity, code: str, sentence: str, remedy: str, evidence: Mapping[str, float | str] | None
) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, evidence=evidence or {}, remedy=remedy)
