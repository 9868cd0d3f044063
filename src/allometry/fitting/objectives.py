"""What a fit minimises: a sum over runs of a penalty of the residual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.scales import SCALES
from allometry.laws import Scale

Array = NDArray[np.float64]
ObjectiveName = Literal["huber", "lad", "least_squares", "lower_envelope"]
OBJECTIVES: tuple[ObjectiveName, ...] = ("huber", "lad", "least_squares", "lower_envelope")

# A law above a run costs nine times one below it by as much: a tenth of the runs end up below the law.
ENVELOPE_ABOVE = 0.9
_SMOOTHING = tuple(10.0**-k for k in range(2, 11))


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """Sum over runs of weight x penalty(r), where r = law - run, on the scale of comparison.

    The sum, never the mean: a mean over runs is so small that a stopping rule ends the search early.

    huber           r²/2 where |r| <= delta, delta (|r| - delta/2) beyond
    lad             |r|; solved as Huber with delta falling to 1e-10, reported as the sum of |r|
    least_squares   r²
    lower_envelope  Huber times 0.9 where the law lies above the run and 0.1 where it lies below: for
                    residuals well beyond delta this is the 10% quantile of the runs, so it follows the
                    best runs of each size without chasing the single lowest one

    Attributes:
        delta: Where Huber's penalty turns from square to straight, in units of r.
        on: "log", "raw" or "logit".
    """

    name: ObjectiveName = "huber"
    delta: float = 1e-3
    on: Scale = "log"

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            raise InputError(f"There is no objective '{self.name}'. There are: {', '.join(OBJECTIVES)}.")
        if self.on not in SCALES:
            raise InputError(f"A fit is on 'log', 'raw' or 'logit', not on '{self.on}'.")
        if not self.delta > 0:
            raise InputError(f"delta must be above 0, not {self.delta}.")

    def stages(self) -> tuple[Objective, ...]:
        """Smooth objectives to minimise one after the other; the last one is this one, or as good as it."""
        if self.name != "lad":
            return (self,)
        return tuple(replace(self, delta=delta) for delta in _SMOOTHING)

    def smoothed(self) -> tuple[Objective, ...]:
        """The same with smoother ones before, for searches that got stuck between kinks."""
        if self.name == "least_squares":
            return (self,)
        return (*(replace(self, delta=factor * self.delta) for factor in (30.0, 8.0, 3.0)), *self.stages())

    def penalty(self, r: Array) -> Array:
        """The penalty of each residual; shape of r."""
        if self.name == "least_squares":
            return r * r
        size = np.abs(r)
        near = np.minimum(size, self.delta)  # one formula for both parts: near = size, then near = delta
        return near * (size - 0.5 * near) * self._side(r)

    def slope(self, r: Array) -> Array:
        """First derivative of the penalty."""
        if self.name == "least_squares":
            return 2 * r
        return np.clip(r, -self.delta, self.delta) * self._side(r)

    def curvature(self, r: Array) -> Array:
        """Second derivative of the penalty: 0 on the straight part."""
        if self.name == "least_squares":
            return np.full_like(r, 2.0)
        return np.where(np.abs(r) <= self.delta, self._side(r), 0.0)

    def secant(self, r: Array) -> Array:
        """slope(r) / r: the weight that iteratively reweighted least squares would give the run."""
        if self.name == "least_squares":
            return np.full_like(r, 2.0)
        return self._side(r) * self.delta / np.maximum(np.abs(r), self.delta)

    def total(self, r: Array, weights: Array) -> Array:
        """The number to report: the sum over the last axis, for "lad" that of |r| itself."""
        each = np.abs(r) if self.name == "lad" else self.penalty(r)
        return np.asarray(np.sum(weights * each, axis=-1))

    def _side(self, r: Array) -> Array | float:
        if self.name == "lad":
            return 1 / self.delta  # so that the slope is 1 whatever the smoothing
        if self.name == "lower_envelope":
            return np.where(r > 0, ENVELOPE_ABOVE, 1 - ENVELOPE_ABOVE)
        return 1.0
