"""The part of a report on scores of tasks, forecast through the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allometry.capabilities.chain_recipes import TaskForecasts
from allometry.capabilities.chain_verdict import RULE
from allometry.plots.chains import task_forecasts
from allometry.report.figure import as_figure
from allometry.report.numbers import interval, places
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words


def chain_section(made: TaskForecasts, place: int) -> Section:
    """Forecasts with both baselines, the rule's numbers, and the ranking of recipes.

    Args:
        place: Of these forecasts among those of the report, from 1.
    """
    return Section(
        slug=f"tasks-{place}",
        title="Scores of tasks, forecast through the loss",
        sentences=tuple(_sentences(made)),
        notes=(f"The rule. {RULE}",),
        figures=(as_figure(task_forecasts(made)),),
        tables=(forecasts_table(made), *([ranking_table(made)] if made.by else [])),
    )


def forecasts_table(made: TaskForecasts) -> Table:
    """One row a recipe and task."""
    level = f"{100 * made.level:g}% interval"
    headers = (
        words("task"), words("rule says"), number("through the loss"), number(level), number("by compute"),
        number(level), number("largest run"), number("step one's part", "%"), words("because"),
    )  # fmt: skip
    rows = tuple(_row(row, made.by) for row in made.table.to_dict("records"))
    note = (
        "By compute: the direct law, a sigmoid in log compute. Largest run: its score, unchanged. Step one's "
        "part: of the squared width of the interval, what comes from the loss."
    )
    return Table(title="Forecasts by task", headers=headers, rows=rows, note=note,
                 download=as_link(made.table), file="tasks.csv")  # fmt: skip


def ranking_table(made: TaskForecasts) -> Table:
    """One row a task and recipe: places by the single scale and by the forecast."""
    headers = (
        words("task"), words("recipe"), number("score at the shared scale"), number("place by it"),
        number("forecast"), number("place by it"),
    )  # fmt: skip
    rows = tuple(
        (
            str(row["task"]), str(row["recipe"]), places(row["single_scale"], 3),
            places(row["place_by_single_scale"], 0), places(row["forecast"], 3),
            places(row["place_by_forecast"], 0),
        )
        for row in made.ranking.to_dict("records")
    )  # fmt: skip
    note = "Ranking at a single small scale is hard to beat: trust the forecast where it was tested."
    return Table(title="Recipes ranked", headers=headers, rows=rows, note=note)


def _sentences(made: TaskForecasts) -> Iterator[str]:
    for says, group in made.table.groupby("says", sort=False):
        names = ", ".join(_name(row, made.by) for row in group.to_dict("records"))
        yield f"{str(says).capitalize()}: {names}."
    if not made.by:
        yield "The runs are of one recipe, so ranking recipes at a single scale has nothing to rank."


def _name(row: Mapping[Any, Any], by: str) -> str:
    return f"{row['recipe']}, {row['task']}" if by else str(row["task"])


def _row(row: Mapping[Any, Any], by: str) -> tuple[str, ...]:
    ends = [interval(row[low], row[high], lambda v: places(v, 3)) for low, high in _ENDS]
    return (
        _name(row, by), str(row["says"]), places(row["forecast"], 3), ends[0], places(row["direct"], 3),
        ends[1], places(row["largest"], 3), places(100 * row["step_one"], 0),
        str(row["declined"] or row["because"]),
    )  # fmt: skip


_ENDS = (("low", "high"), ("direct_low", "direct_high"))
