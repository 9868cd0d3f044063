"""How to divide a training budget between parameters and tokens, with what is not known about it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from allometry.errors import InputError
from allometry.fitting.result import Estimate, Fit, Forecast
from allometry.planning.quantities import exactly
from allometry.planning.questions import Question
from allometry.planning.result import NearOptimal, Plan

__all__ = ["FLOPS_CONVENTION", "NearOptimal", "Plan", "allocate", "loss_at", "near_optimal"]

FLOPS_CONVENTION = "6ND"
_FLOPS_PER_PARAMETER_TOKEN = 6.0  # Kaplan et al. 2020, section 2.1, arXiv:2001.08361
_STEPS = 400  # sizes looked at on each side for the end of the band


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
    question = Question(flops=flops, level=level, tolerance=tolerance)
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
        question=question,
        flops=float(flops),
        compute=exactly(float(flops), "FLOP", "budget, given"),
        params=best.params,
        tokens=best.tokens,
        tokens_per_parameter=_ratio(best.params, flops),
        loss=_as_estimate(forecast),
        quantiles=forecast.quantiles,
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
