"""The least loss that compute, money or energy buys, with the plan on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Fit, middle
from allometry.planning.basis import basis_of
from allometry.planning.cost import CostSheet
from allometry.planning.quantities import Quantity
from allometry.planning.result import Plan
from allometry.planning.sensitivity import Source
from allometry.planning.standings import law_around
from allometry.planning.stocked import Stocked
from allometry.planning.surfaces import Surface
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, ORANGE, counted, finish
from allometry.units import show_count, show_power

Array = NDArray[np.float64]
Spent = Literal["flops", "usd", "kilowatt_hours"]

_LINE_POINTS = 80
_SEARCHED_POINTS = 24  # where each best run is searched for, for each draw
_BEYOND = 10.0  # the line goes on to this factor beyond the plan
_BEFORE = 1e3  # and starts at least this factor before it
_MORE = 1.1  # what one more tenth of the budget buys is said below the title


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """How spending is counted along the axis.

    Attributes:
        each: Of it for one FLOP.
        plan: Of the plan, with its range.
        title: Of the axis.
    """

    each: float
    plan: Quantity
    title: str


def least_loss(plan: Plan, law: Source, spent: Spent = "flops") -> alt.LayerChart:
    """The least loss against what is spent on training, with the plan, and the runs against compute.

    Args:
        law: What the plan was made from.
        spent: "flops", or "usd" or "kilowatt_hours" by the plan's own cost sheet.

    Raises:
        InputError: If the plan has no such cost.
        FitError: If the law is no floor plus a power of params plus a power of tokens.
    """
    surface, scale = _law(plan, law), _scale(plan, spent)
    runs = _runs(law, plan) if spent == "flops" else pd.DataFrame({"x": [], "value": []})
    line = _line(surface, scale, plan, runs)
    across = axes.log_axis("flops" if spent == "flops" else "params", [*line["x"]], scale.title, pad=0.01)
    shown = [*line["value"], *runs["value"], plan.loss.value, plan.loss.low, plan.loss.high]
    up = axes.loss_axis(plan.output, plan.loss.unit, shown, said="")
    here = pd.DataFrame([{
        "x": scale.plan.value, "value": plan.loss.value, "low": plan.loss.low, "high": plan.loss.high,
        "left": scale.plan.low, "right": scale.plan.high,
    }])  # fmt: skip
    return finish(
        [
            *marks.band(line, x=across.x(), low=up.y("low"), high="high", color=BLUE),
            *marks.lines(line, x=across.x(), y=up.y(), color=BLUE),
            *marks.rings(runs, x=across.x(), y=up.y(), size=40, strokeWidth=1.2, color=BLUE),
            *marks.bars(here.dropna(subset=["low"]), x=across.x(), y=up.y("low"), y2="high", color=ORANGE),
            *marks.bars(here.dropna(subset=["left"]), x=across.x("left"), x2="right", y=up.y(), color=ORANGE),
            *marks.diamonds(here, x=across.x(), y=up.y()),
        ],
        title=_title(spent, plan, scale),
        subtitle=[
            _plan_words(surface, plan, spent), _layer_words(plan, surface, runs),
            *_held_words(plan, surface, spent),
        ],
        description=f"Predicted loss of the best run against {scale.title}. "
        f"{_plan_words(surface, plan, spent)}",
    )  # fmt: skip


def _law(plan: Plan, law: Source) -> Surface | Stocked:
    """The law, with the stock of unique tokens where the plan or the end of the line repeats them."""
    size, data = (float(one[0]) for one in basis_of(law).surface().best(plan.flops * _BEYOND))
    asked = plan.question
    return law_around(law, size, max(data, plan.tokens.value), asked.unique_tokens, asked.weight)


def _scale(plan: Plan, spent: Spent) -> _Scale:
    if spent == "flops":
        title = axes.title("flops", conventions={"flops_convention": "6ND"})
        return _Scale(each=1.0, plan=plan.compute, title=title)
    cost = _cost(plan.cost, spent)
    title = "cost of training (USD)" if spent == "usd" else "energy of training (kWh, site)"
    return _Scale(each=cost.value / plan.flops, plan=cost, title=title)


def _cost(sheet: CostSheet | None, spent: Spent) -> Quantity:
    if sheet is None:
        raise InputError(f"A plan without a device has no {_NOUN[spent]}; name one, such as 'h100-sxm'.")
    cost = sheet.run.money if spent == "usd" else sheet.run.energy
    if cost is None:
        raise InputError(f"The plan has no {_NOUN[spent]}: {sheet.missing.get(_NOUN[spent], 'not known')}.")
    return cost


_NOUN = {"flops": "compute", "usd": "money", "kilowatt_hours": "energy"}


def _line(surface: Surface | Stocked, scale: _Scale, plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    first = min([plan.flops / _BEFORE, *runs["x"]])
    points = _SEARCHED_POINTS if isinstance(surface, Stocked) else _LINE_POINTS
    budgets = np.geomspace(first, plan.flops * _BEYOND, points)
    losses = np.stack([surface.loss(*surface.best(float(budget))) for budget in budgets])
    low, high = middle(losses[:, 1:], plan.level, axis=1) if losses.shape[1] > 1 else (np.nan, np.nan)
    return pd.DataFrame({"x": budgets * scale.each, "value": losses[:, 0], "low": low, "high": high})


def _runs(law: Source, plan: Plan) -> pd.DataFrame:
    """The runs that were fitted, at their own compute."""
    if not isinstance(law, Fit):
        return pd.DataFrame({"x": [], "value": []})
    columns = {column: law.data.inputs[name] for name, column in law.inputs.items()}
    return pd.DataFrame({"x": 6 * columns["params"] * columns["tokens"], "value": law.data.output})


def _title(spent: Spent, plan: Plan, scale: _Scale) -> str:
    loss = f"{plan.loss.value:.4g}"
    if spent == "flops":
        return f"The least loss at each compute: {loss} at {show_power(plan.flops)} FLOP"
    unit = "USD" if spent == "usd" else "kWh"
    return f"What a loss takes: {loss} for {show_count(scale.plan.value)} {unit}"


def _plan_words(surface: Surface | Stocked, plan: Plan, spent: Spent) -> str:
    now, more = (float(surface.loss(*surface.best(times * plan.flops))[0]) for times in (1.0, _MORE))
    fall = f"{now - more:.2g} {plan.loss.unit}"
    loss = plan.output.replace("_", " ")
    return f"Along the line, 10% more {_NOUN[spent]} lowers the predicted {loss} by {fall}."


def _layer_words(plan: Plan, surface: Surface | Stocked, runs: pd.DataFrame) -> str:
    rings = f"Rings: {counted(len(runs), 'run')} that were fitted. " if len(runs) else ""
    shaded = (
        f"Shaded: {100 * plan.level:g}% of the draws. " if len(surface.E) > 1 else "No ranges: no draws. "
    )
    noise = ", with the noise of one run" if plan.status else ""  # none is known of a published law
    bars = "" if math.isnan(plan.loss.low) else f"Bars: the plan's ranges{noise}. "
    return f"{rings}{shaded}{bars}".strip()


def _held_words(plan: Plan, surface: Surface | Stocked, spent: Spent) -> list[str]:
    said = [] if spent == "flops" else ["The line is at the stated price, power and utilisation."]
    stock = [f"Only {show_count(surface.stock)} tokens are unique."] if isinstance(surface, Stocked) else []
    served = [] if plan.question.demand is None else ["The plan lies above the line because it is served."]
    return [*said, " ".join(stock + served)]
