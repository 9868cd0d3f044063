"""Algorithmic progress: the months in which the compute for a loss halves, form by form and over all."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, INK, counted, finish
from allometry.trends.efficiency import Progress

_ALL = "all forms, by their weights"
_ROOM = 3.0  # times the last finite end that an interval without one is drawn to
_TIPS = {"label": "form", "value": "months", "low": "low", "high": "high", "error": "error held out"}


def halving_by_form(made: Progress) -> alt.LayerChart:
    """One row a form of the law: its halving time with the interval, and that of the mixture.

    An interval that touches the right edge has no end: in some draws the compute does not fall.
    """
    table = _rows(made)
    edge = float(table["high"].max())
    across = axes.log_axis("months", [*table["low"], edge], "months in which the compute for a loss halves")
    order = table["label"].tolist()
    up = alt.Y("label:N", sort=order, axis=alt.Axis(title=None, labelLimit=330, grid=False))
    mixed, forms = table[table["mixed"]], table[~table["mixed"]]
    seen = [part[np.isfinite(part["value"])] for part in (forms, mixed)]
    runs = len(next(iter(made.fits.values())).data)
    return finish(
        [
            *marks.bars(forms, x=across.x("low"), y=up, x2="high", color=BLUE, strokeWidth=5, opacity=0.45),
            *marks.bars(mixed, x=across.x("low"), y=up, x2="high", color=INK, strokeWidth=5, opacity=0.45),
            *marks.dots(seen[0], x=across.x("value"), y=up, color=BLUE, tips=_TIPS, size=110),
            *marks.dots(seen[1], x=across.x("value"), y=up, color=INK, tips=_TIPS, size=110),
        ],
        title="How fast the compute for a given loss falls",
        subtitle=[
            made.summary().splitlines()[0],
            f"{counted(runs, 'run')}. Bars: {100 * made.level:g}% interval{_endless(made)}.",
            f"In brackets: error on runs held out; of a law without progress {made.no_progress_error:.2%}.",
        ],
        description=made.summary().splitlines()[0],
    )  # fmt: skip


def _endless(made: Progress) -> str:
    ends = [made.halving_months.high, *made.table["high"]]
    return "" if np.isfinite(ends).all() else "; one that touches the right edge has no end"


def _rows(made: Progress) -> pd.DataFrame:
    """The mixture first, then forms by their weights; ends that are not there at the edge."""
    months = made.halving_months
    first = {"label": _ALL, "value": months.value, "low": months.low, "high": months.high, "mixed": True}
    forms = made.table.sort_values("weight", ascending=False, kind="stable").to_dict("records")
    others = [
        {
            "label": f"{row['form']}, weight {row['weight']:.0%} ({row['error']:.2%})",
            "value": row["halving_months"], "low": row["low"], "high": row["high"], "error": row["error"],
            "mixed": False,
        }
        for row in forms
    ]  # fmt: skip
    table = pd.DataFrame([first, *others])
    ends = table[["value", "low", "high"]].to_numpy(dtype=np.float64)
    edge = float(ends[np.isfinite(ends)].max(initial=1.0))
    if not np.isfinite(ends).all():
        edge *= _ROOM
    return table.assign(low=table["low"].clip(upper=edge), high=table["high"].clip(upper=edge))
