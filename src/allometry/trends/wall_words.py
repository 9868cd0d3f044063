"""Walls in plain words, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from allometry.fitting.result import Finding, Severity, middle
from allometry.trends.dates import show_date

if TYPE_CHECKING:
    from allometry.trends.walls import Reached, Walls

_OPEN = 0.25  # share of draws in which no wall is reached that is worth a word
_FIRST = "first of all"


def first_words(made: Walls, way: Reached) -> str:
    """Doublings until the first wall, and which it is likely to be, if growth goes on in one way."""
    rows = {row["constraint"]: row for row in made.table.to_dict("records") if row["growth"] == way.growth}
    row = rows.pop(_FIRST)
    likely = max(rows.values(), key=lambda one: one["binds_first"])
    most = f"most often {likely['constraint']} ({likely['binds_first']:.0%})"
    if way is made.going_on:
        return (
            f"If compute grows on: {range_words(row, made.level)} more doublings to the first wall, {most}."
        )
    low, high = middle(way.in_all, made.level)
    ends = f"{_number(np.median(way.in_all))} ({100 * made.level:g}%: {_number(low)} to {_number(high)})"
    return (
        f"If it levels off: growth ends after {ends} more doublings; a wall comes before in "
        f"{row['binds_first']:.0%}, {most}."
    )


def range_words(row: dict[Any, Any], level: float) -> str:
    """Doublings with their interval.

    >>> range_words({"doublings": 8.24, "doublings_low": 5.0, "doublings_high": np.inf}, 0.9)
    '8.2 (90%: 5.0 to never)'
    """
    ends = f"{_number(row['doublings_low'])} to {_number(row['doublings_high'])}"
    return f"{_number(row['doublings'])} ({100 * level:g}%: {ends})"


def wall_words(row: dict[Any, Any], level: float) -> str:
    """One wall in one line."""
    never = f"; in {row['never']:.0%} of the draws it never is" if row["never"] >= 0.005 else ""
    return (
        f"{row['constraint']:12s} {range_words(row, level)} doublings, {_year(row['year'])} "
        f"({_year(row['year_low'])} to {_year(row['year_high'])}); first in {row['binds_first']:.0%}{never}"
    )


def summarise(made: Walls) -> str:
    """First wall, each wall, for each way to grow; the alternative; findings."""
    lines = [f"From {show_date(made.start)}:"]
    for way in made.ways:
        lines.append(first_words(made, way))
        rows = made.table[made.table["growth"] == way.growth].to_dict("records")
        lines += [f"  {wall_words(row, made.level)}." for row in rows if row["constraint"] != _FIRST]
    lines.append(made.alternative)
    return "\n".join([*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in made.findings)])


def walls_findings(made: Walls) -> Iterator[Finding]:
    """What is doubtful about walls."""
    yield from _no_history(made)
    yield from _never(made)
    yield from _before_the_wall(made)
    yield from _sources(made)


def _no_history(made: Walls) -> Iterator[Finding]:
    if made.levelling is None:
        yield Finding(
            code="no_alternative",
            severity=Severity.WARNING,
            sentence="Growth is taken to go on at a stated rate; that it levels off first was not looked at.",
            remedy="Give a history of compute of five points or more.",
        )


def _never(made: Walls) -> Iterator[Finding]:
    share = float(np.isinf(made.going_on.first_years).mean())
    if share > _OPEN:
        yield Finding(
            code="no_wall_in_sight",
            severity=Severity.NOTE,
            sentence=f"In {share:.0%} of the draws no wall is reached in 60 years.",
            evidence={"never": share},
            remedy="Bounds that grow as fast as use are no walls: look at their growth.",
        )


def _before_the_wall(made: Walls) -> Iterator[Finding]:
    if made.levelling is None:
        return
    share = float(np.isinf(made.levelling.first_years).mean())
    if share > _OPEN:
        yield Finding(
            code="growth_ends_first",
            severity=Severity.NOTE,
            sentence=f"Where growth levels off it ends before any wall in {share:.0%} of the draws.",
            evidence={"never": share},
            remedy="Walls are then not what limits it.",
        )


def _sources(made: Walls) -> Iterator[Finding]:
    unsourced = [one.name for one in made.constraints if not one.source]
    if unsourced:
        yield Finding(
            code="bounds_without_source",
            severity=Severity.NOTE,
            sentence=f"There is no source for {', '.join(unsourced)}.",
            evidence={"constraints": len(unsourced)},
            remedy="The answer is as good as the bounds: say where each comes from.",
        )


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "never"


def _year(year: float) -> str:
    return f"{year:.0f}" if np.isfinite(year) else "never"
