"""How fast the inputs of training grow, each against its own beginning, so that they share one axis."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, ORANGE, counted, finish
from allometry.plots.trends import series_rows, year_axis
from allometry.trends.account import TrendAccount
from allometry.trends.dates import show_date
from allometry.trends.inputs import Inputs

_COLOURS = [BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#882255"]
_TIPS = {"label": "model", "when": "date", "measured": "value", "value": "against the line at the start"}
_CROWD = 100  # points beyond which dots are small and let others show through


def growth_of_inputs(made: Inputs, *, most: int = len(_COLOURS)) -> alt.LayerChart:
    """The models' inputs and the line of each, both over that line's value at its first date.

    Args:
        most: Inputs that are shown, the first ones; more colours cannot be told apart.
    """
    shown = dict(list(made.accounts.items())[:most])
    names = {name: _said(made, name) for name in shown}
    points = pd.concat([_points(one, names[name]) for name, one in shown.items()], ignore_index=True)
    lines = pd.concat([_line(one, names[name]) for name, one in shown.items()], ignore_index=True)
    across = year_axis(float(points["x"].min()), float(points["x"].max()))
    begin = show_date(float(points["x"].min())) if len(shown) == 1 else "its first date"
    up = axes.log_axis("flops", [*points["value"], *lines["value"]], f"times the line at {begin}").y()
    said = list(names.values())
    legend = alt.Legend(title="input, and its growth a year", columns=1, labelLimit=600)
    colour = alt.Color("series:N", scale=alt.Scale(domain=said, range=_COLOURS[: len(said)]), legend=legend)
    look = {"size": 25, "opacity": 0.45} if len(points) > _CROWD else {"size": 60}
    hidden = len(made.accounts) - len(shown)
    return finish(
        [
            *marks.dots(points, x=across, y=up, color=colour, tips=_TIPS, **look),
            *marks.lines(lines, x=across, y=up, color=colour, strokeWidth=2.8),
        ],
        title="How fast the inputs of training grow",
        subtitle=[
            f"Dots: models. Brackets: {100 * made.level:g}% interval of the line's growth.",
            "Whether growth levels off, a line does not show: the words say how well that fits.",
            f"{counted(hidden, 'more input')} left out of the picture." if hidden else "",
        ],
        description="; ".join(said),
    )


def _said(made: Inputs, name: str) -> str:
    row = made.table.set_index("input").loc[name]
    ends = f"{row['low']:.3g} to {row['high']:.3g}"
    return f"{axes.words(name)}: {row['factor']:.3g} times ({ends}), n = {row['points']:.0f}"


def _points(one: TrendAccount, said: str) -> pd.DataFrame:
    rows = series_rows(one.series).rename(columns={"value": "measured"})
    return rows.assign(series=said, value=rows["measured"] / _begin(one))


def _line(one: TrendAccount, said: str) -> pd.DataFrame:
    years = one.series.years[[0, -1]]
    return pd.DataFrame({"series": said, "x": years, "value": one.trend.line(years) / _begin(one)})


def _begin(one: TrendAccount) -> float:
    """Value of the line at the first date."""
    return float(one.trend.line(np.asarray(one.series.years[:1]))[0])
