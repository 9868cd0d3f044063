"""The parts of a report on trends: a dated series with its outlook, and algorithmic progress."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from allometry import plots
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import MISSING, interval, percent, places, short
from allometry.report.section import Section
from allometry.report.tables import Table, as_link, number, words
from allometry.trends.account import TrendAccount
from allometry.trends.dates import show_date
from allometry.trends.efficiency import Progress
from allometry.trends.horizon_findings import PENALTIES
from allometry.trends.outlook_words import backtest_words, forms_words, outlook_words
from allometry.trends.trend_words import penalties_words, trend_words, windows_words


def trend_section(made: TrendAccount, place: int) -> Section:
    """One series: its trend, what windows and forms say next, and the horizons it was measured by.

    Args:
        place: Of this series among those of the report, from 1.
    """
    asked = [one.summary() for one in made.forecasts] + [one.summary() for one in made.crossings]
    return Section(
        slug=f"trend-{place}",
        title=f"{made.series.name.replace('_', ' ')} over the calendar",
        sentences=(trend_words(made.trend), outlook_words(made.outlook), *asked),
        notes=tuple(_notes(made)),
        figures=tuple(_figures(made)),
        tables=tuple(_tables(made)),
        findings=made.findings,
    )


def _notes(made: TrendAccount) -> Iterator[str]:
    yield windows_words(made.trend)
    if made.by_penalty:
        yield penalties_words(made.by_penalty)
    yield forms_words(made.outlook)
    yield backtest_words(made.outlook)


def progress_section(made: Progress, place: int) -> Section:
    """Algorithmic progress: the halving time over forms, and each form.

    Args:
        place: Among those of the report, from 1.
    """
    headers = (
        words("form"), number("halving time", "month"), number(f"{100 * made.level:g}% interval", "month"),
        number("error", "%, root mean square"), number("weight"),
    )  # fmt: skip
    rows = tuple(
        (
            row["form"], short(row["halving_months"]), _months(row["low"], row["high"]),
            places(100 * row["error"], 2), places(row["weight"], 2),
        )
        for row in made.table.to_dict("records")
    )  # fmt: skip
    note = f"Error: of runs held out. A law without progress: {percent(made.no_progress_error)}."
    return Section(
        slug=f"progress-{place}",
        title="Algorithmic progress",
        sentences=(made.summary().splitlines()[0],),
        notes=("The time for the same loss at less compute, not the yearly gain of the largest models.",),
        figures=(as_figure(plots.halving_by_form(made)),),
        tables=(Table(title="Forms", headers=headers, rows=rows, note=note),),
        findings=made.findings,
    )


def _months(low: float, high: float) -> str:
    return (
        f"{short(low)} to {short(high) if math.isfinite(high) else 'no end'}"
        if math.isfinite(low)
        else MISSING
    )


def _figures(made: TrendAccount) -> Iterator[Figure]:
    if made.horizons is not None:
        yield as_figure(plots.horizons_over_time(made.horizons, made.trend))
    yield as_figure(plots.outlook_chart(made.outlook))
    yield as_figure(plots.trend_chart(made.trend))


def _tables(made: TrendAccount) -> Iterator[Table]:
    yield _parts_table(made)
    if made.horizons is not None:
        yield _horizons_table(made)
        yield _penalties_table(made)


def _parts_table(made: TrendAccount) -> Table:
    headers = (
        words("form"), words("since"), number("points"), number("weight"),
        number("error (CRPS)", "doublings"), number("days to double", "day"),
    )  # fmt: skip
    rows = tuple(_part_row(row) for row in made.outlook.table.to_dict("records"))
    note = "Below zero: days to halve. Error: of later points that were forecast from earlier ones."
    return Table(title="Windows and forms", headers=headers, rows=rows, note=note)


def _part_row(row: Mapping[Any, Any]) -> tuple[str, ...]:
    scored = places(row["crps"], 2) if row["crps"] == row["crps"] else MISSING
    return (
        row["form"], show_date(row["since"]), str(row["points"]), places(row["weight"], 2), scored,
        places(row["doubling_days"], 0),
    )  # fmt: skip


def _horizons_table(made: TrendAccount) -> Table:
    found = made.horizons
    assert found is not None
    headers = (
        words("agent"), words("released"), number("tasks"), number("runs"), number("p50", "min"),
        number(f"{100 * found.level:g}% interval", "min"), number("p80", "min"), words("status"),
    )  # fmt: skip
    rows = tuple(
        (
            row["agent"], show_date(row["year"]) if row["year"] == row["year"] else MISSING,
            str(row["tasks"]), str(row["runs"]), short(row["p50"]),
            interval(row["p50_low"], row["p50_high"], short), short(row["p80"]), row["status"],
        )
        for row in found.table.to_dict("records")
    )  # fmt: skip
    note = f"Status: whether p50 lies within the tasks, or above or below them. Penalty: {found.penalty}."
    return Table(
        title="Time horizons", headers=headers, rows=rows, note=note, download=as_link(found.table),
        file="horizons.csv",
    )  # fmt: skip


def _penalties_table(made: TrendAccount) -> Table:
    found = made.horizons
    assert found is not None
    names = [(share, name) for share in ("p50", "p80") for name in PENALTIES]
    headers = (words("agent"), *(number(f"{share}, {name}", "min") for share, name in names))
    rows = tuple(
        (row["agent"], *(short(row[f"{share}_{name}"]) for share, name in names))
        for row in found.penalties.to_dict("records")
    )
    note = "The published penalty flattens curves; without one there is none where lengths do not overlap."
    return Table(
        title="Time horizons by penalty", headers=headers, rows=rows, note=note,
        download=as_link(found.penalties), file="horizons-by-penalty.csv",
    )  # fmt: skip
