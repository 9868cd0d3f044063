"""What a series may do next: a mixture over windows and forms, weighted by how each has forecast so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Estimate, Finding, middle
from allometry.trends.backtest import Drawn, Scores, backtest, draw, entrants
from allometry.trends.crossing import Crossing, crossing_years, summed_up
from allometry.trends.dates import DAYS_A_YEAR, decimal_year
from allometry.trends.forms import EXPONENTIAL, LEVELLING, solve
from allometry.trends.hindcast import Lookback, drift, look_back
from allometry.trends.outlook_words import outlook_findings, summarise
from allometry.trends.series import Series
from allometry.trends.trend import DatedForecast, refuse_few

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlook:
    """A forecast of a series by several windows and forms.

    Attributes:
        table: One row a way to forecast: form, since (decimal year), points, weight, crps (in doublings; NaN
            without a back-test), doubling_days at the last point, and its median.
        rates: Doublings a year at the last point, by draw of the mixture.
        doubling_days: The same in days; an end is infinite where it may be flat there.
        forms_apart: AICc of levelling off less that of the exponential, over all points: above 0 the
            exponential explains them better. NaN with fewer than six points.
        drift: Doublings a year by which the rate may move after the last point, as a standard deviation: as
            much as the back-test's errors ask for beyond what was forecast; 0 where they ask for none.
        lookback: What became of the newest points; None without a back-test.
        scores: Of the back-test.
        level: Of the intervals.
        parts: Curves of each way, in the order of the table; x counts years from the last point.
    """

    series: Series
    table: pd.DataFrame
    rates: Array = field(repr=False)
    doubling_days: Estimate
    forms_apart: float
    drift: float
    lookback: Lookback | None
    scores: Scores
    level: float
    parts: tuple[Drawn, ...] = field(repr=False)
    _taken: tuple[int, ...] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def names(self) -> list[str]:
        """What each part is called, for example "exponential, 12 points"."""
        rows = self.table.to_dict("records")
        return [f"{row['form']}, {row['points']} points" for row in rows]

    def at(self, date: object, level: float | None = None) -> DatedForecast:
        """The value of a new point at a date, over the mixture.

        Args:
            date: As `decimal_year` reads it.
            level: Of the interval; that of the outlook if not given.
        """
        year, level = decimal_year(date), level or self.level
        outcomes = self._outcomes(np.array([year]))[:, 0]
        low, high = middle(outcomes, level)
        x = np.array([year - self.series.years[-1]])
        medians = [float(np.median(part.form.curve(part.coefficients, x))) for part in self.parts]
        return DatedForecast(
            name=self.series.name, unit=self.series.unit, year=year, level=level,
            median=float(2 ** np.median(outcomes)), low=float(2**low), high=float(2**high),
            parts={name: 2**median for name, median in zip(self.names, medians, strict=True)},
        )  # fmt: skip

    def when(self, value: float, level: float | None = None) -> Crossing:
        """When the trend reaches a value, over the mixture; a part of it may never do so.

        Raises:
            InputError: If the value is not above zero.
        """
        if not value > 0:
            raise InputError(f"A trend reaches values above zero, not {value:g}.")
        years = [
            crossing_years(part.take(slice(count)), float(np.log2(value))) + self.series.years[-1]
            for part, count in zip(self.parts, self._taken, strict=True)
        ]
        return summed_up(self.series, value, np.concatenate(years), level or self.level)

    def band(self, years: Array, level: float | None = None) -> pd.DataFrame:
        """Median and interval of new points at many dates: year, median, low, high."""
        outcomes = self._outcomes(years)
        low, high = middle(outcomes, level or self.level, axis=0)
        return pd.DataFrame(
            {"year": years, "median": 2 ** np.median(outcomes, axis=0), "low": 2**low, "high": 2**high}
        )

    def summary(self) -> str:
        """The doubling time at the last point, the parts with their weights, and what was found."""
        return summarise(self)

    def _outcomes(self, years: Array) -> Array:
        """Log2 of new points, of shape (draws, years): of each part as many draws as it has weight."""
        rng = np.random.default_rng(0)
        x = years - self.series.years[-1]
        parts = [
            part.outcomes(x, rng)[:, :count] for part, count in zip(self.parts, self._taken, strict=True)
        ]
        return np.concatenate(parts, axis=1).T


def outlook(series: Series, *, level: float = 0.9, draws: int = 1000, seed: int = 0) -> Outlook:
    """Forecast a series by several windows and by two forms, and weigh them by a rolling back-test.

    Windows are the whole and its newest two thirds, half and third, as far as they hold five points. The
    forms are an exponential and one that levels off: a rising series at a ceiling, a falling one at a floor.
    Each learns from the first points and forecasts the later ones at up to eleven cuts. Where what came lay
    farther off than the mixture allowed, rates drift after the last point by as much as that takes.

    Args:
        draws: Of the mixture, and of each part.

    Raises:
        FitError: With fewer than four points, or all of one date.

    Source:
        Weights: Yao, Vehtari, Simpson and Gelman 2018, arXiv:1704.02030. That the window dominates a
        forecast of time horizons: METR's multiverse, github.com/METR/eval-analysis-public.
        Drift: `allometry.trends.hindcast.drift`.

    >>> years = np.linspace(2019, 2025, 12)
    >>> steady = Series(name="p50", labels=tuple("abcdefghijkl"), years=years, values=2.0 ** (years - 2019))
    >>> found = outlook(steady, draws=200)
    >>> round(found.at(2026).median)
    128
    """
    refuse_few(series)
    rng = np.random.default_rng(seed)
    x = series.years - series.years[-1]
    ways = entrants(len(series))
    scores = backtest(ways, series, x, rng)
    hindcasts = scores.hindcasts
    moved = 0.0 if hindcasts is None else drift(hindcasts)
    parts = tuple(draw(way, series, x, draws, rng).drifting(moved, rng) for way in ways)
    taken = _shared_out(scores.weights, draws)
    pooled = np.concatenate([_rates_next(part)[:count] for part, count in zip(parts, taken, strict=True)])
    table = pd.DataFrame({
        "form": [way.form.name for way in ways],
        "since": [float(series.years[len(series) - way.points(len(series))]) for way in ways],
        "points": [way.points(len(series)) for way in ways],
        "weight": scores.weights,
        "crps": scores.crps,
        "doubling_days": [float(np.median(DAYS_A_YEAR / _rates_now(part))) for part in parts],
    })  # fmt: skip
    made = Outlook(
        series=series,
        table=table,
        rates=pooled,
        doubling_days=_days(pooled, level),
        forms_apart=forms_apart(series),
        drift=moved,
        lookback=None if hindcasts is None else look_back(hindcasts, level),
        scores=scores,
        level=level,
        parts=parts,
        _taken=taken,
    )
    return replace(made, findings=outlook_findings(made))


def forms_apart(series: Series) -> float:
    """AICc of levelling off less that of the exponential, over all points; NaN with fewer than seven.

    Source:
        Hurvich and Tsai 1989, doi:10.1093/biomet/76.2.297.
    """
    if len(series) < 7:
        return float("nan")
    x, y = series.years - series.years[-1], np.log2(series.values)[None, :]
    found = []
    for form in (EXPONENTIAL, LEVELLING):
        scatter = solve(form, x, y, series.bounded[None, :]).scatter[0]
        count, size = len(x), form.size + 1
        squares = max(float(scatter) ** 2 * (count - form.size), 1e-18)
        found.append(count * np.log(squares / count) + 2 * size + 2 * size * (size + 1) / (count - size - 1))
    return float(found[1] - found[0])


def _shared_out(weights: Array, draws: int) -> tuple[int, ...]:
    """Draws of each part, in proportion to its weight, by largest remainders."""
    exact = weights * draws
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: draws - counts.sum()]] += 1
    return tuple(counts.tolist())


def _rates_now(part: Drawn) -> Array:
    """Doublings a year of the curve at the last point, below zero halvings, of shape (draws,); never 0."""
    rate = part.coefficients[:, 1]
    if part.form is LEVELLING:
        rate = rate / (1 + np.exp2(part.coefficients[:, 2]))
    return np.asarray(np.where(rate == 0, 1e-12, rate))


def _rates_next(part: Drawn) -> Array:
    """The same of what follows it: with drift."""
    return _rates_now(part) + part.drift


def _days(rates: Array, level: float) -> Estimate:
    """By rates, which pass through zero where days pass through infinity."""
    centre = float(np.median(rates))
    low, high = (float(end) for end in middle(rates, level))
    near, far = (low, high) if centre < 0 else (high, low)
    slowest = np.inf if far * centre <= 0 else DAYS_A_YEAR / abs(far)
    return Estimate(value=DAYS_A_YEAR / abs(centre), low=DAYS_A_YEAR / abs(near), high=slowest, unit="day")
