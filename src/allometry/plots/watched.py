"""Runs in the making against their bands: a control chart."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import marks
from allometry.plots.theme import BLUE, MUTED, ORANGE, counted, finish
from allometry.sweeps.watching import Watched

_TIPS = {
    "run_id": "run", "says": "says", "progress": "of its tokens", "loss": "loss", "expected": "expected",
    "low": "band from", "high": "to",
}  # fmt: skip
_UP = "distance from forecast (half widths of the band)"
_LEAST = 1.3  # half widths of the band that the chart shows at the least
_ROOM = 1.1


def watch_chart(watched: Watched) -> alt.LayerChart:
    """Each run's distance from its forecast, in half widths of its own band, by how far it has come.

    A run on forecast stays between -1 and 1.
    """
    table = _distances(watched)
    reach = _ROOM * float(np.nanmax([_LEAST, *table["distance"].abs()]))
    across = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("share:Q", title="share of the run's tokens", scale=alt.Scale(domain=[0, 1]), axis=across)
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    y, low = (alt.Y(f"{name}:Q", title=_UP, scale=scale) for name in ("distance", "low"))
    inside = pd.DataFrame({"share": [0.0, 1.0], "low": -1.0, "high": 1.0})
    kinds = alt.Scale(domain=["on forecast", "off"], range=[BLUE, ORANGE])
    colour = alt.Color("kind:N", scale=kinds, legend=alt.Legend(title=None))
    off = table.loc[table["kind"] == "off", "run_id"].nunique()
    return finish(
        [
            *marks.band(inside, x=x, low=low, high="high", color=MUTED),
            *marks.lines(table, x=x, y=y, detail="run_id", color=colour),
            *marks.dots(table, x=x, y=y, color=colour, tips=_TIPS),
        ],
        title=f"{off} of {counted(table['run_id'].nunique(), 'run')} off forecast",
        subtitle=[f"Against {watched.against}.", "Grey: the band of each run, brought to one width."],
        description=watched.summary(),
    )


def _distances(watched: Watched) -> pd.DataFrame:
    says = watched.runs.set_index("run_id")["says"]
    looks = watched.looks.dropna(subset=["expected"])
    middle = np.log(looks["expected"].astype(float))
    half = np.log(looks["high"].astype(float)) - middle
    said = looks["run_id"].map(says).astype(str)
    return looks.assign(
        distance=(np.log(looks["loss"].astype(float)) - middle) / half,
        says=said,
        kind=np.where(said == "on forecast", "on forecast", "off"),
        progress=looks["share"].map("{:.0%}".format),
    )
