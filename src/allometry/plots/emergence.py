"""Emergence of one capability: the score, a continuous metric, p to the length, the floor and the onset."""

from __future__ import annotations

import math
from collections.abc import Iterator

import altair as alt
import numpy as np
import pandas as pd

from allometry.capabilities.emergence import Emergence
from allometry.capabilities.emergence.result import onset_in_words
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, counted, finish

_POINTS = 160
_BINS = 60
_FOOT = 0.12  # height of the tallest bin


def emergence_chart(found: Emergence) -> alt.LayerChart:
    """The score and its law, the continuous metric and its law, and where the threshold is crossed."""
    points = found.points.rename(columns={"scale": "x"})
    across = axes.log_axis(found.scale, points["x"], axes.title(found.scale))
    up = axes.plain_axis([0.0, 1.0], "share")
    colour = _colour(found)
    dots = pd.concat(_dots(found, points), ignore_index=True)
    tips = {"series": "series", "x": found.scale, "value": "share"}
    return finish(
        [
            *_floor(found, points, across, up),
            *marks.lines(_curves(found), x=across.x(), y=up.y(), color=colour, strokeWidth=2.5),
            *marks.bars(points.dropna(subset=["low"]), x=across.x(), y=up.y("low"), y2="high", color=BLUE,
                        strokeWidth=1.4),
            *marks.dots(dots, x=across.x(), y=up.y(), color=colour, tips=tips, size=55),
            *_onset(found, across, up),
        ],
        title=f"{found.skill.score}: {found.verdict.value}",
        subtitle=list(_subtitle(found)),
        description=f"{found.skill.score} against {found.scale}: {found.verdict.value}, {found.because}.",
    )  # fmt: skip


def _names(found: Emergence) -> dict[str, str]:
    """The series there are, each with its colour."""
    names = {found.skill.score: BLUE}
    if found.steps.continuous is not None:
        names[_metric(found)] = ORANGE
    if found.steps.length is not None:
        names[_power(found)] = GREEN
    return names


def _metric(found: Emergence) -> str:
    return f"{found.skill.continuous}{' (turned: 1 - metric)' if found.turned else ''}"


def _power(found: Emergence) -> str:
    return f"smooth law to the power {found.skill.length:g}"


def _colour(found: Emergence) -> alt.Color:
    names = _names(found)
    scale = alt.Scale(domain=list(names), range=list(names.values()))
    return alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))


def _dots(found: Emergence, points: pd.DataFrame) -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"series": found.skill.score, "x": points["x"], "value": points["score"]})
    if "continuous" in points:
        yield pd.DataFrame({"series": _metric(found), "x": points["x"], "value": points["continuous"]})


def _curves(found: Emergence) -> pd.DataFrame:
    """The law of the score where there is no better explanation, and those of the continuous metric."""
    data = found.points["scale"]
    x = np.geomspace(data.min(), data.max(), _POINTS)
    t = np.log(x) - np.log(data).mean()
    beneath = found.steps.continuous
    made = {}
    if found.steps.length is None:
        made[found.skill.score] = found.steps.own.curve(t)
    if beneath is not None:
        made[_metric(found)] = beneath.curve(t)
    if beneath is not None and found.steps.length is not None:
        made[_power(found)] = beneath.smooth_at(t) ** found.skill.length
    parts = [pd.DataFrame({"series": name, "x": x, "value": values}) for name, values in made.items()]
    return pd.concat(parts, ignore_index=True)


def _floor(found: Emergence, points: pd.DataFrame, across: axes.Axis, up: axes.Axis) -> marks.Layers:
    """Scores that cannot be told from guessing with these items."""
    resolution = found.steps.resolution
    if resolution is None:
        return []
    ends = [points["x"].min(), points["x"].max()]
    band = pd.DataFrame({"x": ends, "low": found.skill.chance, "high": resolution.smallest})
    return marks.band(band, x=across.x(), low=up.y("low"), high="high", color=MUTED, opacity=0.25)


def _onset(found: Emergence, across: axes.Axis, up: axes.Axis) -> marks.Layers:
    """The interval of the crossing, held within the range, its median if that is inside, and its density."""
    ends = found.points["scale"].min(), found.points["scale"].max()
    tail = (1 - found.level) / 2
    low, middle, high = (found.onset.quantile(place) for place in (tail, 0.5, 1 - tail))
    x, x2 = (float(np.clip(end, *ends)) for end in (low, high))
    table = pd.DataFrame({"x": [x], "x2": [x2], "value": [found.onset.threshold]})
    median = pd.DataFrame({"x": [middle], "value": table["value"]})
    inside = median[(median["x"] > 0) & np.isfinite(median["x"])]
    return [
        *marks.band(
            _density(found, *ends), x=across.x(), low=up.y("low"), high="high", color=INK, opacity=0.3
        ),
        *marks.bars(table, x=across.x(), x2="x2", y=up.y(), color=INK, strokeWidth=3),
        *marks.dots(inside, x=across.x(), y=up.y(), color=INK, shape="diamond", size=90),
    ]


def _density(found: Emergence, low: float, high: float) -> pd.DataFrame:
    """Draws of the crossing in bins of log scale, as steps at the foot of the chart."""
    edges = np.linspace(np.log(low), np.log(high), _BINS + 1)
    crossed = found.onset.draws[np.isfinite(found.onset.draws) & (found.onset.draws > 0)]
    counts = np.histogram(np.log(crossed), edges)[0]
    heights = _FOOT * counts / max(counts.max(), 1)
    corners = np.exp(np.repeat(edges, 2)[1:-1])
    return pd.DataFrame({"x": corners, "low": 0.0, "high": np.repeat(heights, 2)})


def _subtitle(found: Emergence) -> Iterator[str]:
    yield f"{found.because[:1].upper()}{found.because[1:]}."
    items = "" if math.isnan(found.items) else f", {counted(round(found.items), 'item')} at each"
    floor = "; grey: not told from guessing" if found.steps.resolution is not None else ""
    yield f"{counted(found.steps.scales, 'scale')}{items}{floor}."
    yield f"Dark: {onset_in_words(found.onset, found.scale, found.level)}."
