"""Compressed prompts: fewer tokens to read for some lost answers, and where that pays.

How much is lost is not computed here: it is a curve that somebody measured, of accuracy against the ratio of
compression, and it is stated with its source. A plan with compression but without such a curve is not made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.planning.inference import Demand
from allometry.planning.numbers import require_above_zero

Array = NDArray[np.float64]

_STEPS = 400  # ratios looked at between no compression and the strongest that was measured


@dataclass(frozen=True, kw_only=True)
class CompressionCurve:
    """What was measured: the share of right answers at some ratios of compression.

    Attributes:
        ratios: Tokens before over tokens after, rising from 1, which is no compression.
        accuracies: Share of questions answered rightly at each.
        source: Who measured it, on what.
    """

    ratios: tuple[float, ...]
    accuracies: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        for ratio, accuracy in zip(self.ratios, self.accuracies, strict=False):
            require_above_zero(ratio=ratio, accuracy=accuracy)
        rising = all(one < other for one, other in zip(self.ratios, self.ratios[1:], strict=False))
        if len(self.ratios) < 2 or self.ratios[0] != 1 or not rising:
            raise InputError(f"Ratios of compression rise from 1, as in (1, 5, 10); not {self.ratios}.")
        shares = all(0 < accuracy <= 1 for accuracy in self.accuracies)
        if len(self.accuracies) != len(self.ratios) or not shares:
            raise InputError(
                f"Each of {len(self.ratios)} ratios has an accuracy in (0, 1]; not {self.accuracies}."
            )
        if not self.source:
            raise InputError("A curve of compression needs a source: who measured it, on what.")

    def accuracy(self, ratio: float | Array) -> Array:
        """Accuracy between the measured ratios: straight lines over the logarithm of the ratio.

        Raises:
            InputError: If a ratio lies outside of what was measured.

        >>> curve = CompressionCurve(ratios=(1, 10, 20), accuracies=(1.0, 0.97, 0.60), source="an example")
        >>> float(curve.accuracy(20)), round(float(curve.accuracy(10**0.5)), 3)
        (0.6, 0.985)
        """
        asked = np.asarray(ratio, dtype=np.float64)
        if not ((asked >= 1) & (asked <= self.ratios[-1])).all():
            raise InputError(
                f"The curve was measured for ratios from 1 to {self.ratios[-1]:g}, and {ratio} lies outside; "
                "measure there, or ask for less."
            )
        return np.asarray(np.interp(np.log(asked), np.log(self.ratios), self.accuracies))


@dataclass(frozen=True, kw_only=True)
class Compression:
    """A demand with compressed prompts, against the same without.

    Attributes:
        ratio: Tokens before over tokens after.
        accuracy: Share of right answers there.
        cost_ratio: Cost of one question over that without compression.
        right_cost_ratio: Cost of one right answer over that without compression; below 1 it pays.
        pays: Smallest and largest ratio at which it pays at all; both NaN where none does.
        demand: What is served after it, for `lifetime_optimum`. The compressor's own work is not in it: it
            does not grow with the model.
        curve: What was measured.
    """

    ratio: float
    accuracy: float
    cost_ratio: float
    right_cost_ratio: float
    pays: tuple[float, float]
    demand: Demand
    curve: CompressionCurve

    def summary(self) -> str:
        """What compression saves and loses, in plain words."""
        if math.isnan(self.pays[0]):
            return f"Compression of prompts does not pay at any measured ratio ({self.curve.source})."
        lost = self.curve.accuracies[0] - self.accuracy
        return (
            f"Prompts compressed {self.ratio:.3g} times: a question costs {self.cost_ratio:.3g} of before, a "
            f"right answer {self.right_cost_ratio:.3g}; {100 * lost:.2g}% of questions are lost.\n"
            f"  It pays from {self.pays[0]:.3g} to {self.pays[1]:.3g} times. Measured by: {self.curve.source}"
        )


def compress(
    demand: Demand,
    curve: CompressionCurve,
    *,
    compressor_cost: float,
    wrong_answer_cost: float = 0.0,
    least_accuracy: float = 0.0,
) -> Compression:
    """The ratio of compression at which a right answer costs least.

    A question costs its prompt, its attempts and the work of the compressor; a right answer costs what all
    questions cost, wrong ones included, over the share that is right: c(r) = (q(r) + w (1 - a(r))) / a(r).

    Args:
        demand: What is served without compression.
        compressor_cost: Work on one prompt token over that of reading it uncompressed. It is never free: a
            compressor is a model too. 0 only where the compressed form exists already.
        wrong_answer_cost: What one wrong answer does, over the serving cost of one question without
            compression. 0 counts a wrong answer as a question asked in vain.
        least_accuracy: Ratios with a lower accuracy are not considered.

    Raises:
        InputError: If nothing is read, a cost is below zero, or not even no compression is accurate enough.

    >>> curve = CompressionCurve(ratios=(1, 10, 20), accuracies=(1.0, 0.97, 0.60), source="an example")
    >>> demand = Demand(prompt_tokens=9e12, generated_tokens=1e12)
    >>> best = compress(demand, curve, compressor_cost=0.1)
    >>> print(f"{best.ratio:.3g} times, a right answer at {best.right_cost_ratio:.3f} of its cost")
    10 times, a right answer at 0.289 of its cost
    >>> compress(demand, curve, compressor_cost=1.0).pays
    (nan, nan)
    """
    _refuse_unusable(demand, curve, compressor_cost, wrong_answer_cost, least_accuracy)
    ratios = np.union1d(np.geomspace(1, curve.ratios[-1], _STEPS), curve.ratios)
    # Knots are measured points: rounding must not push the last one outside.
    ratios = ratios[(ratios >= 1) & (ratios <= curve.ratios[-1])]
    accuracy = curve.accuracy(ratios)
    cost = _question_cost(demand, ratios, compressor_cost)
    right = (cost + wrong_answer_cost * (1 - accuracy)) / accuracy
    right /= right[0]
    allowed = np.where(accuracy >= least_accuracy, right, np.inf)
    best, paying = int(allowed.argmin()), ratios[allowed < 1]
    return Compression(
        ratio=float(ratios[best]),
        accuracy=float(accuracy[best]),
        cost_ratio=float(cost[best]),
        right_cost_ratio=float(right[best]),
        pays=(float(paying[0]), float(paying[-1])) if paying.size else (math.nan, math.nan),
        demand=replace(demand, prompt_tokens=demand.prompt_tokens / float(ratios[best])),
        curve=curve,
    )


def _question_cost(demand: Demand, ratios: Array, compressor_cost: float) -> Array:
    """Cost of a question over that without compression."""
    work = np.where(ratios > 1, compressor_cost, 0.0)
    read = demand.prefill_cost * demand.prompt_tokens * (1 / ratios + work)
    written = demand.decode_cost * demand.attempts * demand.generated_tokens
    return np.asarray((read + written) / demand.weighted_tokens)


def _refuse_unusable(
    demand: Demand, curve: CompressionCurve, compressor_cost: float, wrong_cost: float, least: float
) -> None:
    if not demand.prompt_tokens > 0:
        raise InputError("There are no prompt tokens to compress in this demand.")
    if not (compressor_cost >= 0 and wrong_cost >= 0):
        raise InputError(f"Costs are zero or more, not {compressor_cost} and {wrong_cost}.")
    if curve.accuracies[0] < least:
        raise InputError(
            f"Without compression {curve.accuracies[0]:g} of answers are right, less than the {least:g} "
            "asked for; ask for less, or plan a better model."
        )
