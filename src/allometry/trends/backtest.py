"""Rolling back-test of windows and forms: which mixture of them would have forecast later points best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.comparison.scores import apart
from allometry.fitting.comparison.stacking import FEWEST, stacking_weights
from allometry.trends.forms import EXPONENTIAL, LEVELLING, Form, solve
from allometry.trends.hindcast import Hindcasts
from allometry.trends.measurement import deviations, scatter_of_models
from allometry.trends.series import Series

Array = NDArray[np.float64]
Index = NDArray[np.intp]

WINDOWS = (1.0, 2 / 3, 1 / 2, 1 / 3)  # shares of the points, the newest ones
SMALLEST = 5  # points of a window that is not the whole
_FIRST_CUT = 6  # points learnt from at least
_CUTS = 11
_CUTS_OF_MANY = 6  # of more than _MANY points, each of which takes longer to learn from
_MANY = 100
_HALF_LIFE = 1 / 6  # of the years of a series: a forecast of a point so old counts half
_SCORED = 20  # points after a cut that are scored: the error of a hundred says no more than that of these
_POINTS = 60  # draws that stand for one forecast


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One way to forecast: a form through the newest points."""

    form: Form
    window: float

    def points(self, count: int) -> int:
        """How many of so many points it reads."""
        return min(count, max(SMALLEST, round(self.window * count)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What one way says, by draw.

    Attributes:
        coefficients: Of shape (draws, size).
        scatter: Of a new point, of shape (draws,).
        drift: Doublings a year by which growth moves away from the curve after x = 0, of shape (draws,).
    """

    form: Form
    coefficients: Array
    scatter: Array
    drift: Array

    def curve(self, x_m: Array) -> Array:
        """Log2 of the trend, of shape (draws, m)."""
        away = self.drift[:, None] * np.maximum(x_m, 0.0)
        return np.asarray(self.form.curve(self.coefficients, x_m) + away)

    def outcomes(self, x_m: Array, rng: np.random.Generator) -> Array:
        """Log2 of new points, of shape (m, draws); each draw's point errs alike at all dates."""
        noise = self.scatter * rng.standard_normal(len(self.scatter))
        return np.asarray(self.curve(x_m).T + noise)

    def drifting(self, by: float, rng: np.random.Generator) -> Drawn:
        """The same with rates that move by a normal of this standard deviation, in doublings a year."""
        return replace(self, drift=by * rng.standard_normal(len(self.scatter)))

    def without_drift(self) -> Drawn:
        """The curves alone."""
        return replace(self, drift=np.zeros(len(self.scatter)))

    def take(self, rows: Index | slice) -> Drawn:
        """Some of its draws."""
        return replace(
            self, coefficients=self.coefficients[rows], scatter=self.scatter[rows], drift=self.drift[rows]
        )


def entrants(count: int) -> tuple[Entrant, ...]:
    """The ways that a series of so many points allows, each window once.

    >>> [(one.form.name, one.points(9)) for one in entrants(9)]
    [('exponential', 9), ('exponential', 6), ('exponential', 5), ('levelling off', 9), ('levelling off', 6),
     ('levelling off', 5)]
    """
    sizes: dict[int, float] = {}
    for window in WINDOWS:
        sizes.setdefault(Entrant(form=EXPONENTIAL, window=window).points(count), window)
    return tuple(
        Entrant(form=form, window=window)
        for form, (size, window) in product((EXPONENTIAL, LEVELLING), sizes.items())
        if size > form.size + 1
    )


def draw(entrant: Entrant, series: Series, x_n: Array, draws: int, rng: np.random.Generator) -> Drawn:
    """Fit one way, and again to points drawn from the fit (a parametric bootstrap).

    Where the values were measured again, points move as they moved there, and by the scatter that this leaves
    unexplained, drawn with the uncertainty of its own estimate.
    """
    first = len(series) - entrant.points(len(series))
    part, x = series.take(np.arange(len(series)) >= first), x_n[first:]
    y = np.log2(part.values)
    best = solve(entrant.form, x, y[None, :], part.bounded[None, :])
    freedom = max(len(x) - entrant.form.size, 1)
    own = scatter_of_models(part, float(best.scatter[0]), x)
    unsure = np.sqrt(freedom / rng.chisquare(freedom, draws))
    noise = own * unsure[:, None] * rng.standard_normal((draws, len(x)))
    moved = entrant.form.curve(best.coefficients, x) + noise + deviations(part, draws)
    again = solve(entrant.form, x, moved, np.zeros(moved.shape, dtype=bool))
    return Drawn(
        form=entrant.form,
        coefficients=again.coefficients,
        scatter=best.scatter[0] * unsure,
        drift=np.zeros(draws),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What came of the back-test.

    Attributes:
        weights: Of each way, of sum 1.
        crps: Mean continuous ranked probability score of each, in doublings; NaN without a back-test.
        forecasts: Forecasts that were scored.
        points: Points that were forecast at least once.
        hindcasts: What the mixture of these weights said; None without a back-test.
    """

    weights: Array
    crps: Array
    forecasts: int
    points: int
    hindcasts: Hindcasts | None = field(default=None, repr=False)


def backtest(ways: tuple[Entrant, ...], series: Series, x_n: Array, rng: np.random.Generator) -> Scores:
    """Let each way learn from the first points and forecast all later ones, at several cuts.

    The weights are those whose mixture would have scored best, drawn towards equal ones as if these had been
    seen in as many points as there are ways: a dozen points do not say more. Of the points after a cut at
    most twenty are scored, evenly spaced; values at the ceiling are not, as nobody knows what they were. The
    forecast of a point counts half as much as that of one newer by a sixth of the years of the series.
    """
    even = np.full(len(ways), 1 / len(ways))
    cuts = _cuts(len(series))
    rows = [(cut, place) for cut in cuts for place in _scored(series, cut)]
    if len(rows) < FEWEST or len(ways) < 2:
        return Scores(weights=even, crps=np.full(len(ways), np.nan), forecasts=0, points=0)
    forecasts = [np.concatenate([_ahead(way, series, x_n, cut, rng) for cut in cuts]) for way in ways]
    measured = np.log2(series.values[[place for _, place in rows]])
    shares = _shares(rows, x_n)
    stacked = stacking_weights(forecasts, measured, shares)
    known = len({place for _, place in rows})
    worth = _worth(rows, shares)
    weights = (worth * stacked + len(ways) * even) / (worth + len(ways))
    crps = [
        shares @ (np.abs(one - measured[:, None]).mean(axis=1) - apart(one, one) / 2) for one in forecasts
    ]
    return Scores(
        weights=weights,
        crps=np.array(crps),
        forecasts=len(rows),
        points=known,
        hindcasts=_mixed(forecasts, weights, measured, rows, x_n, shares),
    )


def _shares(rows: list[tuple[int, int]], x_n: Array) -> Array:
    """How much each forecast counts: cuts alike, newer points more."""
    scored = Counter(cut for cut, _ in rows)
    age = x_n[-1] - x_n[[place for _, place in rows]]
    each = np.exp2(-age / (_HALF_LIFE * np.ptp(x_n))) / [scored[cut] for cut, _ in rows]
    return np.asarray(each / each.sum())


def _worth(rows: list[tuple[int, int]], shares: Array) -> float:
    """How many points that count alike would say as much (Kish 1965)."""
    return float(1 / (np.bincount([place for _, place in rows], weights=shares) ** 2).sum())


def _mixed(
    forecasts: list[Array], weights: Array, measured: Array, rows: list[tuple[int, int]], x_n: Array,
    shares: Array,
) -> Hindcasts:  # fmt: skip
    cuts, places = np.array(rows).T
    return Hindcasts(
        draws=np.concatenate(forecasts, axis=1),
        chances=np.repeat(weights / _POINTS, _POINTS),
        measured=measured,
        ahead=x_n[places] - x_n[cuts - 1],
        places=places,
        shares=shares,
    )


def _cuts(count: int) -> list[int]:
    possible = np.arange(_FIRST_CUT, count)
    if not possible.size:
        return []
    most = _CUTS if count <= _MANY else _CUTS_OF_MANY
    chosen = np.unique(np.linspace(0, len(possible) - 1, min(most, len(possible))).round().astype(int))
    return [int(possible[place]) for place in chosen]


def _scored(series: Series, cut: int) -> list[int]:
    """Places of the points that are scored after a cut, the first and the last among them."""
    known = cut + np.flatnonzero(~series.bounded[cut:])
    if len(known) <= _SCORED:
        return [int(place) for place in known]
    spread = np.linspace(0, len(known) - 1, _SCORED).round().astype(int)
    return [int(place) for place in known[spread]]


def _ahead(way: Entrant, series: Series, x_n: Array, cut: int, rng: np.random.Generator) -> Array:
    """Forecasts of the points after a cut, of shape (points, draws)."""
    held = _scored(series, cut)
    if not held:
        return np.empty((0, _POINTS))
    known = series.take(np.arange(len(series)) < cut)
    return draw(way, known, x_n[:cut], _POINTS, rng).outcomes(x_n[held], rng)
