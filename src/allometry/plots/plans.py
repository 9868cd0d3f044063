"""A plan: how the loss rises on both sides of the best size, and how the best size grows with compute."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.result import Fit
from allometry.planning.allocation import Plan
from allometry.plots import axes, marks
from allometry.plots.fits import coefficient_band
from allometry.plots.theme import BLUE, GREEN, ORANGE, counted, finish, rows
from allometry.units import show_count, show_power

Array = NDArray[np.float64]

_LINE_POINTS = 80
_BUDGETS = 13
_AROUND = 4.0  # sizes are shown to this factor beyond the near-optimal ones
_ROOM = 30.0  # a range may leave the lines by this factor before it is cut off
_SERIES = ("parameters N*", "tokens D*")


def loss_against_params(plan: Plan, fit: Fit) -> alt.LayerChart:
    """Predicted loss of every way to split the plan's budget, with the sizes that are almost as good.

    Args:
        fit: The fit the plan was made from.
    """
    curve = _budget_curve(plan, fit)
    ends = {"x": plan.params.value, "left": plan.params.low, "right": plan.params.high}
    least = float(np.interp(math.log(plan.params.value), np.log(curve["x"]), curve["value"]))
    best = pd.DataFrame([{**ends, "value": least}])
    text = axes.title("params", conventions=plan.conventions)
    size = axes.log_axis("params", curve["x"], text, pad=0)
    loss = axes.loss_axis(plan.output, plan.loss.unit, _visible(curve), said="predicted")
    return finish(
        [
            *_near_layers(plan, size),
            *marks.band(curve, x=size.x(), low=loss.y("low"), high="high", color=BLUE),
            *marks.lines(curve, x=size.x(), y=loss.y(), color=BLUE),
            *marks.bars(best.dropna(), x=size.x("left"), x2="right", y=loss.y()),
            *marks.diamonds(best, x=size.x(), y=loss.y()),
        ],
        title=f"{show_power(plan.flops)} FLOP: least loss at {show_count(plan.params.value)} parameters",
        subtitle=[_near_words(plan), _range_words(plan, fit)],
        description=f"Predicted loss against size at {show_power(plan.flops)} FLOP. {_near_words(plan)}",
    )


def optimum_against_compute(fit: Fit, plan: Plan | None = None, level: float = 0.9) -> alt.LayerChart:
    """The best size and number of tokens at each budget, with their ranges.

    Args:
        plan: Extends the budgets to the plan's, and marks it.

    Raises:
        FitError: If the law has no optimum between size and data at any of the budgets.
    """
    curve = _optima(fit, plan, level)
    text = axes.title("flops", conventions={"flops_convention": "6ND"})
    across = axes.log_axis("flops", curve["x"], text, pad=0.02).x()
    count = axes.log_axis("params", _near_line(curve), "parameters (1), tokens (token)", most=8)
    scale = alt.Scale(domain=list(_SERIES), range=[BLUE, ORANGE])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    marked = curve[curve["x"] == plan.flops] if plan else curve.iloc[:0]
    return finish(
        [
            *marks.band(curve, x=across, low=count.y("low"), high="high", color=colour),
            *marks.lines(curve, x=across, y=count.y(), color=colour),
            *marks.dots(marked, x=across, y=count.y(), color=colour, size=110, tips={"value": "count"}),
        ],
        title="How the best size and data grow with compute",
        subtitle=[_slopes(curve), _budget_words(fit, plan, level)],
        description=f"Compute-optimal parameters and tokens against compute. {_slopes(curve)}",
    )


def _budget_curve(plan: Plan, fit: Fit) -> pd.DataFrame:
    ends = [plan.near.params_low, plan.near.params_high, plan.params.low, plan.params.high]
    known = [value for value in ends if math.isfinite(value)]
    # Ranges of a doubtful fit span decades; the curve stays where it can be read.
    low = max(min(known) / 1.5, plan.near.params_low / _AROUND, 1.0)
    high = min(max(known) * 1.5, plan.near.params_high * _AROUND, plan.flops / 6)
    sizes = np.geomspace(low, high, _LINE_POINTS)
    names = {column: name for name, column in fit.inputs.items()}
    inputs = {names["params"]: sizes, names["tokens"]: plan.flops / 6 / sizes}
    lower, upper = coefficient_band(fit, inputs, plan.level)
    value = fit.law.evaluate(inputs, fit.coefficients)
    return pd.DataFrame({"x": sizes, "value": value, "low": lower, "high": upper})


def _visible(curve: pd.DataFrame) -> list[float]:
    """Values the y axis must hold: the line, and the band where it is not many times wider."""
    least, most = float(curve["value"].min()), float(curve["value"].max())
    room = max(3 * (most - least), 0.15 * least)
    band = [float(v) for name in ("low", "high") for v in curve[name] if least - room < v < most + room]
    return [least, most, *band]


def _near_layers(plan: Plan, size: axes.Axis) -> marks.Layers:
    near = pd.DataFrame({"x": [plan.near.params_low], "x2": [plan.near.params_high]})
    mark = alt.Chart(rows(near)).mark_rect(color=GREEN, opacity=0.14, clip=True)
    return [mark.encode(x=size.x(), x2="x2:Q")]


def _near_words(plan: Plan) -> str:
    ends = f"{show_count(plan.near.params_low)} to {show_count(plan.near.params_high)}"
    return f"Green: sizes within {100 * plan.near.tolerance:g}% of the least {plan.output}, {ends}."


def _range_words(plan: Plan, fit: Fit) -> str:
    if plan.no_interval_because:
        return f"No ranges because {plan.no_interval_because}."
    ends = f"{show_count(plan.params.low)} to {show_count(plan.params.high)}"
    bar = f"Bar: {100 * plan.level:g}% range of the best size, {ends}."
    return f"{bar} {fit.law.name}, {counted(len(fit.data), 'run')}."


def _optima(fit: Fit, plan: Plan | None, level: float) -> pd.DataFrame:
    columns = {column: fit.data.inputs[name] for name, column in fit.inputs.items()}
    if not {"params", "tokens"} <= columns.keys():
        raise FitError(f"Law '{fit.law.name}' does not read params and tokens, so it has no best split.")
    spent = 6 * columns["params"] * columns["tokens"]
    top = max(float(spent.max()), plan.flops if plan else 0.0)
    # The last budget is the plan's own, to the digit: np.geomspace may miss its end by a rounding.
    budgets = [*np.geomspace(float(spent.min()), top, _BUDGETS).tolist()[:-1], top]
    found = []
    for budget in budgets:
        best = fit.optimum(flops=budget, level=level)
        for series, at in zip(_SERIES, (best.params, best.tokens), strict=True):
            found.append({"series": series, "x": budget, "value": at.value, "low": at.low, "high": at.high})
    return pd.DataFrame(found)


def _near_line(curve: pd.DataFrame) -> list[float]:
    low, high = axes.span(curve["value"])
    values = [float(v) for name in ("value", "low", "high") for v in curve[name]]
    return [value for value in values if low / _ROOM < value < high * _ROOM]


def _slopes(curve: pd.DataFrame) -> str:
    said = []
    for series in _SERIES:
        part = curve[curve["series"] == series]
        rise = math.log(part["value"].iloc[-1] / part["value"].iloc[0])
        slope = rise / math.log(part["x"].iloc[-1] / part["x"].iloc[0])
        said.append(f"{series.split()[1]} grows as C^{slope:.2f}")
    return ", ".join(said) + " over the range shown."


def _budget_words(fit: Fit, plan: Plan | None, level: float) -> str:
    ranges = f"Shaded: {100 * level:g}% of the draws." if fit.draws is not None else "No ranges: no draws."
    marked = f" Dots: the plan at {show_power(plan.flops)} FLOP." if plan else ""
    return f"{fit.law.name}, {counted(len(fit.data), 'run')}. {ranges}{marked}"
