"""A value over the calendar: what any trend is drawn through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError, MissingColumn
from allometry.runs.run import Runs
from allometry.trends.dates import decimal_year, decimal_years
from allometry.trends.horizon import Horizons

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Best = Literal["highest", "lowest"]

_DATES = ("date", "release_date", "released", "year")
_LABELS = ("model", "agent", "name", "device", "recipe", "run_id")


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """Dated values above zero, in the order of their dates.

    Attributes:
        name, unit: Of the value.
        labels: What each point is, for example a model's name.
        years: Decimal years, of shape (n,), ascending.
        values: Of shape (n,).
        draws: The same values measured again, of shape (draws, n); NaN where a draw has none. None where how
            well they were measured is not known.
        ceiling: Most that could be measured: a value there is a lower bound.
        left_out: Rows of the source without a date or a value.
    """

    name: str
    labels: tuple[str, ...]
    years: Array
    values: Array
    unit: str = ""
    draws: Array | None = field(default=None, repr=False)
    ceiling: float = np.inf
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.years)

    @property
    def bounded(self) -> Flags:
        """Which values are lower bounds only."""
        return np.asarray(self.values >= self.ceiling)

    def take(self, keep: NDArray[np.intp] | Flags) -> Series:
        """Some of the points."""
        rows = np.arange(len(self))[keep]
        return replace(
            self,
            labels=tuple(self.labels[row] for row in rows),
            years=self.years[rows],
            values=self.values[rows],
            draws=None if self.draws is None else self.draws[:, rows],
        )

    def between(self, since: object = None, until: object = None) -> Series:
        """The points of a window, both ends included.

        Args:
            since, until: Dates as `decimal_year` reads them; None for no limit.
        """
        first = -np.inf if since is None else decimal_year(since)
        last = np.inf if until is None else decimal_year(until)
        return self.take((self.years >= first - 1e-9) & (self.years <= last + 1e-9))

    def best(self, direction: Best = "highest") -> Series:
        """The points that were the best at their date: as high (or low) as all up to and on that day.

        A window is to be taken first, as published: what is best since 2023 need not beat 2022.

        Source:
            Kwa et al. 2025, arXiv:2503.14499, section 4.

        >>> given = Series(name="p50", labels=("a", "b", "c"), years=np.array([2020.0, 2021, 2022]),
        ...     values=np.array([1.0, 0.5, 2.0]))
        >>> given.best().labels
        ('a', 'c')
        """
        goodness = self.values if direction == "highest" else -self.values
        # Of points on one day only the best counts, so that their order in the table does not.
        on_or_before = np.searchsorted(self.years, self.years, side="right") - 1
        return self.take(goodness >= np.maximum.accumulate(goodness)[on_or_before])


def read_series(
    runs: Runs, value: str, *, date: str | None = None, label: str | None = None, unit: str = ""
) -> Series:
    """Dated values from a table.

    Rows without a date or a value are left out and counted.

    Args:
        value: The column of values above zero.
        date: The column of dates; date, release_date, released or year if not given.
        label: The column that names the points; model, agent, name, device, recipe or run_id if not given.

    Raises:
        MissingColumn: If there is none of them.
        InputError: If a value is not above zero, or a date cannot be read.
    """
    when = date or _first_of(runs, _DATES)
    runs.require(value, when)
    values, years = runs.column(value), decimal_years(runs.table[when], name=when)
    named = label or next((name for name in _LABELS if name in runs.table), None)
    labels = runs.table[named].astype(str).tolist() if named else [str(row + 1) for row in range(len(runs))]
    known = np.isfinite(values) & np.isfinite(years)
    _refuse_not_positive(values, known, value)
    return _ordered(value, labels, years, values, known, unit=unit)


def horizon_series(found: Horizons, share: float = 0.5) -> Series:
    """The horizons of the agents whose release is known, in minutes; the longest task is the ceiling.

    Args:
        share: 0.5 or 0.8.
    """
    if share not in found.draws:
        raise InputError(f"Horizons are known at {sorted(found.draws)}, not at {share}.")
    values = np.minimum(found.table[f"p{100 * share:g}"].to_numpy(np.float64), found.longest)
    years = found.table["year"].to_numpy(np.float64)
    drawn = found.draws[share]
    return _ordered(
        f"p{100 * share:g}",
        found.table["agent"].tolist(),
        years,
        values,
        np.isfinite(values) & np.isfinite(years),
        unit="min",
        draws=np.minimum(drawn, found.longest) if len(drawn) else None,
        ceiling=found.longest,
    )


def _ordered(
    name: str,
    labels: Sequence[str],
    years: Array,
    values: Array,
    known: Flags,
    *,
    unit: str,
    draws: Array | None = None,
    ceiling: float = np.inf,
) -> Series:
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(years[rows], kind="stable")]
    return Series(
        name=name,
        unit=unit,
        labels=tuple(labels[row] for row in rows.tolist()),
        years=years[rows],
        values=values[rows],
        draws=None if draws is None else draws[:, rows],
        ceiling=ceiling,
        left_out=int((~known).sum()),
    )


def _first_of(runs: Runs, names: Sequence[str]) -> str:
    for name in names:
        if name in runs.table:
            return name
    has = ", ".join(map(str, runs.table.columns))
    raise MissingColumn(f"{runs.source} has no date: none of {', '.join(names)}. It has: {has}. Name it.")


def _refuse_not_positive(values: Array, known: Flags, name: str) -> None:
    bad = np.flatnonzero(known & (values <= 0))
    if bad.size:
        raise InputError(
            f"Row {bad[0] + 1}: {name} is {values[bad[0]]:g}; a trend is drawn through values above "
            f'zero, in logarithms. Leave such rows out with where="{name} > 0".'
        )
