"""At which scale does a score cross a threshold? A distribution, read from draws of its curve."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.emergence.bends import Bend, Candidates, Measured

Array = NDArray[np.float64]

_GRID = 240


@dataclass(frozen=True, kw_only=True, eq=False)
class Onset:
    """Where a score crosses a threshold, within the range of scales that was measured.

    Attributes:
        threshold: The score.
        draws: Scale of crossing of each draw; 0 for those above the threshold from the smallest scale on,
            inf for those that do not reach it at the largest.
        before, within, beyond: Shares of the draws.
    """

    threshold: float
    draws: Array = field(repr=False)

    @property
    def before(self) -> float:
        """Share of the draws that are above the threshold at the smallest scale."""
        return float((self.draws == 0).mean())

    @property
    def beyond(self) -> float:
        """Share of the draws that do not cross it within the range."""
        return float(np.isinf(self.draws).mean())

    @property
    def within(self) -> float:
        """Share of the draws that cross it within the range."""
        return 1 - self.before - self.beyond

    def quantile(self, probability: float) -> float:
        """Scale by which so many draws have crossed: 0 is below the range, inf above it."""
        return float(np.sort(self.draws)[min(int(probability * len(self.draws)), len(self.draws) - 1)])


def find_onset(data: Measured, bend: Bend, threshold: float, draws: int, seed: int) -> Onset:
    """Draw curves of the score from every form by its weight, and see where each crosses.

    Forms, ends and places of a break are weighted by exp(-QAICc / 2); coefficients are drawn from the normal
    distribution about each maximum of the likelihood (inverse prediction through draws).

    Source:
        Weights: Burnham and Anderson 2002, section 2.9.
    """
    rng = np.random.default_rng(seed)
    weights = [_weights(one, data, bend.dispersion) for one in bend.every]
    best = min(float(some.min()) for some in weights)
    masses = np.concatenate([np.exp(-(some - best) / 2) / len(some) for some in weights])
    owners = [(one, which) for one in bend.every for which in range(len(one.low))]
    picked = rng.choice(len(owners), size=draws, p=masses / masses.sum())
    grid = np.linspace(data.t.min(), data.t.max(), _GRID)
    crossings = [
        _crossing(one, which, grid, threshold, bend.dispersion, rng)
        for one, which in (owners[place] for place in picked)
    ]
    inside = np.exp(np.array(crossings) + np.log(data.x).mean())
    return Onset(threshold=threshold, draws=np.where(np.isneginf(crossings), 0.0, inside))


def _weights(one: Candidates, data: Measured, dispersion: float) -> Array:
    points, free = len(data.x), one.free
    small = 2 * free * (free + 1) / max(points - free - 1, 0.5)
    return np.asarray(one.curves.misfits / dispersion + 2 * free + small)


def _crossing(
    one: Candidates, which: int, grid: Array, threshold: float, dispersion: float, rng: np.random.Generator
) -> float:
    """Log scale of the first crossing: -inf if it is above from the start, inf if it never is."""
    spread = dispersion * one.curves.covariances[which]
    drawn = rng.multivariate_normal(one.curves.coefficients[which], spread, method="eigh")
    values = one.at(grid, which, drawn)
    above = np.flatnonzero(values >= threshold)
    if not above.size:
        return float("inf")
    place = int(above[0])
    if not place:
        return float("-inf")
    share = (threshold - values[place - 1]) / (values[place] - values[place - 1])
    return float(grid[place - 1] + share * (grid[place] - grid[place - 1]))
