"""How many more doublings each wall leaves, if growth goes on and if it levels off."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, ORANGE, finish
from allometry.trends.dates import show_date
from allometry.trends.wall_words import first_words
from allometry.trends.walls import Walls

_ROOM = 1.15  # of the axis beyond the last finite end
_TIPS = {"label": "wall", "doublings": "doublings", "year": "year", "never": "never reached in"}


def doublings_to_walls(made: Walls) -> alt.LayerChart:
    """Each constraint's doublings of compute with its interval, and how often it comes first.

    A bar that ends at the right edge has no end: in those draws the wall is never reached.
    """
    table = _rows(made)
    order = table["label"].tolist()
    across = axes.Axis(
        scale=alt.Scale(domain=[0, _edge(made)], nice=False),
        axis=alt.Axis(title="more doublings of training compute", tickCount=10),
    )
    up = alt.Y(
        "label:N", sort=order, axis=alt.Axis(title=None, labelLimit=330, labelOverlap=False, grid=False)
    )
    ways = [way.growth for way in made.ways]
    scale = alt.Scale(domain=ways, range=[BLUE, ORANGE][: len(ways)])
    colour = alt.Color("growth:N", scale=scale, legend=alt.Legend(title="growth of compute"))
    reached = table[np.isfinite(table["doublings"])]
    return finish(
        [
            *marks.bars(
                table,
                x=across.x("doublings_low"),
                y=up,
                x2="doublings_high",
                color=colour,
                strokeWidth=5,
                opacity=0.45,
            ),
            *marks.dots(reached, x=across.x("doublings"), y=up, color=colour, tips=_TIPS, size=110),
        ],
        title=f"How far compute can grow from {show_date(made.start)}",
        subtitle=[
            *(first_words(made, way) for way in made.ways),
            made.alternative.split(" By forecasts")[0],
            f"Bars: {100 * made.level:g}% interval; one that touches the right edge has no end.",
        ],
        description=made.summary(),
    )


def _rows(made: Walls) -> pd.DataFrame:
    """One row a bar: walls in the order of how often they come first, ways side by side."""
    table, edge = made.table, _edge(made)
    first = table.groupby("constraint")["binds_first"].max().drop("first of all")
    place = {name: rank for rank, name in enumerate(first.sort_values(ascending=False).index)}
    table = table.assign(place=table["constraint"].map(place).fillna(-1)).sort_values("place", kind="stable")
    said = [
        f"{row['constraint']}, {row['growth']}"
        + ("" if row["place"] < 0 else f" (first in {row['binds_first']:.0%})")
        for row in table.to_dict("records")
    ]
    return table.assign(
        label=said,
        doublings_low=table["doublings_low"].clip(upper=edge),
        doublings_high=table["doublings_high"].clip(upper=edge),
    )


def _edge(made: Walls) -> float:
    """Right end of the axis: somewhat beyond the last finite number."""
    numbers = made.table[["doublings", "doublings_low", "doublings_high"]].to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    return float(finite.max() * _ROOM) if finite.size and finite.max() > 0 else 1.0
