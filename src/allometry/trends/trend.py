"""One exponential trend through one window: doubling time with its interval, and what the window decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from allometry.errors import FitError, InputError
from allometry.fitting.result import Estimate, Finding, middle
from allometry.trends.dates import DAYS_A_YEAR, decimal_year
from allometry.trends.forms import EXPONENTIAL, Solved, solve
from allometry.trends.measurement import scatter_of_models
from allometry.trends.series import Series
from allometry.trends.trend_words import forecast_words, summarise, trend_findings

Array = NDArray[np.float64]
Models = Literal["drawn", "fixed"]

FEWEST = 4
_ORIGIN = 2020.0  # years are counted from here inside the line, as in the laws of the calendar


@dataclass(frozen=True, kw_only=True)
class DatedForecast:
    """What a trend says about a date.

    Attributes:
        year: Decimal year.
        median, low, high: A new point at that date, its own scatter included.
        parts: Where the forecast is a mixture, the median of each part; else of the trend by other windows.
    """

    name: str
    unit: str
    year: float
    median: float
    low: float
    high: float
    level: float
    parts: dict[str, float]

    def summary(self) -> str:
        """In plain words, with what else could have been said."""
        return forecast_words(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trend:
    """An exponential trend through one window of a series.

    Attributes:
        series: The points it goes through.
        doublings: A year, with interval; below zero the value halves.
        doubling_days: Days to double, or to halve; an end is infinite where the interval of `doublings`
            holds zero.
        start: Value of the line at the beginning of 2020.
        scatter: Standard deviation of single points about the line, in doublings.
        scatter_of_models: The part of it that is not noise of measurement, where that is known; else all.
        r_squared: Share of the variance of log2 values.
        models: Whether the interval counts that other models could have been released ("drawn"), or only how
            well these were measured ("fixed", as METR's).
        windows: One row a window that could have been chosen: since (decimal year), points, doublings a year,
            doubling_days.
        draws: Log2 of the line at 2020 and doublings a year, of shape (draws, 2).
    """

    series: Series
    doublings: Estimate
    doubling_days: Estimate
    start: float
    scatter: float
    scatter_of_models: float
    r_squared: float
    models: Models
    level: float
    windows: pd.DataFrame = field(repr=False)
    draws: Array = field(repr=False)
    findings: tuple[Finding, ...] = ()

    def at(self, date: object, level: float | None = None) -> DatedForecast:
        """The value at a date, if this window and form are right; `parts` is the same by other windows."""
        year, level = decimal_year(date), level or self.level
        rng = np.random.default_rng(0)
        noise = self.scatter_of_models * rng.standard_normal(len(self.draws))
        outcomes = self.draws[:, 0] + self.draws[:, 1] * (year - _ORIGIN) + noise
        low, high = middle(outcomes, level)
        rows = self.windows.to_dict("records")
        others = {
            f"{row['points']} points": 2 ** (row["log2_start"] + row["doublings"] * (year - _ORIGIN))
            for row in rows
        }
        return DatedForecast(
            name=self.series.name, unit=self.series.unit, year=year, level=level,
            median=self.start * 2 ** (self.doublings.value * (year - _ORIGIN)),
            low=float(2**low), high=float(2**high), parts=others,
        )  # fmt: skip

    def line(self, years: Array) -> Array:
        """Values of the line."""
        return np.asarray(self.start * np.exp2(self.doublings.value * (years - _ORIGIN)))

    def summary(self) -> str:
        """The doubling time, how it depends on the window, and what was found."""
        return summarise(self)


def exponential_trend(
    series: Series, *, models: Models = "drawn", level: float = 0.9, draws: int = 1000, seed: int = 0
) -> Trend:
    """Draw a straight line through log2 values and dates, by least squares.

    Without draws of the values the interval is that of the regression, by t with n − 2. With draws the line
    is drawn through each. If models are fixed, that is all, as published: it leaves out which models happened
    to be released when. If they are drawn, each draw also moves every point by the scatter about the line
    that noise of measurement does not explain, estimated by moments. Values at the ceiling enter as lower
    bounds. Neither counts that the trend may change: see `outlook`.

    Raises:
        FitError: With fewer than four points, or all of one date.
        InputError: If models are fixed and the values have no draws.

    Source:
        Kwa et al. 2025, arXiv:2503.14499, section 4. Moments: DerSimonian and Laird 1986,
        doi:10.1016/0197-2456(86)90046-2, for a regression.

    >>> years = np.array([2020.0, 2021, 2022, 2023, 2024])
    >>> doubling = Series(name="p50", labels=tuple("abcde"), years=years, values=2.0 ** (2 * (years - 2020)))
    >>> round(exponential_trend(doubling).doubling_days.value, 3)
    182.625
    """
    refuse_few(series)
    if models == "fixed" and series.draws is None:
        raise InputError(
            "With models fixed an interval says how well they were measured, and these values have no draws; "
            'take models="drawn".'
        )
    x = series.years - _ORIGIN
    best = solve(EXPONENTIAL, x, np.log2(series.values)[None, :], series.bounded[None, :])
    own = scatter_of_models(series, float(best.scatter[0]), x)
    drawn = _drawn(series, best, own if models == "drawn" else 0.0, x, draws, seed)
    log2_start, slope = best.coefficients[0].tolist()
    ends = _slope_ends(series, best, drawn, x, level)
    made = Trend(
        series=series,
        doublings=Estimate(value=slope, low=ends[0], high=ends[1], unit="1/year"),
        doubling_days=_days(slope, *ends),
        start=2**log2_start,
        scatter=float(best.scatter[0]),
        scatter_of_models=own,
        r_squared=_r_squared(series, best, x),
        models=models,
        level=level,
        windows=window_table(series),
        draws=drawn,
    )
    return replace(made, findings=trend_findings(made))


def window_table(series: Series) -> pd.DataFrame:
    """The line by each window that begins with another point and goes to the end, the whole first."""
    last = float(series.years.max())
    firsts = [one for one in range(len(series) - FEWEST + 1) if series.years[one] < last]
    rows = []
    # Hundreds of points have hundreds of windows; some dozen say the same.
    for first in firsts[:: max(1, len(firsts) // 12)]:
        part = series.take(np.arange(len(series)) >= first)
        x = part.years - _ORIGIN
        line = solve(EXPONENTIAL, x, np.log2(part.values)[None, :], part.bounded[None, :]).coefficients[0]
        rows.append((float(part.years[0]), len(part), *line.tolist(), _to_days(float(line[1]))))
    return pd.DataFrame(rows, columns=["since", "points", "log2_start", "doublings", "doubling_days"])


def refuse_few(series: Series) -> None:
    """Refuse a series that has no trend.

    Raises:
        FitError: With fewer than four points, or all of one date.
    """
    if len(series) < FEWEST:
        out = f" ({series.left_out} rows have no date or no value)" if series.left_out else ""
        raise FitError(
            f"A trend of {series.name} needs {FEWEST} dated points or more; there are {len(series)}{out}. "
            "Add points, or widen the window."
        )
    if np.ptp(series.years) == 0:
        raise FitError(f"All {len(series)} points of {series.name} have one date; a trend needs several.")


def _drawn(series: Series, best: Solved, own: float, x: Array, draws: int, seed: int) -> Array:
    """Coefficients of the lines of draws: measured again where known, models moved by their own scatter."""
    rng = np.random.default_rng(seed)
    y = np.log2(series.values)[None, :]
    if series.draws is None:
        centre, bounded = best.form.curve(best.coefficients, x), np.zeros((draws, len(x)), dtype=bool)
    else:
        measured = np.log2(np.where(series.draws > 0, series.draws, np.nan))
        picked = measured[np.arange(draws) % len(measured)] if own else measured
        centre, bounded = picked, picked >= np.log2(series.ceiling)
    size = len(bounded)
    freedom = len(x) - 2
    # The scatter is itself known from n - 2 residuals, which makes the slopes those of a t distribution.
    width = own * np.sqrt(freedom / rng.chisquare(freedom, size))[:, None]
    moved = np.broadcast_to(centre, (size, y.shape[1])) + width * rng.standard_normal((size, y.shape[1]))
    enough = np.isfinite(moved).sum(axis=1) > 2
    return solve(EXPONENTIAL, x, moved[enough], bounded[enough]).coefficients


def _slope_ends(series: Series, best: Solved, drawn: Array, x: Array, level: float) -> tuple[float, float]:
    if series.draws is not None or series.bounded.any():
        low, high = middle(drawn[:, 1], level)
        return float(low), float(high)
    error = float(best.scatter[0]) / np.sqrt(((x - x.mean()) ** 2).sum())
    half = float(stdtrit(len(x) - 2, 0.5 + level / 2)) * error
    return float(best.coefficients[0, 1]) - half, float(best.coefficients[0, 1]) + half


def _days(slope: float, low: float, high: float) -> Estimate:
    """Days to double (or halve): the ends swap, and one is infinite where a flat trend is possible."""
    near, far = (low, high) if slope < 0 else (high, low)
    slowest = np.inf if far * slope <= 0 else _to_days(far)
    return Estimate(value=_to_days(slope), low=_to_days(near), high=slowest, unit="day")


def _to_days(doublings: float) -> float:
    return DAYS_A_YEAR / abs(doublings) if doublings else np.inf


def _r_squared(series: Series, best: Solved, x: Array) -> float:
    y = np.log2(series.values)
    left = y - best.form.curve(best.coefficients, x)[0]
    total = float(((y - y.mean()) ** 2).sum())
    return float(1 - (left**2).sum() / total) if total else 1.0
