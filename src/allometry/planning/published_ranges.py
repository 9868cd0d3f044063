"""Draws of a published law's coefficients, from the intervals that its source states.

A source states an interval for each coefficient and seldom how they move together, on which everything hangs:
a larger A with a larger alpha is almost the same law. Drawn one by one they would be far too wide. Where the
source also states an interval for what they decide, tokens per parameter at a budget, that says how closely A
goes with alpha and B with beta.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import tails

Array = NDArray[np.float64]

_PAIRS = (("A", "alpha"), ("B", "beta"))
_HALF = 250  # draws; their mirror images double them, so that the middle is that of the fitted law


@dataclass(frozen=True, kw_only=True)
class StatedIntervals:
    """Intervals that a source states of a floor plus a power of size plus a power of data.

    Attributes:
        ends: Coefficient to the ends of its interval: E, A, B, alpha, beta.
        ratio, flops: Ends for the tokens per parameter that are best at so much compute.
        level: Of all of them.
        source: Where they were read.
    """

    ends: Mapping[str, tuple[float, float]]
    ratio: tuple[float, float]
    flops: float
    level: float
    source: str

    def sentence(self) -> str:
        """Where ranges come from, and what is missing in them."""
        return (
            f"Ranges are of the law alone, from the {100 * self.level:g}% intervals that its source states "
            f"({self.source}). How the floor moves with the rest is not stated and taken as not at all: the "
            "loss is known better than this range says."
        )

    def together(self, coefficients: Mapping[str, float]) -> float:
        """Correlation of A with alpha, and of B with beta, that gives tokens per parameter their interval.

        To first order: the logarithm of the best size is a sum of the coefficients' deviations.

        Raises:
            InputError: If no correlation does.
        """
        moved = self._moved(coefficients)
        wanted = (self._deviation(self.ratio) / 2) ** 2  # tokens per parameter fall with the size squared
        alone = sum(one**2 for one in moved.values())
        pairs = 2 * sum(moved[scale] * moved[power] for scale, power in _PAIRS)
        found = (wanted - alone) / pairs
        if not 0 <= found < 1:
            raise InputError(f"No correlation fits the intervals of {self.source}: it would be {found:.4g}.")
        return found

    def draws(self, coefficients: Mapping[str, float]) -> dict[str, Array]:
        """Coefficient to its draws, of shape (draws,): scales as logarithms, the rest as they are.

        The same at each call. The floor is drawn alone, as nothing is published of how it moves with the
        others.
        """
        rng, close = np.random.default_rng(0), self.together(coefficients)
        drawn = {"E": self._spread(coefficients, "E", _mirrored(rng))}
        for scale, power in _PAIRS:
            one, other = _mirrored(rng), _mirrored(rng)
            drawn[scale] = self._spread(coefficients, scale, one)
            drawn[power] = self._spread(coefficients, power, close * one + math.sqrt(1 - close**2) * other)
        return drawn

    def _spread(self, coefficients: Mapping[str, float], name: str, normal: Array) -> Array:
        middle, deviation = coefficients[name], self._of(name)
        if name in ("A", "B"):
            return np.asarray(middle * np.exp(deviation * normal))
        return middle + deviation * normal

    def _of(self, name: str) -> float:
        low, high = self.ends[name]
        return self._deviation((low, high)) if name in ("A", "B") else (high - low) / self._width()

    def _deviation(self, ends: tuple[float, float]) -> float:
        """Standard deviation of the logarithm."""
        return math.log(ends[1] / ends[0]) / self._width()

    def _width(self) -> float:
        """Of the interval of a normal, in standard deviations."""
        return 2 * NormalDist().inv_cdf(tails(self.level)[1])

    def _moved(self, c: Mapping[str, float]) -> dict[str, float]:
        """By how much one standard deviation of each coefficient moves the logarithm of the best size."""
        powers = c["alpha"] + c["beta"]
        scale = math.log(c["alpha"] * c["A"] / (c["beta"] * c["B"]))
        size = (scale + c["beta"] * math.log(self.flops / 6)) / powers  # Hoffmann et al. 2022, eq. 4
        data = math.log(self.flops / 6) - size
        slopes = {"A": 1.0, "B": -1.0, "alpha": 1 / c["alpha"] - size, "beta": data - 1 / c["beta"]}
        return {name: slope / powers * self._of(name) for name, slope in slopes.items()}


def _mirrored(rng: np.random.Generator) -> Array:
    half = rng.standard_normal(_HALF)
    return np.concatenate([half, -half])
