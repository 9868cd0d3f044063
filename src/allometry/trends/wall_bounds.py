"""What limits growth: a resource, what is used of it now, its bound, and how fast both move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from allometry.errors import InputError

Array = NDArray[np.float64]

_TAIL = float(ndtri(0.95))  # a range is a 90% interval


@dataclass(frozen=True)
class Range:
    """A positive number that is known to a 90% interval; its logarithm is normal.

    >>> Range(1.0, 100.0).middle
    10.0
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse ends that are not above zero or stand the wrong way round."""
        if not 0 < self.low <= self.high < np.inf:
            raise InputError(
                f"A range has two ends above zero, the lower one first, such as [1e9, 5e9]; not "
                f"[{self.low:g}, {self.high:g}]."
            )

    @classmethod
    def exactly(cls, value: float) -> Range:
        """A number that is known."""
        return cls(value, value)

    @property
    def middle(self) -> float:
        """The median."""
        return float(np.sqrt(self.low * self.high))

    def sample(self, draws: int, rng: np.random.Generator) -> Array:
        """Draws, of shape (d,)."""
        spread = np.log(self.high / self.low) / (2 * _TAIL)
        return np.asarray(
            np.sqrt(self.low) * np.sqrt(self.high) * np.exp(spread * rng.standard_normal(draws))
        )


_ONE = Range(1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """Something that compute cannot grow beyond.

    Attributes:
        now: What the largest run takes of it at the start.
        bound: Most that there can be, in the same unit, at the start.
        share: Doublings of it that one doubling of compute takes: 1 for compute itself; about 0.5 for
            training tokens at compute-optimal size; less than 1 for power, as devices become more efficient.
        bound_growth: Factor a year by which the bound itself grows.
        unit, source: For the words.

    >>> half = Range.exactly(0.5)
    >>> Constraint(name="data", now=Range.exactly(2e13), bound=Range(1e14, 1e15), share=half).doublings
    7.966
    """

    name: str
    now: Range
    bound: Range
    share: Range = _ONE
    bound_growth: Range = _ONE
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse a bound that lies below the present value."""
        if self.bound.middle <= self.now.middle:
            bound = f"{self.bound.middle:.3g} {self.unit}".rstrip()
            raise InputError(
                f"{self.name}: the bound, {bound}, does not lie above the present value, "
                f"{self.now.middle:.3g}. That wall is passed: correct one of the two, or leave it out."
            )

    @property
    def doublings(self) -> float:
        """Doublings of compute until a bound that does not move, by the medians."""
        return round(float(np.log2(self.bound.middle / self.now.middle)) / self.share.middle, 3)

    def sampled(self, draws: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draws of the doublings left, of the share, and of the doublings a year by which the bound moves."""
        room = np.log2(self.bound.sample(draws, rng) / self.now.sample(draws, rng))
        return {
            "room": np.maximum(room, 0.0),  # a draw whose bound lies below now: the wall is here
            "share": self.share.sample(draws, rng),
            "moving": np.log2(self.bound_growth.sample(draws, rng)),
        }
