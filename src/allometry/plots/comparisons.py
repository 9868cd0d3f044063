"""Laws and recipes side by side: a fan of forecasts, held-out errors, multipliers across compute."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.comparison.laws import Comparison
from allometry.fitting.comparison.recipes import Multiplier
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, counted, finish

Array = NDArray[np.float64]

# Okabe and Ito's palette again: laws have no order, so their colours have none.
_COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
_PATH_POINTS = 24
_AFTER = 1.2  # the lines go on to this factor beyond the target


def fan_of_laws(comparison: Comparison, level: float = 0.9, **target: float) -> alt.LayerChart:
    """What each law says on the way from the largest run to a target: its median and its band.

    Grey dots are runs that every split learnt from; hollow ones were held out at least once. The lines are
    the laws fitted to all runs. The way is straight in logarithms.

    Args:
        target: Column to value; flops may be left out where it is 6 · params · tokens.

    Raises:
        InputError: If the target lies within the runs, or an input of a law is missing.
    """
    shown = [name for name in comparison.ranking["law"] if name in comparison.fits][: len(_COLOURS)]
    runs = _runs(comparison)
    axis = comparison.axis or next(iter(runs))
    way = _way(runs, _with_flops(target), axis, sorted(_columns(comparison, shown)))
    lines = pd.concat([_law_lines(comparison, name, way, axis, level) for name in shown])
    dots = pd.DataFrame({"x": runs[axis], "value": next(iter(comparison.fits.values())).data.output})
    unseen = comparison.held_out.drop_duplicates("run").rename(columns={"measured": "value"})[["x", "value"]]
    across = axes.log_axis(axis, [*lines["x"], *dots["x"]], axes.title(axis), pad=0.03).x()
    values = [*lines["value"], *lines["low"], *lines["high"], *dots["value"]]
    loss = axes.loss_axis(comparison.output, comparison.unit, values)
    colour = _colour(shown, "law", "series")
    return finish(
        [
            *marks.band(lines, x=across, low=loss.y("low"), high="high", color=colour),
            *marks.lines(lines, x=across, y=loss.y(), color=colour),
            *marks.dots(dots, x=across, y=loss.y(), color=MUTED, tips={"value": "measured"}),
            *marks.rings(unseen.dropna(), x=across, y=loss.y(), color=INK, size=60, strokeWidth=1.5),
        ],
        title="What the laws say beyond the runs",
        subtitle=[
            f"Lines: median of each law, fitted to all {counted(len(dots), 'run')}; bands: {level:.0%}.",
            "Hollow: runs that the laws were tested on, held out.",
        ],
        description=_fan_words(lines, axis),
    )


def held_out_errors(comparison: Comparison) -> alt.LayerChart:
    """How far off each law was on held-out runs: a dot for each split, a diamond for all, best law on top."""
    order = [str(name) for name in comparison.ranking["law"]]
    made = comparison.table[(comparison.table["refused"] == "") & comparison.table["law"].isin(order)]
    splits = pd.DataFrame({"law": made["law"], "split": made["split"], "error": 100 * made["rms"]})
    mean = pd.DataFrame({"law": order, "error": 100 * comparison.ranking["error"]})
    along = axes.log_axis(
        "error", [*splits["error"], *mean["error"]], "root mean square error of held-out runs (%)"
    ).x("error")
    rows = alt.Y("law:N", sort=order, title=None)
    return finish(
        [
            *marks.dots(splits, x=along, y=rows, color=BLUE, opacity=0.6, tips={"split": "learnt from"}),
            *marks.diamonds(mean, x=along, y=rows),
        ],
        title="How far off each law was on runs that it had not seen",
        subtitle=[
            f"Dots: {counted(made['split'].nunique(), 'split')} by {comparison.hold_out}; diamond: all.",
            "In the order of the ranking, which also scores the intervals.",
        ],
        description=f"Held-out errors in percent; least score: {comparison.best}.",
    )


def multiplier_against_compute(multiplier: Multiplier) -> alt.LayerChart:
    """The multiplier of each recipe: one number with shared exponents, a curve with free ones.

    Raises:
        InputError: If there is no curve, because the runs cannot carry free exponents.
    """
    if multiplier.across.empty:
        raise InputError(
            "There is no multiplier across compute: free exponents could not be fitted. "
            "The findings of the multiplier say why."
        )
    column = "flops" if multiplier.what == "compute" else multiplier.what
    recipes = [str(name) for name in multiplier.table["recipe"]]
    free = multiplier.across.rename(columns={"multiplier": "value"})
    shared = _constant(multiplier)
    across = axes.log_axis(column, free["x"], axes.title(column), pad=0.03).x()
    values = [*free["low"], *free["high"], *shared["low"], *shared["high"], 1.0]
    up = axes.log_axis("multiplier", values, f"{multiplier.what} multiplier, against {multiplier.reference}")
    colour = _colour(recipes, multiplier.by, "recipe")
    return finish(
        [
            *marks.level_line(1.0, up.y()),
            *marks.band(shared, x=across, low=up.y("low"), high="high", color=colour, opacity=0.25),
            *marks.lines(shared, x=across, y=up.y(), color=colour, strokeWidth=2.5),
            *marks.band(free, x=across, low=up.y("low"), high="high", color=colour, opacity=0.1),
            *marks.lines(free, x=across, y=up.y(), color=colour, strokeDash=[5, 4]),
        ],
        title=f"How much more {multiplier.what} '{multiplier.reference}' takes for the same result",
        subtitle=[
            f"Level: exponents shared, one number with its {multiplier.level:.0%} interval.",
            "Dashed: exponents free. The grey line is no effect.",
        ],
        description=multiplier.verdict,
    )


def _runs(comparison: Comparison) -> dict[str, Array]:
    """Every column that any law reads, of the runs; all laws were fitted to the same ones."""
    found: dict[str, Array] = {}
    for fit in comparison.fits.values():
        found.update({column: fit.data.inputs[name] for name, column in fit.inputs.items()})
    if "flops" not in found and {"params", "tokens"} <= found.keys():
        found["flops"] = FLOPS_PER_PARAMETER_TOKEN * found["params"] * found["tokens"]
    return found


def _columns(comparison: Comparison, shown: Sequence[str]) -> set[str]:
    return {column for name in shown for column in comparison.fits[name].inputs.values()}


def _with_flops(target: dict[str, float]) -> dict[str, float]:
    if "flops" in target or not {"params", "tokens"} <= target.keys():
        return target
    return {**target, "flops": FLOPS_PER_PARAMETER_TOKEN * target["params"] * target["tokens"]}


def _way(runs: dict[str, Array], target: dict[str, float], axis: str, columns: Sequence[str]) -> pd.DataFrame:
    """Inputs on the straight line, in logarithms, from the run farthest along the axis to the target."""
    needed = dict.fromkeys([axis, *columns])
    missing = [column for column in needed if column not in target]
    if missing:
        raise InputError(f"The laws in this comparison also need {', '.join(missing)} of the target.")
    last = int(np.argmax(runs[axis]))
    begin = {column: math.log(runs[column][last]) for column in needed}
    step = {column: math.log(target[column]) - begin[column] for column in needed}
    if step[axis] <= 0:
        raise InputError(
            f"The target has {axis} {target[axis]:.3g}, and the runs reach {runs[axis][last]:.3g}; "
            "a fan of laws goes beyond them."
        )
    places = np.linspace(0, 1 + math.log(_AFTER) / step[axis], _PATH_POINTS)
    return pd.DataFrame({column: np.exp(begin[column] + places * step[column]) for column in needed})


def _law_lines(comparison: Comparison, name: str, way: pd.DataFrame, axis: str, level: float) -> pd.DataFrame:
    fit = comparison.fits[name]
    forecasts = [
        fit.predict(level, **{law_name: float(place[column]) for law_name, column in fit.inputs.items()})
        for place in way.to_dict("records")
    ]
    return pd.DataFrame({
        "series": name, "x": way[axis], "value": [one.median for one in forecasts],
        "low": [one.low for one in forecasts], "high": [one.high for one in forecasts],
    })  # fmt: skip


def _constant(multiplier: Multiplier) -> pd.DataFrame:
    """The multiplier with shared exponents at both ends of the runs."""
    ends = pd.DataFrame({"x": [multiplier.across["x"].min(), multiplier.across["x"].max()]})
    table = multiplier.table[["recipe", "multiplier", "low", "high"]].rename(columns={"multiplier": "value"})
    return table.merge(ends, how="cross")


def _colour(names: Sequence[str], title: str, field: str) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(_COLOURS[: len(names)]))
    return alt.Color(f"{field}:N", scale=scale, sort=list(names), legend=alt.Legend(title=title))


def _fan_words(lines: pd.DataFrame, axis: str) -> str:
    ends = lines.groupby("series", sort=False)["value"].last()
    said = ", ".join(f"{name} {value:.4g}" for name, value in ends.items())
    return f"Medians of {len(ends)} laws along {axis}; at the right end: {said}."
