"""Smooth, artefact of the metric, genuine break or undecided: the rule, over the evidence of four steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from allometry.capabilities.emergence.bends import (
    BREAK,
    FOR_A_BREAK,
    FOR_DOUBT,
    FOR_SMOOTH,
    Bend,
    Shape,
)
from allometry.capabilities.emergence.jumps import FOR_A_JUMP, Jump
from allometry.capabilities.emergence.lengths import LengthTest
from allometry.capabilities.emergence.resolution import Resolution

ENOUGH = 7  # distinct scales: with fewer, three do not lie on either side of a break that is told from noise
_LEAST_RISE = 3.0  # standard errors of the slope, where the number of items is not known

RULE = (
    f"Undecided with fewer than {ENOUGH} scales, or if the score does not rise beyond its noise. "
    f"A continuous metric is smooth if no broken law is better by QAICc or by {FOR_DOUBT:g} in deviance, and "
    f"a break to a slope {BREAK:g} times as steep fits worse by {FOR_SMOOTH:g}. "
    f"It is broken if a broken law is better by {FOR_A_BREAK:g} in QAICc, and at scales left out. "
    f"Where it is smooth, a score that bends up by a chi-square above {FOR_A_JUMP:g} is an artefact of the "
    "metric, and one that does not is smooth. Where it is broken, the break is genuine, unless the smooth "
    "law to the power of the length explains the score as well. Without a continuous metric a score that "
    "follows one law is smooth, and nothing else is decided."
)


class Verdict(StrEnum):
    """What a rise of a score is."""

    SMOOTH = "smooth"
    ARTEFACT = "artefact of the metric"
    BREAK = "genuine break"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """The evidence.

    Attributes:
        scales: How many distinct ones.
        resolution: Step 1; None where the number of items is not known.
        signal: Slope of the score's sigmoid in its standard errors.
        jump: Whether the score itself bends upwards.
        own: The laws of the score itself.
        continuous: Step 2 and 4, the laws of the continuous metric; None without one.
        length: Step 3; None without a length.
    """

    scales: int
    resolution: Resolution | None
    signal: float
    jump: Jump
    own: Bend
    continuous: Bend | None
    length: LengthTest | None

    @property
    def rises(self) -> bool:
        """Whether the score is told from no rise at all."""
        return self.signal > _LEAST_RISE if self.resolution is None else self.resolution.rises


def decide(steps: Steps) -> tuple[Verdict, str]:
    """The verdict and why, in words."""
    if not steps.rises:
        return Verdict.UNDECIDED, "the score does not rise beyond its noise"
    if steps.scales < ENOUGH:
        return Verdict.UNDECIDED, f"{steps.scales} scales cannot tell a break from a smooth rise"
    if steps.continuous is None:
        return _by_the_score_alone(steps.own)
    if steps.continuous.shape is Shape.SMOOTH:
        return _smooth_beneath(steps.jump)
    if steps.continuous.shape is Shape.BROKEN:
        return _broken_beneath(steps.length)
    return Verdict.UNDECIDED, "the continuous metric neither excludes a break nor shows one"


def _by_the_score_alone(own: Bend) -> tuple[Verdict, str]:
    if own.shape is Shape.SMOOTH:
        return Verdict.SMOOTH, f"one law ({own.form}) holds at all scales; no continuous metric was given"
    return Verdict.UNDECIDED, "without a continuous metric a break may be the metric's own"


def _smooth_beneath(jump: Jump) -> tuple[Verdict, str]:
    if jump.seen:
        return Verdict.ARTEFACT, "the score jumps and a continuous metric of the same outputs does not"
    return Verdict.SMOOTH, "neither the score nor the continuous metric bends"


def _broken_beneath(length: LengthTest | None) -> tuple[Verdict, str]:
    if length is not None and length.holds:
        return Verdict.UNDECIDED, "the continuous metric breaks, yet its smooth law explains the score"
    return Verdict.BREAK, "the continuous metric itself turns steeper, and scales left out confirm it"
