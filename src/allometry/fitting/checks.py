"""What can be wrong with a fit, in plain words."""

from __future__ import annotations

from allometry.fitting.result import Finding, Fit


def quick_findings(fit: Fit) -> list[Finding]:
    """The checks that cost nothing."""
    return []


def check(fit: Fit) -> list[Finding]:
    """All checks."""
    return quick_findings(fit)
