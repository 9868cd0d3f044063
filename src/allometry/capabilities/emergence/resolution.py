"""Can a score be told from guessing at this many items?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.emergence.bends import Measured

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Resolution:
    """What the numbers of items can show.

    Attributes:
        low, high: Clopper-Pearson intervals of the scores; shape (n,).
        told: Whether each score is told from guessing.
        smallest: The smallest true score that these items would usually show: half of the time or more.
        rises: Whether the best score is told from the score at the smallest scale.
    """

    low: Array
    high: Array
    told: NDArray[np.bool_]
    smallest: float
    rises: bool

    @property
    def at_floor(self) -> int:
        """How many scores cannot be told from guessing."""
        return int((~self.told).sum())


def clopper_pearson(right: Array, items: Array, level: float) -> tuple[Array, Array]:
    """The exact interval of a share: it covers at least `level` of the time, at any true share.

    Source:
        Clopper and Pearson 1934, Biometrika 26(4).

    >>> low, high = clopper_pearson(np.array([0.0]), np.array([100.0]), 0.95)
    >>> low.tolist(), high.round(4).tolist()
    ([0.0], [0.0362])
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = np.where(right > 0, betaincinv(np.maximum(right, 1e-9), items - right + 1, tail), 0.0)
    left = np.maximum(items - right, 1e-9)
    high = np.where(right < items, betaincinv(right + 1, left, 1 - tail), 1.0)
    return low, high


def resolve(data: Measured, level: float) -> Resolution:
    """Intervals of every score, and which of them exclude guessing from below."""
    right = np.round(data.share * data.counts)
    low, high = clopper_pearson(right, data.counts, level)
    best = int(data.share.argmax())
    items = float(np.median(data.counts))
    return Resolution(
        low=low, high=high, told=low > data.low, smallest=_smallest(items, data.low, level),
        rises=bool(low[best] > high[0]),
    )  # fmt: skip


def _smallest(items: float, floor: float, level: float) -> float:
    """The smallest count whose interval excludes guessing, as a share."""
    counts = np.arange(0, int(items) + 1, dtype=np.float64)
    low, _ = clopper_pearson(counts, np.full(len(counts), items), level)
    shown = counts[low > floor]
    return float(shown[0] / items) if shown.size else 1.0
