"""How many runs it takes to see an effect: power of a comparison of two recipes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import tails

Array = NDArray[np.float64]

_MOST_RUNS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How well a design tells two recipes apart.

    Attributes:
        error: Standard error of the log of the multiplier, were the size of the noise known.
        runs: Of the recipe and of the reference.
        freedom: Runs that are left over by the coefficients; what the size of the noise is known by.
        coefficients: Of the fit, that more runs would not add to.
    """

    error: float
    runs: tuple[int, int]
    freedom: int
    coefficients: int

    def error_with(self, runs: int) -> float:
        """Standard error with as many runs of each recipe, spread over compute as these are.

        The error of a difference falls as sqrt(1 / n + 1 / m). Fewer runs than these leave gaps, so that the
        other coefficients take a larger part of what they say: then it rises as the runs left over by the
        coefficients become fewer, as the mean variance of random designs does.

        >>> known = Precision(error=0.1, runs=(10, 10), freedom=13, coefficients=7)
        >>> round(known.error_with(40), 3), round(known.error_with(5), 3)  # 20 - 7 = 13 left over; 10 - 7 = 3
        (0.05, 0.208)
        """
        one, other = self.runs
        total = self.freedom + self.coefficients
        asked = total * 2 * runs / (one + other)
        gaps = (self.freedom / total) / (max(asked - self.coefficients, 1.0) / asked)
        return float(self.error * np.sqrt((2 / runs) / (1 / one + 1 / other) * max(gaps, 1.0)))


def precision(draws: Array, runs: tuple[int, int], freedom: int, coefficients: int) -> Precision:
    """What the draws of a log multiplier say about the design that they come from.

    Draws take a size of noise of their own each, so that they spread as Student's t; half the distance
    between their 16% and 84% points is brought back to a normal's, and one wild draw counts once.
    """
    from scipy.stats import norm, t

    low, high = float(norm.cdf(-1.0)), float(norm.cdf(1.0))
    half = float(np.quantile(draws, high) - np.quantile(draws, low)) / 2
    return Precision(
        error=half / float(t.ppf(high, freedom)), runs=runs, freedom=freedom, coefficients=coefficients
    )


def detectable(error: float, freedom: int, level: float, power: float) -> float:
    """The log effect that is seen with a probability of `power`: its interval at `level` leaves out zero.

    Approximate: (t of the interval + t of the power) standard errors, with Student's t of `freedom`.

    >>> round(detectable(1.0, 10**6, 0.95, 0.8), 2)  # 1.96 + 0.84
    2.8
    """
    from scipy.stats import t

    if not 0 < power < 1:
        raise InputError(f"A power is between 0 and 1, for example 0.8; not {power}.")
    return float((t.ppf(tails(level)[1], freedom) + t.ppf(power, freedom)) * error)


def runs_to_detect(known: Precision, effect: float, level: float, power: float) -> int:
    """The fewest runs of each recipe with which a log effect is seen with a probability of `power`.

    Raises:
        InputError: If the effect is none, or too small for any number of runs.
    """
    least = known.coefficients // 2 + 1  # so that the fit has a run to spare

    def enough(runs: int) -> bool:
        freedom = max(2 * runs - known.coefficients, 1)
        return detectable(known.error_with(runs), freedom, level, power) <= abs(effect)

    if not (np.isfinite(effect) and effect != 0) or not enough(_MOST_RUNS):
        raise InputError(
            f"A factor of {np.exp(effect):.6g} would take more than {_MOST_RUNS:,} runs; "
            "ask for a larger effect."
        )
    low, high = least - 1, _MOST_RUNS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
