"""How far a plan can be moved for almost the same loss, and how its ranges grow with those of the budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import Estimate
from allometry.planning.result import NearOptimal

Array = NDArray[np.float64]
Losses = Callable[[Array], Array]

_STEPS = 400  # sizes looked at on each side for the end of the band
_HALVINGS = 60


def near_optimal(loss: Losses, flops: float, params: float, tolerance: float) -> NearOptimal:
    """The sizes around the best one whose predicted loss is within a share of the least.

    Args:
        loss: Of sizes that all spend the budget.
        params: The size of least loss for `flops`.
    """
    least = float(loss(np.array([params]))[0])
    limit = (1 + tolerance) * least
    most = flops / 6
    low = _end_of_band(loss, limit, np.geomspace(params, 1.0, _STEPS))
    high = _end_of_band(loss, limit, np.geomspace(params, most, _STEPS))
    return NearOptimal(
        tolerance=tolerance,
        params=params,
        loss=least,
        params_low=low,
        params_high=high,
        tokens_low=most / high,
        tokens_high=most / low,
    )


def widened(estimate: Estimate, factors: tuple[float, ...]) -> Estimate:
    """An estimate whose range also holds what it becomes by each of some factors.

    The two sources are independent: half-widths add in squares on the log scale, as those of a `Quantity`.

    >>> widened(Estimate(value=10, low=5, high=20, unit="1"), (0.5, 2.0)).high / 10 == 2 ** (2**0.5)
    True
    """
    down = math.log(max([1.0, *(1 / factor for factor in factors)]))
    up = math.log(max([1.0, *factors]))
    if math.isnan(estimate.low) or not factors:
        return estimate
    low = estimate.value * math.exp(-math.hypot(math.log(estimate.value / estimate.low), down))
    high = estimate.value * math.exp(math.hypot(math.log(estimate.high / estimate.value), up))
    return replace(estimate, low=low, high=high)


def _end_of_band(loss: Losses, limit: float, sizes: Array) -> float:
    """Where the loss first passes the limit, going outward from the best size; the last size if nowhere."""
    above = np.flatnonzero(loss(sizes[1:]) > limit)
    if not above.size:
        return float(sizes[-1])
    inner, outer = np.log(sizes[above[0]]), np.log(sizes[above[0] + 1])
    for _ in range(_HALVINGS):
        half = (inner + outer) / 2
        inner, outer = (inner, half) if loss(np.exp([half]))[0] > limit else (half, outer)
    return float(np.exp((inner + outer) / 2))
