"""Scores along any axis, with the curve and end of each recipe; and what pre-training is worth in data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from allometry.capabilities.along import ScoresAlong
from allometry.capabilities.transfer_law import TransferLaw
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, ORANGE, counted, finish, sizes_colour
from allometry.units import show_count

_COLOURS = [BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#882255"]
_POINTS = 80
_AHEAD = 3.0  # times the largest x that curves are drawn to, unless a place is asked for
_LARGE = 1e5  # from here on x is written as a power of ten
_NEW = {"series": "recipe", "x": "at", "value": "forecast", "low": "low", "high": "high"}


def scores_along_axis(made: ScoresAlong, *, most: int = len(_COLOURS)) -> alt.LayerChart:
    """The measured scores and the curve of each recipe, drawn on to where it ends.

    Args:
        most: Recipes that are shown, the first ones; more colours cannot be told apart.
    """
    rows = made.table.head(most).to_dict("records")
    names = {row["recipe"]: _ended(row, made.level) for row in rows}
    points = pd.concat([_points(made, row["recipe"], names) for row in rows], ignore_index=True)
    last = made.at if np.isfinite(made.at) else _AHEAD * float(points["x"].max())
    curves = pd.concat([_curve(made, row["recipe"], names, last) for row in rows], ignore_index=True)
    across = _across(made.x, [*points["x"], last])
    up = axes.plain_axis([0.0, *points["value"], *curves["high"]], f"{axes.words(made.score)} (share)")
    said = list(names.values())
    legend = alt.Legend(title="recipe, and where its curve ends", columns=2, labelLimit=330)
    scale = alt.Scale(domain=said, range=_COLOURS[: len(said)])
    colour = alt.Color("series:N", scale=scale, sort=said, legend=legend)
    new = _asked(made, names)
    tips = {"x": made.x, "value": made.score}
    hidden = len(made.table) - len(rows)
    return finish(
        [
            *marks.band(curves, x=across, low=up.y("low"), high="high", color=colour),
            *marks.lines(curves, x=across, y=up.y(), color=colour),
            *marks.dots(points, x=across, y=up.y(), color=colour, size=50, tips=tips),
            *marks.bars(new, x=across, y=up.y("low"), y2="high", color=colour, strokeWidth=2.5),
            *marks.rings(new, x=across, y=up.y(), color=colour, tips=_NEW),
        ],
        title=f"{made.score.replace('_', ' ').capitalize()} along {axes.words(made.x)}",
        subtitle=[
            f"Dots: measured. Shaded: {100 * made.level:g}% interval of the curve.",
            f"Rings: a new measurement at {made.at:.3g}, {100 * made.level:g}% interval." if len(new) else "",
            f"{counted(hidden, 'more recipe')} left out of the picture." if hidden else "",
        ],
        description=" ".join(made.words(row) for row in rows),
    )  # fmt: skip


def data_transferred(made: TransferLaw) -> alt.LayerChart:
    """What pre-training is worth, against the data that was fine-tuned on, size by size, with the law."""
    known = made.table[made.table["transferred"] > 0].sort_values("params")
    labels = [show_count(size) for size in sorted(known["params"].unique())]
    points = known.assign(
        series=[show_count(size) for size in known["params"]],
        x=known["finetuned"],
        value=known["transferred"],
        low=known["low"].where(known["low"] > 0),
    )
    lines = pd.concat([_law(made, size, points) for size in known["params"].unique()], ignore_index=True)
    across = axes.log_axis("tokens", points["x"], f"{axes.words(made.finetuned)} D_F").x()
    ends = [*points["low"].dropna(), *points["high"].dropna(), *lines["value"]]
    up = axes.log_axis("tokens", ends, "effective data transferred D_T")
    colour = sizes_colour(labels, "parameters")
    ranged = points.dropna(subset=["low", "high"])
    tips = {"series": "parameters", "x": "fine-tuned on", "value": "transferred", "multiplier": "times"}
    law = (
        f"D_T = {made.k.value:.3g} · D_F^{made.alpha.value:.2f} · N^{made.beta.value:.2f}; "
        f"alpha {100 * made.level:g}%: {made.alpha.low:.2f} to {made.alpha.high:.2f}, "
        f"beta: {made.beta.low:.2f} to {made.beta.high:.2f}"
    )
    return finish(
        [
            *marks.lines(lines, x=across, y=up.y(), color=colour),
            *marks.bars(ranged, x=across, y=up.y("low"), y2="high", color=colour, strokeWidth=1.6),
            *marks.dots(points, x=across, y=up.y(), color=colour, tips=tips),
        ],
        title="What pre-training is worth in data of the fine-tuning",
        subtitle=[
            law,
            f"{counted(len(points), 'fine-tuned run')}; bars: {100 * made.level:g}% of curves from scratch.",
        ],
        description=made.summary().splitlines()[0],
    )


def _across(column: str, values: list[float]) -> alt.X:
    known = {"params", "tokens", "unique_tokens", "flops"}
    like = column if column in known else "flops" if max(values) >= _LARGE else column
    return axes.log_axis(like, values, axes.title(column), most=7).x()


def _ended(row: Mapping[Any, Any], level: float) -> str:
    ends = f"{100 * level:g}%: {row['end_low']:.2f} to {row['end_high']:.2f}"
    return f"{row['recipe']}: {row['end']:.2f} ({ends})"


def _points(made: ScoresAlong, recipe: str, names: Mapping[str, str]) -> pd.DataFrame:
    data = made.fits[recipe].data
    return pd.DataFrame({"series": names[recipe], "x": data.inputs["x"], "value": data.output})


def _curve(made: ScoresAlong, recipe: str, names: Mapping[str, str], last: float) -> pd.DataFrame:
    first = float(made.fits[recipe].data.inputs["x"].min())
    x = np.geomspace(first, max(last, first), _POINTS)
    value, low, high = made.curve(recipe, x)
    shade = {"low": np.clip(low, 0, 1), "high": np.clip(high, 0, 1)}
    return pd.DataFrame({"series": names[recipe], "x": x, "value": value, **shade})


def _asked(made: ScoresAlong, names: Mapping[str, str]) -> pd.DataFrame:
    if not np.isfinite(made.at):
        return pd.DataFrame({"series": [], "x": [], "value": [], "low": [], "high": []})
    shown = made.table[made.table["recipe"].isin(names)]
    return pd.DataFrame({
        "series": shown["recipe"].map(names), "x": made.at, "value": shown["forecast"], "low": shown["low"],
        "high": shown["high"],
    })  # fmt: skip


def _law(made: TransferLaw, size: float, points: pd.DataFrame) -> pd.DataFrame:
    ends = np.array([points["x"].min(), points["x"].max()])
    return pd.DataFrame({"series": show_count(size), "x": ends, "value": made.worth(size, ends)})
