"""The foldable part of a report under each fit: what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from allometry import plots
from allometry.errors import FitError
from allometry.fitting import Fit
from allometry.fitting import sensitivity as refits
from allometry.fitting.wording import coefficient_unit
from allometry.plots.sensitivity import choice_words, floor_words, most_moved, own_interval, place_words
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import change, coefficient, interval, places
from allometry.report.section import Section
from allometry.report.tables import Header, Table, as_link, number, words

_FLOORS = 121  # so many that the edges of the shaded regions are sharp
_MOVERS = 5
_MOST_RUNS = 2000  # beyond these, leaving each out takes memory as their square
_HEADERS = {"left_out": "runs left out", "convention": "counting"}
LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class _Refits:
    """A fit made again with one choice changed at a time; a table without rows could not be made."""

    fit: Fit
    floors: pd.DataFrame
    objectives: pd.DataFrame
    conventions: pd.DataFrame
    without_one: pd.DataFrame
    without_worst: pd.DataFrame


def sensitivity_section(fit: Fit, place: int) -> Section:
    """The fit under other floors, objectives and ways of counting, and without single runs.

    Args:
        place: Of the fit among those of the report, from 1.
    """
    made = _refitted(fit)
    return Section(
        slug=f"change-{place}",
        title="What would change the answer",
        sentences=tuple(_sentences(made)),
        figures=tuple(_figures(made)),
        tables=tuple(_tables(made)),
    )


def choices_table(fit: Fit, table: pd.DataFrame, title: str, note: str) -> Table:
    """One row a choice: the open coefficients and the forecast."""
    choice = str(table.columns[0])
    headers = (words(_HEADERS.get(choice, choice)), *_numbers(fit))
    rows = tuple((choice_words(str(row[choice])), *_cells(fit, row)) for row in table.to_dict("records"))
    return Table(title=title, headers=headers, rows=rows, note=note)


def movers_table(made: Fit, table: pd.DataFrame, name: str) -> Table:
    """The runs that move a coefficient most when each is left out."""
    shift = np.abs(table[name] / made.coefficients[name] - 1)
    largest = table.assign(shift=table[name] / made.coefficients[name] - 1).loc[
        shift.sort_values(ascending=False, kind="stable").index[:_MOVERS]
    ]
    headers = (words("without run"), number(f"change of {name}", "%"), *_numbers(made))
    rows = tuple(
        (str(row["run"]), change(row["shift"]), *_cells(made, row)) for row in largest.to_dict("records")
    )
    return Table(
        title=f"Runs that move {name} most", headers=headers, rows=rows,
        note=f"The {len(rows)} largest of {len(table)}; the file holds all.",
        download=as_link(table), file="without_one_run.csv",
    )  # fmt: skip


def _refitted(fit: Fit) -> _Refits:
    nothing = pd.DataFrame()
    spare = len(fit.data) - len(fit.open)
    floors = "E" in fit.open and spare > 0 and fit.objective != "lower_envelope"
    return _Refits(
        fit=fit,
        floors=refits.by_floor(fit, points=_FLOORS) if floors else nothing,
        objectives=_by_objective(fit),
        conventions=refits.by_convention(fit),
        without_one=refits.influence(fit) if spare > 1 and len(fit.data) <= _MOST_RUNS else nothing,
        without_worst=refits.without_worst(fit) if spare > 2 else nothing,
    )


def _by_objective(fit: Fit) -> pd.DataFrame:
    try:
        return refits.by_objective(fit)
    except FitError:  # a law that another objective cannot be fitted with
        return pd.DataFrame()


def _sentences(made: _Refits) -> Iterator[str]:
    fit = made.fit
    value = float(fit.law.evaluate(refits.ahead(fit), fit.coefficients))
    low, high = own_interval(fit, "forecast", None, LEVEL)
    own = f"{100 * LEVEL:g}%: {interval(low, high)}" if low == low else "no interval: no draws"
    yield (
        f"{place_words(fit)}, {_how_far(fit)}, the law gives "
        f"{places(value)} {fit.unit} ({own}, without the noise of a single run). Below, one choice at a time "
        "is changed and everything else is fitted again."
    )
    if len(made.floors):
        yield floor_words(fit, made.floors)


def _how_far(fit: Fit) -> str:
    columns = list(fit.inputs.values())
    if len(columns) == 1 and columns != ["flops"]:
        return f"{refits.AHEAD:g} times the largest"
    return f"{refits.AHEAD:g} times the compute of the largest run"


def _figures(made: _Refits) -> Iterator[Figure]:
    fit = made.fit
    if len(made.floors):
        yield as_figure(plots.forecast_by_floor(fit, made.floors))
    if len(made.objectives) > 1:
        yield as_figure(plots.by_choice(fit, made.objectives), small=True)
    if len(made.conventions) > 1:
        moved = most_moved(fit, made.conventions)
        yield as_figure(plots.by_choice(fit, made.conventions, moved), small=True)
    if len(made.without_one):
        yield as_figure(plots.shift_by_run(fit, made.without_one), small=True)


def _tables(made: _Refits) -> Iterator[Table]:
    fit = made.fit
    if len(made.objectives) > 1:
        note = (
            "Huber's penalty is square within delta of the law (on the scale of the fit) and linear beyond."
        )
        yield choices_table(fit, made.objectives, "By objective", note)
    if len(made.conventions) > 1:
        note = "The forecast is for the largest run of each count at ten times its compute."
        yield choices_table(fit, made.conventions, "By way of counting", note)
    if len(made.without_one):
        yield movers_table(fit, made.without_one, most_moved(fit, made.without_one))
    if len(made.without_worst) > 1:
        left = made.without_worst
        table = left[["left_out", *(name for name in left.columns if name != "left_out")]]
        yield choices_table(fit, table, "Without the runs that lie furthest from the law", "")


def _numbers(fit: Fit) -> tuple[Header, ...]:
    units = {c.name: coefficient_unit(fit, c.unit) for c in fit.law.coefficients}
    return (number("forecast", fit.unit), *(number(name, units[name]) for name in fit.open))


def _cells(fit: Fit, row: Mapping[Any, Any]) -> tuple[str, ...]:
    return (places(row["forecast"]), *(coefficient(row[name]) for name in fit.open))
