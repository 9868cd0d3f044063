"""What was found about the emergence of one capability, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from allometry.capabilities.emergence.onset import Onset
from allometry.capabilities.emergence.scores import Skill
from allometry.capabilities.emergence.verdict import Steps, Verdict
from allometry.fitting.result import Finding


@dataclass(frozen=True, kw_only=True, eq=False)
class Emergence:
    """The verdict on one task, with its evidence.

    Attributes:
        because: Why, in words.
        points: One row a point: scale, score with low and high, items, fitted; with a continuous metric
            continuous and continuous_smooth; with a length expected (the smooth law to its power) and
            token_power (the measured metric to its power).
        turned: Whether the continuous metric falls, so that points hold 1 less it.
        items: Behind the median score; NaN if not known.
        score: The emergence score: rise over the median step.
        onset: Where the score crosses the threshold.
        findings: The evidence step by step, and what weakens it.
    """

    skill: Skill
    scale: str
    verdict: Verdict
    because: str
    steps: Steps = field(repr=False)
    points: pd.DataFrame = field(repr=False)
    turned: bool
    items: float
    score: float
    onset: Onset
    level: float
    findings: tuple[Finding, ...]

    def facts(self) -> dict[str, object]:
        """The result as plain tables."""
        middle, low, high = (
            self.onset.quantile(q) for q in (0.5, (1 - self.level) / 2, (1 + self.level) / 2)
        )
        return {
            "task": self.skill.score, "verdict": self.verdict.value, "because": self.because,
            "emergence_score": self.score, "scales": self.steps.scales, "items": self.items,
            "onset": {
                "threshold": self.onset.threshold, "median": middle, "low": low, "high": high,
                "before": self.onset.before, "within": self.onset.within, "beyond": self.onset.beyond,
            },
            "points": self.points, "findings": self.findings,
        }  # fmt: skip

    def summary(self) -> str:
        """Verdict, evidence and onset in plain text."""
        counted = "unknown items" if math.isnan(self.items) else f"{self.items:,.0f} items"
        return "\n".join(
            [
                f"{self.skill.score}: {self.verdict.value}, because {self.because}",
                f"  {self.steps.scales} scales of {self.scale}, {counted}; emergence score {self.score:.3g}",
                *(f"  {one.severity}: {one.sentence} {one.remedy}".rstrip() for one in self.findings),
                f"  {onset_in_words(self.onset, self.scale, self.level)}",
            ]
        )


def onset_in_words(onset: Onset, scale: str, level: float) -> str:
    """Where the threshold is crossed, with the shares outside the range where there are any."""
    middle, low, high = (scale_in_words(onset.quantile(q)) for q in (0.5, (1 - level) / 2, (1 + level) / 2))
    said = f"reaches {onset.threshold:.3g} at {scale} {middle} ({level:.0%}: {low} to {high})"
    outside = [
        f"{share:.0%} {where} the range"
        for share, where in ((onset.before, "below"), (onset.beyond, "above"))
        if share > 0
    ]
    return said + (f"; {', '.join(outside)}" if outside else "")


def scale_in_words(scale: float, digits: int = 3) -> str:
    """A scale of crossing, or on which side of the measured scales it lies.

    >>> scale_in_words(1.7e22), scale_in_words(float("inf")), scale_in_words(0)
    ('1.7e+22', 'above the range', 'below the range')
    """
    if scale == 0:
        return "below the range"
    return "above the range" if math.isinf(scale) else f"{scale:.{digits}g}"
