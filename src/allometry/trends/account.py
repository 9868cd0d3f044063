"""All that is said of one series: its trend in one window, and the outlook over several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allometry.errors import MissingColumn
from allometry.fitting.result import Finding
from allometry.runs.run import Runs
from allometry.trends.crossing import Crossing
from allometry.trends.horizon import Horizons, time_horizons
from allometry.trends.horizon_draws import Resampling
from allometry.trends.horizon_findings import PENALTIES
from allometry.trends.outlook import Outlook, outlook
from allometry.trends.series import Best, Series, horizon_series, read_series
from allometry.trends.success_curves import Penalty
from allometry.trends.trend import FEWEST, DatedForecast, Models, Trend, exponential_trend, window_table
from allometry.trends.trend_words import penalties_words

_RUN_HEADERS = ({"task", "task_id"}, {"score", "score_binarized", "success"})


@dataclass(frozen=True, kw_only=True, eq=False)
class TrendAccount:
    """A series with its trend and outlook, and the forecasts that were asked for.

    Attributes:
        horizons: Where the series was measured on task runs; None where it was read from a table.
        by_penalty: Penalty on the slopes of these horizons to the days in which the best at release then
            double; NaN where too few have a horizon by it. Empty where they were read from a table.
    """

    trend: Trend
    outlook: Outlook
    forecasts: tuple[DatedForecast, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    horizons: Horizons | None = field(default=None, repr=False)
    by_penalty: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> Series:
        """The points."""
        return self.trend.series

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all parts, each once."""
        parts = (self.horizons, self.trend, self.outlook)
        found = {one.code: one for part in parts if part is not None for one in part.findings}
        return tuple(found.values())

    def summary(self) -> str:
        """Everything in plain words."""
        lines = [] if self.horizons is None else [self.horizons.summary()]
        lines.append(self.trend.summary())
        lines += [f"  {penalties_words(self.by_penalty)}"] if self.by_penalty else []
        lines.append(self.outlook.summary())
        asked = [one.summary() for one in self.forecasts] + [one.summary() for one in self.crossings]
        return "\n".join([*lines, *asked])

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "name": self.series.name,
            "unit": self.series.unit,
            "points": [dict(zip(("label", "year", "value"), row, strict=True)) for row in _rows(self.series)],
            "horizons": None if self.horizons is None else self.horizons.table,
            "penalties": None if self.horizons is None else self.horizons.penalties,
            "doubling_days_by_penalty": self.by_penalty,
            "doublings_a_year": self.trend.doublings,
            "doubling_days": self.trend.doubling_days,
            "windows": self.trend.windows,
            "outlook": self.outlook.table,
            "outlook_doubling_days": self.outlook.doubling_days,
            "forms_apart": self.outlook.forms_apart,
            "forecasts": self.forecasts,
            "crossings": self.crossings,
            "findings": self.findings,
        }


def horizon_account(
    runs: Runs,
    *,
    share: float = 0.5,
    penalty: Penalty = "firth",
    resampling: Resampling = "families",
    since: object = None,
    until: object = None,
    models: Models = "drawn",
    at: tuple[object, ...] = (),
    reaches: tuple[float, ...] = (),
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> TrendAccount:
    """The time horizon of the best agents over time, from task runs or from a table of horizons.

    Args:
        runs: Task runs (agent, task, minutes, score, release_date; see `read_task_runs`), or a table with p50
            (or p80) in minutes and release_date.
        share: 0.5 or 0.8.
        penalty, resampling: As in `time_horizons`.
        since, until: Dates of the window; the best at release are found inside it.
        at: Dates to forecast.
        reaches: Minutes whose date is asked for.

    Raises:
        InputError, FitError: As `time_horizons`, `exponential_trend` and `outlook` do.
    """
    columns = set(runs.table.columns)
    found = None
    if all(headers & columns for headers in _RUN_HEADERS):
        found = time_horizons(
            runs, penalty=penalty, resampling=resampling, draws=draws, level=level, seed=seed
        )
        series = horizon_series(found, share)
    else:
        series = _horizons_read(runs, share)
    best = series.between(since, until).best("highest")
    made = _account(best, models, at, reaches, level, draws, seed, found)
    return made if found is None else replace(made, by_penalty=days_by_penalty(found, share, since, until))


def series_account(
    runs: Runs,
    value: str,
    *,
    date: str | None = None,
    unit: str = "",
    best: Best | None = None,
    since: object = None,
    until: object = None,
    at: tuple[object, ...] = (),
    reaches: tuple[float, ...] = (),
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> TrendAccount:
    """Any dated value over time: price-performance of hardware, energy per token, a compute multiplier.

    Args:
        value: The column of values above zero.
        best: Keep only points that were the highest or the lowest at their date; all if None.

    Raises:
        InputError, FitError: As `read_series`, `exponential_trend` and `outlook` do.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"date": [2020, 2021, 2022, 2023], "flops_per_usd": [1e9, 2e9, 4e9, 8e9]})
    >>> round(series_account(Runs(table), "flops_per_usd", draws=20).trend.doublings.value, 6)
    1.0
    """
    series = read_series(runs, value, date=date, unit=unit).between(since, until)
    chosen = series.best(best) if best else series
    return _account(chosen, "drawn", at, reaches, level, draws, seed, None)


def _account(
    series: Series,
    models: Models,
    at: tuple[object, ...],
    reaches: tuple[float, ...],
    level: float,
    draws: int,
    seed: int,
    horizons: Horizons | None,
) -> TrendAccount:
    made = outlook(series, level=level, draws=draws, seed=seed)
    return TrendAccount(
        trend=exponential_trend(series, models=models, level=level, draws=draws, seed=seed),
        outlook=made,
        forecasts=tuple(made.at(date) for date in at),
        crossings=tuple(made.when(value) for value in reaches),
        horizons=horizons,
    )


def days_by_penalty(found: Horizons, share: float, since: object, until: object) -> dict[str, float]:
    """Days in which the best at release double, by each way to fit the slopes."""
    column = f"p{100 * share:g}"
    days: dict[str, float] = {}
    for name in PENALTIES:
        table = found.table.assign(**{column: found.penalties[f"{column}_{name}"]})
        other = replace(found, table=table, draws={share: np.empty((0, len(table)))})
        best = horizon_series(other, share).between(since, until).best("highest")
        enough = len(best) >= FEWEST and np.ptp(best.years) > 0
        days[name] = float(window_table(best)["doubling_days"].iloc[0]) if enough else np.nan
    return days


def _horizons_read(runs: Runs, share: float) -> Series:
    column = f"p{100 * share:g}"
    if column not in runs.table:
        raise MissingColumn(
            f"{runs.source} holds neither task runs (agent, task, minutes, score) nor horizons "
            f"('{column}', in minutes). It has: {', '.join(map(str, runs.table.columns))}."
        )
    return read_series(runs, column, unit="min")


def _rows(series: Series) -> list[tuple[str, float, float]]:
    return list(zip(series.labels, series.years.tolist(), series.values.tolist(), strict=True))
