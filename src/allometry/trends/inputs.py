"""How fast the inputs of training grow: compute, cost, data, power; each with the levelling alternative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Finding
from allometry.runs.run import Runs
from allometry.trends.account import TrendAccount, series_account
from allometry.trends.dates import decimal_years
from allometry.trends.forms import LEVELLING
from allometry.trends.outlook import Outlook
from allometry.trends.outlook_words import forms_words

Array = NDArray[np.float64]

_DRAWS = 200  # of an outlook: hundreds of points settle it


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """How fast several inputs grow.

    Attributes:
        accounts: Input to its trend and outlook.
    """

    accounts: Mapping[str, TrendAccount]
    level: float

    def __getitem__(self, name: str) -> TrendAccount:
        """Everything about one input.

        Raises:
            InputError: If it was not asked for.
        """
        if name not in self.accounts:
            raise InputError(f"'{name}' was not asked for. There are: {', '.join(self.accounts)}.")
        return self.accounts[name]

    @property
    def table(self) -> pd.DataFrame:
        """One row an input: points, since, until, factor a year with low and high, doubling_days, forms_apart
        (AICc, above 0 for the exponential), levelling (weight by the back-test; NaN without one)."""
        return pd.DataFrame([_row(name, one) for name, one in self.accounts.items()])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all inputs, each once."""
        found = {one.code: one for account in self.accounts.values() for one in account.findings}
        return tuple(found.values())

    def summary(self) -> str:
        """One paragraph an input."""
        return "\n".join(
            line for name, one in self.accounts.items() for line in _words(name, one, self.level)
        )

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {"inputs": self.table, "level": self.level, "findings": self.findings}


def input_growth(
    runs: Runs,
    inputs: Sequence[str],
    *,
    date: str | None = None,
    since: object = None,
    until: object = None,
    largest: int | None = None,
    by: str = "flops",
    level: float = 0.9,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Inputs:
    """The growth of each input, by a line through its logarithms and by windows and forms.

    Args:
        inputs: Columns, such as flops, price_usd, tokens, power_watts; rows without a value are left out.
        since, until: Dates of the window.
        largest: Keep only models that were among so many largest when they were released, judged by `by` over
            all rows, those before the window and those without the input included.

    Raises:
        InputError: If nothing is asked for, or a value is not above zero.
        FitError: With fewer than four dated points of an input.

    Source:
        Sevilla and Roldán 2024, epoch.ai/blog/training-compute-of-frontier-ai-models-grows-by-4-5x-per-year;
        cost: Cottier et al. 2024, arXiv:2405.21015.

    >>> table = pd.DataFrame({"date": [2020, 2021, 2022, 2023], "flops": [1e22, 4e22, 1.6e23, 6.4e23]})
    >>> float(input_growth(Runs(table), ["flops"]).table["factor"].iloc[0].round(6))
    4.0
    """
    if not inputs:
        raise InputError("Say which inputs: one or more columns, such as flops or price_usd.")
    chosen = runs if largest is None else largest_at_release(runs, largest, by=by, date=date)
    how = {"date": date, "since": since, "until": until, "level": level, "draws": draws, "seed": seed}
    return Inputs(
        accounts={name: series_account(chosen, name, **how) for name in inputs},  # type: ignore[arg-type]
        level=level,
    )


def largest_at_release(runs: Runs, count: int, *, by: str = "flops", date: str | None = None) -> Runs:
    """Models that were among the so many largest when they were released.

    Rows without a date or a size are left out, and are larger than none.

    Args:
        count: One or more; of equals all or none are kept.

    Raises:
        InputError: If the count is below one.

    >>> table = pd.DataFrame({"date": [2020, 2021, 2022, 2023], "flops": [5.0, 3.0, 4.0, 9.0]})
    >>> largest_at_release(Runs(table), 2).table["flops"].tolist()
    [5.0, 3.0, 4.0, 9.0]
    >>> largest_at_release(Runs(table), 1).table["flops"].tolist()
    [5.0, 9.0]
    """
    if count < 1:
        raise InputError(f"The largest so many at release: one or more, not {count}.")
    when = date or next((name for name in ("date", "release_date", "year") if name in runs.table), "date")
    runs.require(when, by)
    years, sizes = decimal_years(runs.table[when], name=when), runs.column(by)
    kept = runs.table[_among_largest(years, sizes, count)]
    return Runs(kept.reset_index(drop=True), source=runs.source, filters=runs.filters)


def _among_largest(years: Array, sizes: Array, count: int) -> NDArray[np.bool_]:
    """Whether at most so many of the models up to the same day, itself counted, are as large or larger."""
    known = np.flatnonzero(np.isfinite(years) & np.isfinite(sizes))
    kept = np.zeros(len(years), dtype=bool)
    largest: list[float] = []  # one more than so many, the least of them first
    for _, day in groupby(known[np.argsort(years[known], kind="stable")], key=lambda place: years[place]):
        places = list(day)
        for place in places:
            heappush(largest, float(sizes[place]))
            if len(largest) > count + 1:
                heappop(largest)
        kept[places] = (len(largest) <= count) | (sizes[places] > largest[0])
    return kept


def levelling_weight(made: Outlook) -> float:
    """What the back-test gives to forms that level off; NaN without a back-test."""
    if not made.scores.forecasts:
        return float("nan")
    return float(made.table.loc[made.table["form"] == LEVELLING.name, "weight"].sum())


def alternative_words(made: Outlook) -> str:
    """Whether the data can tell growth that goes on from growth that levels off, by AICc and by forecasts."""
    weight = levelling_weight(made)
    if not np.isfinite(weight):
        return forms_words(made)
    return f"{forms_words(made)} By forecasts of later points levelling off has a weight of {weight:.0%}."


def _row(name: str, one: TrendAccount) -> dict[str, Any]:
    years, rate = one.series.years, one.trend.doublings
    return {
        "input": name, "points": len(years), "since": float(years[0]), "until": float(years[-1]),
        "factor": 2**rate.value, "low": 2**rate.low, "high": 2**rate.high,
        "doubling_days": one.trend.doubling_days.value, "forms_apart": one.outlook.forms_apart,
        "levelling": levelling_weight(one.outlook),
    }  # fmt: skip


def _words(name: str, one: TrendAccount, level: float) -> list[str]:
    row = _row(name, one)
    ends = f"{100 * level:g}%: {row['low']:.3g} to {row['high']:.3g}"
    head = f"{name} grows by a factor of {row['factor']:.3g} a year ({ends}), {row['points']} points"
    return [
        f"{head}: it doubles every {row['doubling_days']:.0f} days.",
        f"  {alternative_words(one.outlook)}",
        *(f"  {found.severity}: {found.sentence} {found.remedy}" for found in one.findings),
    ]
