"""A plan in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from allometry.fitting.result import Estimate, FitStatus
from allometry.planning.result import Plan
from allometry.units import show_count, show_power


def summary(plan: Plan) -> str:
    """The whole plan, one quantity a line."""
    return "\n".join(_sentences(plan))


def _sentences(plan: Plan) -> list[str]:
    near, convention = plan.near, plan.conventions.get("params_convention", "as in the runs")
    sizes = f"{show_count(near.params_low)} to {show_count(near.params_high)} parameters"
    tokens = f"{show_count(near.tokens_high)} to {show_count(near.tokens_low)} tokens"
    lines = [
        f"Plan for {show_power(plan.flops)} FLOP (6 · params · tokens), by {plan.law} on {plan.source}",
        f"  params               {_range(plan.params, show_count)}, counted: {convention}",
        f"  tokens               {_range(plan.tokens, show_count)}",
        f"  tokens per parameter {_range(plan.tokens_per_parameter, _digits)}",
        f"  {plan.output:20s} {_range(plan.loss, _digits)} {plan.loss.unit}",
        f"  {sizes} with {tokens}: predicted within {100 * near.tolerance:.3g}% of the least {plan.output}.",
        f"  {_how_far(plan.beyond)}",
        f"  {_ranges_mean(plan)}",
    ]
    if plan.status is not FitStatus.CONVERGED:
        lines.append(f"  The fit is {plan.status}: look at check(fit) before spending on this plan.")
    return lines


def _ranges_mean(plan: Plan) -> str:
    if plan.no_interval_because:
        return f"No ranges because {plan.no_interval_because}."
    return f"Ranges hold {100 * plan.level:.3g}%, if the law holds that far."


def _digits(value: float) -> str:
    return f"{value:.4g}"


def _range(estimate: Estimate, show: Callable[[float], str]) -> str:
    if math.isnan(estimate.low):
        return show(estimate.value)
    return f"{show(estimate.value)} ({show(estimate.low)} to {show(estimate.high)})"


def _how_far(beyond: Mapping[str, float]) -> str:
    factors = ", ".join(f"{_times(factor)}x {column}" for column, factor in beyond.items())
    far = "Extrapolation" if max(beyond.values()) > 1 else "Inside the fitted range"
    return f"{far}: {factors} of the largest fitted."


def _times(factor: float) -> str:
    return f"{factor:.3g}" if factor < 1000 else f"{factor:,.0f}"
