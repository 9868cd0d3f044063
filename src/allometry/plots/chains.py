"""Scores of tasks as forecast for one new run: through the loss, by compute alone, and unchanged."""

from __future__ import annotations

import altair as alt
import pandas as pd

from allometry.capabilities.chain_recipes import TaskForecasts
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, MUTED, ORANGE, counted, finish
from allometry.units import show_count

_SERIES = ("through the loss", "direct, without the loss", "largest run, unchanged")
_STEP = 0.24  # between the series of one task, in rows


def task_forecasts(made: TaskForecasts) -> alt.LayerChart:
    """One row a task: the chain and the direct law with intervals, and the largest small run's score.

    Declined tasks show what was measured alone.
    """
    names = _names(made)
    dots = _dots(made.table, names)
    across = axes.plain_axis([*dots["x"], *dots["low"].dropna(), *dots["high"].dropna()], "score (share)")
    labels = " : ".join(f"datum.value == {-row} ? '{name}'" for row, name in enumerate(names))
    rows = alt.Y(
        "row:Q",
        scale=alt.Scale(domain=[0.6 - len(names), 0.6], nice=False),
        axis=alt.Axis(
            title=None, values=[-row for row in range(len(names))], labelExpr=f"{labels} : ''", grid=False,
            labelLimit=240,
        ),
    )  # fmt: skip
    scale = alt.Scale(domain=list(_SERIES), range=[BLUE, ORANGE, MUTED])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    tips = {"task": "task", "series": "by", "x": "score", "low": "low", "high": "high", "says": "rule"}
    ranged = dots.dropna(subset=["low"])
    place = ", ".join(f"{show_count(value)} {name}" for name, value in made.inputs.items())
    return finish(
        [
            *_bars(ranged, across.x("low"), rows, colour),
            *marks.dots(dots, x=across.x(), y=rows, color=colour, tips=tips),
        ],
        title=f"Scores of {counted(len(names), 'task')} at {place}",
        subtitle=[
            f"Bars: {100 * made.level:g}% of the scores that a new run may have.",
            "In brackets: what the rule says. A task at chance has no forecast.",
        ],
        description=f"Forecasts of {counted(len(names), 'task')} by three ways, with intervals.",
    )


def _names(made: TaskForecasts) -> list[str]:
    rows = made.table.to_dict("records")
    recipes = [f"{row['recipe']}, " if made.by else "" for row in rows]
    return [f"{recipe}{row['task']} ({row['says']})" for recipe, row in zip(recipes, rows, strict=True)]


def _dots(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    columns = (("forecast", "low", "high"), ("direct", "direct_low", "direct_high"), ("largest", "", ""))
    parts = []
    for place, (series, (value, low, high)) in enumerate(zip(_SERIES, columns, strict=True)):
        parts.append(
            pd.DataFrame({
                "task": names, "series": series, "says": table["says"], "x": table[value],
                "low": table[low] if low else float("nan"), "high": table[high] if high else float("nan"),
                "row": [_STEP * (1 - place) - row for row in range(len(table))],
            })
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True).dropna(subset=["x"])


def _bars(ranged: pd.DataFrame, x: alt.X, y: alt.Y, colour: alt.Color) -> marks.Layers:
    if ranged.empty:
        return []
    (layer,) = marks.bars(ranged, x=x, x2="high", y=y)
    layer.encoding.color = colour
    return [layer]
