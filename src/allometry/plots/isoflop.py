"""Approach 2: the profiles with their minima, and the compute-optimal frontier through them."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from allometry.fitting.frontier.definition import Frontier
from allometry.fitting.frontier.isoflop import IsoFlopFit
from allometry.fitting.frontier.profiles import Profile
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, INK, ORANGE, counted, finish, sizes_colour
from allometry.units import show_power

_LINE_POINTS = 60
_BEYOND = 10.0  # the frontier goes on to this factor beyond the largest budget
_SERIES = ("parameters N*", "tokens D*")
_TIPS = {"series": "budget (FLOP)", "x": "place", "value": "loss"}


def iso_flop_profiles(found: IsoFlopFit) -> alt.LayerChart:
    """Loss along size, one colour a budget, with fitted curves and their minima; unused budgets hollow."""
    labels = _labels(found.profiles)
    runs, curves = _runs(found, labels), _curves(found, labels)
    best = _minima(found, labels)
    text = axes.title(found.along, conventions=found.conventions)
    across = axes.log_axis(found.along, runs["x"], text, pad=0.03).x()
    up = axes.loss_axis(found.output, found.unit, [*runs["value"], *best["value"]]).y()
    colour = sizes_colour(labels, "training compute (FLOP)")
    used = runs["used"]
    return finish(
        [
            *marks.lines(curves, x=across, y=up, color=colour),
            *marks.dots(runs[used], x=across, y=up, color=colour, size=45, tips=_TIPS),
            *marks.rings(runs[~used], x=across, y=up, color=colour, size=60, tips=_TIPS),
            *marks.lines(
                best.sort_values("x"), x=across, y=up, color=INK, strokeDash=[6, 4], strokeWidth=1.5
            ),
            *marks.stars(best, x=across, y=up, color=colour, stroke=INK, strokeWidth=1, tips=_TIPS),
        ],
        title=f"The best number of {axes.words(found.along).removeprefix('training ')} at each budget",
        subtitle=[
            f"{counted(len(runs), 'run')}, {found.curve} curves. Stars: minima, joined by the dashed line.",
            _unused_words(found),
        ],
        description=f"IsoFLOP profiles of {counted(len(found.profiles), 'budget')} with their minima. "
        f"{_exponent_words(found)}",
    )


def compute_optimal_frontier(found: Frontier, level: float = 0.9) -> alt.LayerChart:
    """The best size and tokens against compute: points, power laws through them, and their ranges.

    Args:
        found: Of `iso_flop` or `envelope`.
        level: Share of the draws inside the shaded bands; without draws there are none.
    """
    points, lines = _frontier_points(found), _frontier_lines(found, level)
    text = axes.title("flops", conventions=found.conventions)
    across = axes.log_axis("flops", lines["x"], text, pad=0.02).x()
    values = [*points["value"], *lines["value"]]
    count = axes.log_axis("params", values, "parameters (1), tokens (token)", most=8)
    scale = alt.Scale(domain=list(_SERIES), range=[BLUE, ORANGE])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    tips = {"x": "compute (FLOP)", "value": "count"}
    return finish(
        [
            *marks.band(lines, x=across, low=count.y("low"), high="high", color=colour),
            *marks.lines(lines, x=across, y=count.y(), color=colour),
            *marks.dots(points, x=across, y=count.y(), color=colour, size=80, tips=tips),
        ],
        title="The compute-optimal frontier",
        subtitle=[_exponent_words(found), _range_words(found, level)],
        description=f"Compute-optimal parameters and tokens against compute. {_exponent_words(found)}",
    )


def _labels(profiles: Sequence[Profile]) -> list[str]:
    return [show_power(profile.flops) for profile in profiles]


def _place(found: IsoFlopFit, profile: Profile) -> np.ndarray:
    return profile.params if found.along == "params" else profile.tokens


def _runs(found: IsoFlopFit, labels: Sequence[str]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({
            "series": label, "x": _place(found, profile), "value": profile.output, "used": profile.bracketed,
        })
        for label, profile in zip(labels, found.profiles, strict=True)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _curves(found: IsoFlopFit, labels: Sequence[str]) -> pd.DataFrame:
    """The fitted curves of the budgets that are used, over their own sampled range."""
    parts = []
    for label, profile in zip(labels, found.profiles, strict=True):
        if profile.bracketed:
            x = np.linspace(profile.x[0], profile.x[-1], _LINE_POINTS)
            parts.append(pd.DataFrame({"series": label, "x": np.exp(x), "value": profile.fitted(x)}))
    return pd.concat(parts, ignore_index=True)


def _minima(found: IsoFlopFit, labels: Sequence[str]) -> pd.DataFrame:
    used = [
        (label, each.best, each.best_output)
        for label, each in zip(labels, found.profiles, strict=True)
        if each.bracketed
    ]
    return pd.DataFrame(used, columns=["series", "x", "value"])


def _frontier_points(found: Frontier) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"series": series, "x": found.points["flops"], "value": found.points[column]})
        for series, column in zip(_SERIES, ("params", "tokens"), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _frontier_lines(found: Frontier, level: float) -> pd.DataFrame:
    flops = found.points["flops"].to_numpy(dtype=np.float64)
    rows = []
    for budget in np.geomspace(flops.min(), _BEYOND * flops.max(), _LINE_POINTS).tolist():
        for series, law in zip(_SERIES, (found.params_law, found.tokens_law), strict=True):
            at = law.at(budget, level)
            rows.append({"series": series, "x": budget, "value": at.value, "low": at.low, "high": at.high})
    return pd.DataFrame(rows)


def _unused_words(found: IsoFlopFit) -> str:
    lost = len(found.profiles) - len(found.used)
    if not lost:
        return "Every budget has a minimum inside its sampled range."
    return f"Hollow: {counted(lost, 'budget')} without a minimum inside the sampled range, not used."


def _exponent_words(found: Frontier) -> str:
    return f"N* grows as C^{found.params_law.exponent:.3f}, D* as C^{found.tokens_law.exponent:.3f}."


def _range_words(found: Frontier, level: float) -> str:
    points = counted(len(found.points), "point")
    ranges = f"Shaded: {100 * level:g}% of the draws." if found.asked else "No ranges: no draws."
    return f"{points}; lines go on to {_BEYOND:g} times the largest compute. {ranges}"
