"""A plan in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from allometry.fitting.result import FitStatus
from allometry.planning.cost import Costs, CostSheet
from allometry.planning.data_limits import DataPlan, worth_of_data
from allometry.planning.inference import LifetimePlan
from allometry.planning.quantities import ranged
from allometry.planning.result import Plan, Requirements
from allometry.planning.surfaces import by_the_draws
from allometry.units import show_count, show_power


def summary(plan: Plan) -> str:
    """The whole plan, one quantity a line."""
    parts = [
        *_what_to_train(plan),
        *(_cost(plan.cost) if plan.cost else []),
        *(_serving(plan, plan.lifetime, plan.serving) if plan.lifetime else []),
        *(_data(plan.data) if plan.data else []),
        *(f"                     {one.words()}" for one in plan.sources),
        *(_requirements(plan.requirements, plan.loss.unit) if plan.requirements else []),
        *plan.notes,
    ]
    return "\n".join([f"Plan for {_asked(plan)}, by {plan.law} on {plan.source}", *(f"  {p}" for p in parts)])


def _asked(plan: Plan) -> str:
    many = " (6 · params · tokens)" if plan.question.kind == "flops" else ""
    served = f", {plan.question.pays_for} paid" if plan.question.pays_for == "life" else ""
    return f"{plan.question.asked()}{many}{served}"


def _what_to_train(plan: Plan) -> list[str]:
    convention = plan.conventions.get("params_convention", "as in the runs")
    compute = f"compute              {ranged(plan.compute, show_power)} FLOP (6 · params · tokens)"
    return [
        *([compute] if plan.question.kind != "flops" else []),
        f"params               {ranged(plan.params, show_count)}, counted: {convention}",
        f"tokens               {ranged(plan.tokens, show_count)}",
        f"tokens per parameter {ranged(plan.tokens_per_parameter, _digits)}",
        f"{plan.output:20s} {ranged(plan.loss, _digits)} {plan.loss.unit}",
        _near_words(plan),
        *([_how_far(plan.beyond)] if plan.beyond else []),
        _ranges_mean(plan),
        *_doubts(plan),
    ]


def _near_words(plan: Plan) -> str:
    near = plan.near
    sizes = f"{show_count(near.params_low)} to {show_count(near.params_high)} parameters"
    tokens = f"{show_count(near.tokens_high)} to {show_count(near.tokens_low)} tokens"
    whose = " of this training compute" if plan.lifetime else ""
    tolerance = f"{100 * near.tolerance:.3g}%"
    return f"{sizes} with {tokens}: predicted within {tolerance} of the least {plan.output}{whose}."


def _doubts(plan: Plan) -> list[str]:
    if plan.status in (None, FitStatus.CONVERGED):
        return []
    return [f"The fit is {plan.status}: look at check(fit) before spending on this plan."]


def _ranges_mean(plan: Plan) -> str:
    if plan.no_interval_because:
        return f"No ranges because {plan.no_interval_because}."
    return f"Ranges hold {100 * plan.level:.3g}%, if the law holds that far."


def _cost(sheet: CostSheet) -> list[str]:
    spent = f"{ranged(sheet.days, show_count)} days, {_costs(sheet.run)}"
    return [f"training takes       {spent} on {sheet.devices} x {sheet.rate.device.title}"]


def _costs(costs: Costs) -> str:
    known = (costs.device_hours, costs.money, costs.energy, costs.carbon)
    return ", ".join(one.show(show_count) for one in known if one is not None)


def _serving(plan: Plan, life: LifetimePlan, serving: Costs | None) -> list[str]:
    saved = 100 * (1 - life.cost_ratio.value)
    takes = f"{ranged(life.serving_flops, show_power)} FLOP"
    against = f"{life.params_ratio.value:.3g} of the size and {life.tokens_ratio.value:.3g} times the tokens"
    plain = f"{_digits(plan.near.loss)} {plan.loss.unit} with {show_count(plan.near.params)} parameters"
    served = f"For {show_count(life.demand.tokens)} served tokens"
    return [
        f"serving takes        {takes}{f', {_costs(serving)}' if serving else ''}",
        f"{served} it has {against} of the training-optimal model of equal loss;",
        f"over its life that saves {saved:.3g}% of the cost.",
        f"The same training compute could reach {plain}, dearer to serve.",
    ]


def _data(data: DataPlan) -> list[str]:
    epochs = f"{ranged(data.epochs)} epochs of {show_count(data.unique_tokens)} unique tokens"
    if not data.limited:
        return [f"data                 {epochs}: no limit here, and more of it is worth nothing"]
    return [f"data                 {epochs}; {worth_of_data(data.saved_by_data.value)}"]


def _requirements(needs: Requirements, unit: str) -> list[str]:
    least = needs.floors
    size, tokens = ranged(least.params, show_count), ranged(least.tokens, show_count)
    lines = [
        f"At the very least    {size} parameters, with data without end",
        f"                     {tokens} tokens, with a model without end",
        f"                     {ranged(least.flops, show_power)} FLOP, with fresh data and nothing served",
    ]
    if needs.data_floor is not None:
        lines.append(f"The data allows      {ranged(needs.data_floor, _digits)} {unit} at any compute")
    return [*lines, f"Can be reached       {by_the_draws(needs.reachable)}"]


def _digits(value: float) -> str:
    return f"{value:.4g}"


def _how_far(beyond: Mapping[str, float]) -> str:
    factors = ", ".join(f"{_times(factor)}x {column}" for column, factor in beyond.items())
    far = "Extrapolation" if max(beyond.values()) > 1 else "Not beyond the fitted runs"
    return f"{far}: {factors} of the largest fitted."


def _times(factor: float) -> str:
    if factor < 1000:
        return f"{factor:.3g}"
    return f"{factor:,.0f}" if factor < 1e6 else show_power(factor)
