"""Forecasts of points that have come since, and how far growth has drifted from what they allowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, ndtr, ndtri

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_SURE = 1e-3  # of a rank: what is farther out counts no more, so that one wild point cannot decide
_HALVINGS = 24
_ROUNDING = 1e-6  # doublings a year: a drift below it is no drift
_BEFORE = 1.0  # years; how long before a point its forecast is looked up, as near as there is one
NEWEST = 10  # points that are looked back on
_BY_LUCK = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Hindcasts:
    """Forecasts by a mixture from what was known at earlier dates.

    Attributes:
        draws: Log2 of a new point, of shape (r, m).
        chances: Of each draw, of shape (m,), of sum 1.
        measured: Log2 of what came, of shape (r,).
        ahead: Years from the last point known to what came, of shape (r,).
        places: Which point it was, of shape (r,).
        shares: How much each counts, of shape (r,), of sum 1.
    """

    draws: Array
    chances: Array
    measured: Array
    ahead: Array
    places: Index
    shares: Array

    def ranks(self, drift: float = 0.0) -> Array:
        """Probability that each forecast left below what came, of shape (r,).

        Args:
            drift: Doublings a year by which the rate may have moved since, as a standard deviation.

        Source:
            Dawid 1984, doi:10.2307/2981683 (the probability integral transform).
        """
        gap = self.measured[:, None] - self.draws
        if drift == 0:
            return np.asarray(((gap > 0) + 0.5 * (gap == 0)) @ self.chances)
        return np.asarray(ndtr(gap / (drift * np.maximum(self.ahead, 1e-9))[:, None]) @ self.chances)


@dataclass(frozen=True, kw_only=True)
class Lookback:
    """How often the newest points lay outside the intervals that were forecast for them.

    Attributes:
        points: That were looked back on.
        missed: Of them.
        years: Between what was known and what came, the median.
        level: Of the intervals.
    """

    points: int
    missed: int
    years: float
    level: float

    @property
    def too_many(self) -> bool:
        """Whether so many misses come by luck in under one series of twenty.

        Misses of neighbours come together, so that luck makes them somewhat oftener than the binomial says.

        >>> [Lookback(points=10, missed=k, years=1.0, level=0.9).too_many for k in (3, 4)]
        [False, True]
        """
        return self.missed > 0 and bool(bdtrc(self.missed - 1, self.points, 1 - self.level) < _BY_LUCK)


def drift(hindcasts: Hindcasts) -> float:
    """Least drift of the rate with which the hindcasts are as often wrong, and by as much, as they say.

    The rate of growth moves after each forecast by a normal of mean zero and standard deviation δ, which adds
    δ · (years ahead) to the error of a point. δ is the least with which the mean of squared normal scores
    Φ⁻¹(rank), each counted by its share, is at most 1, as it is for forecasts that hold what they say. Where
    they hold it without, δ is 0 and no interval is widened.

    Returns:
        Doublings a year.

    Source:
        Intervals from earlier errors by distance: Lee and Scholtes 2014,
        doi:10.1016/j.ijforecast.2013.07.013. Newer errors count more: Barber, Candès, Ramdas and Tibshirani
        2023, arXiv:2202.13415. Normal scores: Berkowitz 2001, doi:10.1198/07350010152596718.

    >>> wrong = Hindcasts(draws=np.array([[-1.0, 0, 1]] * 2), chances=np.full(3, 1 / 3),
    ...     measured=np.array([4.0, -4]), ahead=np.full(2, 2.0), places=np.arange(2), shares=np.full(2, 0.5))
    >>> 1.7 < drift(wrong) < 2
    True
    """
    if not len(hindcasts.measured) or _excess(hindcasts, _ROUNDING) <= 0:
        return 0.0
    high = 1e-3
    while _excess(hindcasts, high) > 0:  # ends: under a large drift all ranks are near one half
        high *= 2
    return _least(hindcasts, high)


def look_back(hindcasts: Hindcasts, level: float) -> Lookback:
    """What became of the newest points, each by the forecast that was made nearest to a year before it."""
    ranks, chosen = hindcasts.ranks(), _year_before(hindcasts)
    missed = np.abs(ranks[chosen] - 0.5) > level / 2
    years = float(np.median(hindcasts.ahead[chosen])) if len(chosen) else float("nan")
    return Lookback(points=len(chosen), missed=int(missed.sum()), years=years, level=level)


def _excess(hindcasts: Hindcasts, by: float) -> float:
    scores = ndtri(np.clip(hindcasts.ranks(by), _SURE, 1 - _SURE))
    return float(hindcasts.shares @ scores**2) - 1


def _least(hindcasts: Hindcasts, high: float) -> float:
    low = 0.0
    for _ in range(_HALVINGS):
        between = (low + high) / 2
        low, high = (low, between) if _excess(hindcasts, between) <= 0 else (between, high)
    return high


def _year_before(hindcasts: Hindcasts) -> Index:
    """Of each of the newest points the forecast made nearest to a year before."""
    newest = np.unique(hindcasts.places)[-NEWEST:]
    found = [np.flatnonzero(hindcasts.places == place) for place in newest]
    return np.array([rows[np.abs(hindcasts.ahead[rows] - _BEFORE).argmin()] for rows in found], dtype=np.intp)
