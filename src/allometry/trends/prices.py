"""What a given score costs over time: the cheapest model at or above it, and the factor by which it falls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from allometry.errors import FitError, InputError
from allometry.fitting.result import Estimate, Finding
from allometry.runs.run import Runs
from allometry.trends.price_words import price_findings, summarise
from allometry.trends.series import Series, read_series
from allometry.trends.trend import Trend, exponential_trend

# The published factor is of a year of 365 days; by 365.25 it would differ in the third digit.
_SHARE_OF_A_YEAR = 365 / 365.25


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceTrend:
    """The price of one score over time.

    Attributes:
        name: What was to be reached, for example "MMLU at 70 or more".
        trend: Through the models that were the cheapest so far when they came.
        factor: By which the price falls in 365 days; below 1 it rises.
    """

    name: str
    trend: Trend
    factor: Estimate

    @property
    def series(self) -> Series:
        """The cheapest models."""
        return self.trend.series


@dataclass(frozen=True, kw_only=True, eq=False)
class Prices:
    """The prices of several scores over time.

    Attributes:
        table: One row a score: name, points, since and until (decimal years), factor with low and high,
            r_squared.
        declined: Score to why there is no trend.
    """

    trends: tuple[PriceTrend, ...]
    declined: dict[str, str]
    level: float
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row a score."""
        return pd.DataFrame([_row(one) for one in self.trends])

    def __getitem__(self, name: str) -> PriceTrend:
        """The trend of one score.

        Raises:
            InputError: If there is none of that name.
        """
        for one in self.trends:
            if one.name == name:
                return one
        raise InputError(f"There is no trend '{name}'. There are: {', '.join(o.name for o in self.trends)}.")

    def summary(self) -> str:
        """One line a score, and what is doubtful."""
        return summarise(self)

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "prices": self.table, "declined": self.declined, "level": self.level, "findings": self.findings,
        }  # fmt: skip


def price_trends(
    runs: Runs,
    *,
    price: str,
    score: str | None = None,
    thresholds: Sequence[float] = (),
    by: Sequence[str] = (),
    date: str | None = None,
    label: str | None = None,
    unit: str = "",
    level: float = 0.9,
) -> Prices:
    """The factor a year by which the price of a given score falls.

    Of the models at or above the score, those count that were cheaper than all before them. A straight
    line is drawn through the logarithm of their price; its interval is by t with n − 2.

    Args:
        runs: One row a model: a price, a date, and a score unless all reach what is asked for.
        price: The column of prices, above zero.
        score, thresholds: The column of scores, and one or more that are to be reached.
        by: Columns within whose values the cheapest is sought, such as the benchmark.
        date, label: The columns of dates and names, where `read_series` would not find them.

    Raises:
        MissingColumn: If a column is not there.
        InputError: If thresholds are given without a score or the other way round, or a price is not above
            zero.
        FitError: If no score has four dated points.

    Source:
        Cottier et al. 2025, epoch.ai/data-insights/llm-inference-price-trends.

    >>> table = pd.DataFrame({"date": [2022, 2023, 2023.5, 2024, 2025], "usd": [8.0, 4, 6, 2, 1],
    ...     "score": [50, 60, 70, 70, 80]})
    >>> found = price_trends(Runs(table), price="usd", score="score", thresholds=[50])
    >>> round(found.trends[0].factor.value, 3), len(found.trends[0].series)
    (1.999, 4)
    """
    _refuse_half(score, thresholds)
    runs.require(price, *by, *([score] if score else []))
    trends, declined = [], {}
    for name, part in _parts(runs, score, thresholds, by):
        series = read_series(part, price, date=date, label=label, unit=unit)
        try:
            trends.append(_price_trend(name, _cheapest(series), level))
        except FitError as error:
            declined[name] = str(error)
    if not trends:
        raise FitError(next(iter(declined.values()), f"{runs.source} holds no rows."))
    kept = tuple(trends)
    return Prices(trends=kept, declined=declined, level=level, findings=tuple(price_findings(kept, declined)))


def _refuse_half(score: str | None, thresholds: Sequence[float]) -> None:
    if (score is None) != (not thresholds):
        raise InputError(
            "The cheapest model at or above a score needs both: the column of scores and at least one "
            "threshold. Leave both out if every row reaches what is asked for."
        )


def _parts(
    runs: Runs, score: str | None, thresholds: Sequence[float], by: Sequence[str]
) -> Iterator[tuple[str, Runs]]:
    """The rows of each group that reach each threshold, under a name."""
    for key, rows in _groups(runs.table, by):
        if score is None:
            yield key or "price", Runs(rows.reset_index(drop=True), source=runs.source)
            continue
        reached = Runs(rows, source=runs.source).column(score)
        for threshold in thresholds:
            name = f"{key} at {threshold:g} or more" if key else f"{score} at {threshold:g} or more"
            yield name, Runs(rows[reached >= threshold].reset_index(drop=True), source=runs.source)


def _groups(table: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    if not by:
        yield "", table
        return
    for key, rows in table.groupby(list(by), sort=False, dropna=False):
        yield ", ".join(map(str, key)), rows


def _cheapest(series: Series) -> Series:
    """The models that were cheaper than all before them; of one day's only the cheapest."""
    order = np.lexsort((series.values, series.years))
    sorted_by_day = series.take(order)
    before = np.minimum.accumulate(np.append(np.inf, sorted_by_day.values))[:-1]
    return sorted_by_day.take(sorted_by_day.values < before)


def _price_trend(name: str, series: Series, level: float) -> PriceTrend:
    made = exponential_trend(series, level=level)
    fall = made.doublings
    factor = Estimate(
        value=_factor(fall.value), low=_factor(fall.high), high=_factor(fall.low), unit="1/year"
    )
    return PriceTrend(name=name, trend=made, factor=factor)


def _factor(doublings: float) -> float:
    """By which the price falls in 365 days: exp(−365 · slope of ln price per day)."""
    return float(2 ** (-doublings * _SHARE_OF_A_YEAR))


def _row(one: PriceTrend) -> dict[str, Any]:
    years = one.series.years
    return {
        "name": one.name, "points": len(one.series), "since": float(years[0]), "until": float(years[-1]),
        "factor": one.factor.value, "low": one.factor.low, "high": one.factor.high,
        "r_squared": one.trend.r_squared,
    }  # fmt: skip
