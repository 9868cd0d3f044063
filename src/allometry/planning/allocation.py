"""How to divide a training budget between parameters and tokens, with what is not known about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from allometry.errors import InputError
from allometry.fitting.result import Estimate, Fit, FitStatus, Forecast
from allometry.units import show_count, show_power

FLOPS_CONVENTION = "6ND"
_FLOPS_PER_PARAMETER_TOKEN = 6.0  # Kaplan et al. 2020, section 2.1, arXiv:2001.08361
_STEPS = 400  # sizes looked at on each side for the end of the band


@dataclass(frozen=True, kw_only=True)
class NearOptimal:
    """The sizes that are almost as good: predicted loss within a share of the least at the same budget.

    Attributes:
        tolerance: The share, for example 0.005 for half a percent.
        params_low, params_high: Smallest and largest such size, by the fitted coefficients.
        tokens_low, tokens_high: Their tokens; the smallest size goes with the most tokens.
    """

    tolerance: float
    params_low: float
    params_high: float
    tokens_low: float
    tokens_high: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training run of least loss for a budget.

    Attributes:
        flops: The budget, counted as 6 · params · tokens.
        params, tokens, tokens_per_parameter: What to train; the ranges are where the best point may lie.
        loss: What the run is forecast to measure, in the fit's unit, the noise of one run included.
        output: The column `loss` is a value of.
        level: Share the ranges are meant to contain.
        near: How far size and tokens can be moved for almost the same loss.
        beyond: Column to the factor by which the plan exceeds the largest fitted run.
        conventions: What params and flops count, in the plan and in the runs it came from.
        law, source, fit_hash, data_hash, status: What it was made from.
        no_interval_because: Why the ranges are NaN; empty when there are ranges.
    """

    flops: float
    params: Estimate
    tokens: Estimate
    tokens_per_parameter: Estimate
    loss: Estimate
    output: str
    level: float
    near: NearOptimal
    beyond: Mapping[str, float]
    conventions: Mapping[str, str] = field(default_factory=dict)
    law: str
    source: str
    fit_hash: str
    data_hash: str
    status: FitStatus
    no_interval_because: str = ""

    def summary(self) -> str:
        """The plan in plain words."""
        return "\n".join(_sentences(self))


def allocate(fit: Fit, *, flops: float, level: float = 0.9, tolerance: float = 0.005) -> Plan:
    """Plan the run of least predicted loss for a training budget.

    The ranges of size and tokens come from the fit's draws, each at its own optimum. The loss is that of
    one new run at the planned size and tokens, measured as the fitted runs were.

    Args:
        flops: Training compute, counted as 6 · params · tokens, params as in the fitted runs.
        level: Share the ranges are meant to contain.
        tolerance: Share of the least loss that the near-optimal band may lose.

    Raises:
        InputError: If flops, level or tolerance is no usable number.
        FitError: If the law has no optimum between size and data.

    Source:
        Hoffmann et al. 2022, section 3.3, arXiv:2203.15556, for the optimum of its law in closed form.

    >>> import pandas as pd, allometry.laws as laws
    >>> from allometry.fitting.solve import fit
    >>> from allometry.runs.run import Runs
    >>> size, data = map(np.ravel, np.meshgrid([1e7, 1e8, 1e9], [1e9, 1e10, 1e11]))
    >>> loss = 1.69 + 406.4 / size**0.34 + 410.7 / data**0.28
    >>> runs = Runs(pd.DataFrame({"params": size, "tokens": data, "loss": loss}))
    >>> plan = allocate(fit(laws.chinchilla, runs), flops=5.88e23)
    >>> print(f"{plan.params.value:.3g} parameters, {plan.tokens.value:.3g} tokens")
    3.25e+10 parameters, 3.02e+12 tokens
    """
    if not 0 < tolerance < 1:
        raise InputError(f"A tolerance is a share between 0 and 1, for example 0.005; not {tolerance}.")
    if not flops >= _FLOPS_PER_PARAMETER_TOKEN:  # NaN is caught here too
        raise InputError(f"A budget of {flops} FLOP buys no training; write it like 1e21.")
    best = fit.optimum(flops, level=level)
    params, tokens = best.params.value, best.tokens.value
    if min(params, tokens) < 1:
        raise InputError(
            f"{flops:g} FLOP buys less than one parameter or token by '{fit.law.name}'; give more."
        )
    forecast = fit.predict(level=level, params=params, tokens=tokens)
    return Plan(
        flops=float(flops),
        params=best.params,
        tokens=best.tokens,
        tokens_per_parameter=_ratio(best.params, flops),
        loss=_as_estimate(forecast),
        output=fit.output,
        level=level,
        near=near_optimal(fit, flops, params, tolerance),
        beyond=forecast.beyond,
        conventions={**fit.conventions, "plan_flops_convention": FLOPS_CONVENTION},
        law=fit.law.name,
        source=fit.source,
        fit_hash=fit.fit_hash,
        data_hash=fit.data_hash,
        status=fit.status,
        no_interval_because=forecast.no_interval_because,
    )


def near_optimal(fit: Fit, flops: float, params: float, tolerance: float) -> NearOptimal:
    """The sizes around the best one whose predicted loss is within a share of the least.

    Args:
        params: The size of least loss for `flops`.
    """
    limit = (1 + tolerance) * loss_at(fit, flops, params)
    most = flops / _FLOPS_PER_PARAMETER_TOKEN
    low = _end_of_band(fit, flops, limit, np.geomspace(params, 1.0, _STEPS))
    high = _end_of_band(fit, flops, limit, np.geomspace(params, most, _STEPS))
    return NearOptimal(
        tolerance=tolerance, params_low=low, params_high=high, tokens_low=most / high, tokens_high=most / low
    )


def loss_at(fit: Fit, flops: float, params: float) -> float:
    """The law's value where a size meets a budget, by the fitted coefficients."""
    columns = {"params": params, "tokens": flops / _FLOPS_PER_PARAMETER_TOKEN / params}
    inputs = {name: columns[column] for name, column in fit.inputs.items()}
    return float(fit.law.evaluate(inputs, fit.coefficients))


def _end_of_band(fit: Fit, flops: float, limit: float, sizes: np.ndarray) -> float:
    """Where the loss first passes the limit, going outward from the best size; the last size if nowhere."""
    for inner, outer in pairwise(sizes.tolist()):
        if loss_at(fit, flops, outer) > limit:
            ends = math.log(inner), math.log(outer)
            return math.exp(brentq(lambda size: loss_at(fit, flops, math.exp(size)) - limit, *ends))
    return float(sizes[-1])


def _ratio(params: Estimate, flops: float) -> Estimate:
    # At a fixed budget tokens / params = C / (6 N²): the range of one is the range of the other turned over.
    def ratio(size: float) -> float:
        return flops / _FLOPS_PER_PARAMETER_TOKEN / size**2

    return Estimate(value=ratio(params.value), low=ratio(params.high), high=ratio(params.low), unit="token")


def _as_estimate(forecast: Forecast) -> Estimate:
    return Estimate(value=forecast.median, low=forecast.low, high=forecast.high, unit=forecast.unit)


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
