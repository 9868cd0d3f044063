"""A design before it runs: sizes and tokens, on lines of equal compute."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, FAINT, GREEN, MUTED, ORANGE, counted, finish, rows
from allometry.sweeps.estimates import Estimate
from allometry.units import show_power

_TIPS = {
    "run_id": "run", "series": "kind", "params": "parameters", "tokens": "tokens", "flops": "compute (FLOP)",
    "own_flops": "of which its own (FLOP)", "hours": "hours", "usd": "USD",
}  # fmt: skip
_WORDS = {"learning_rate_check": "rate check", "iso_flop": "IsoFLOP run", "ladder": "branch"}
_COLOURS = (BLUE, ORANGE, GREEN, MUTED)
_MOST_LINES = 8
_ROOM = 1.25
_POINTS, _LABEL_AT = 21, 3
Ends = tuple[float, float]


def planned_runs(estimate: Estimate) -> alt.LayerChart:
    """Every run of a design by its size and its tokens, with lines of equal compute.

    Args:
        estimate: Of `allometry.sweeps.estimates.estimate`.
    """
    runs = estimate.runs.assign(series=[_WORDS.get(kind, kind) for kind in estimate.runs["design"]])
    params, tokens = _ends(runs["params"]), _ends(runs["tokens"])
    across = axes.log_axis("params", params, axes.title("params"), pad=0)
    up = axes.log_axis("tokens", tokens, axes.title("tokens"), pad=0)
    lines = _equal_compute(params, tokens)
    kinds = list(dict.fromkeys(runs["series"]))
    scale = alt.Scale(domain=kinds, range=[_COLOURS[i % len(_COLOURS)] for i in range(len(kinds))])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    return finish(
        [
            *marks.lines(lines, x=across.x(), y=up.y(), color=FAINT, detail="series"),
            *_labels(lines, across.x(), up.y()),
            *marks.dots(runs, x=across.x("params"), y=up.y("tokens"), color=colour, tips=_TIPS),
        ],
        title=f"{counted(len(runs), 'run')} of {show_power(runs['own_flops'].sum())} FLOP together",
        subtitle=[estimate.describe().splitlines()[0], "Grey lines: equal compute, 6 · parameters · tokens."],
        description=f"Planned runs by parameters and tokens. {estimate.describe()}",
    )


def _ends(values: pd.Series) -> Ends:
    return float(values.min()) / _ROOM, float(values.max()) * _ROOM


def _equal_compute(params: Ends, tokens: Ends) -> pd.DataFrame:
    """Lines of equal compute from edge to edge of the chart."""
    budgets = axes.ticks(6 * params[0] * tokens[0], 6 * params[1] * tokens[1], _MOST_LINES)
    points = []
    for budget in budgets:
        first = max(params[0], budget / 6 / tokens[1])
        last = min(params[1], budget / 6 / tokens[0])
        points += [
            {"series": f"{show_power(budget)} FLOP", "x": n, "value": budget / 6 / n}
            for n in np.geomspace(first, last, _POINTS).tolist()
        ]
    return pd.DataFrame(points, columns=["series", "x", "value"])


def _labels(lines: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The compute of each line, beside a point some way along it."""
    places = lines.iloc[_LABEL_AT::_POINTS]
    text = alt.Chart(rows(places)).mark_text(align="left", dx=5, dy=-5, color=MUTED, fontSize=11.5)
    return [text.encode(x=x, y=y, text="series:N")]
