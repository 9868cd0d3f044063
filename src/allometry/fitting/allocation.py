"""The compute-optimal point of a fitted law: where, on flops = 6 · params · tokens, the loss is least."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.arguments import is_number
from allometry.fitting.result import Estimate, Fit, Optimum, middle
from allometry.laws import Law, chinchilla

Array = NDArray[np.float64]

FLOPS_PER_PARAMETER_TOKEN = 6.0  # forward 2, backward 4: Kaplan et al. 2020, section 2.1, arXiv:2001.08361
_GRID = 257
_NARROWING = 60  # golden-section steps: the bracket shrinks by 1.6 each, to rounding


def optimum(fit: Fit, flops: float, level: float) -> Optimum:
    """Least loss for a budget; `Fit.optimum` is the front of this."""
    if not (is_number(flops) and flops > 0):
        raise InputError(f"flops must be a number above zero, not {flops!r}.")
    law = fit.law
    _refuse_without_optimum(fit)
    names = {column: name for name, column in fit.inputs.items()}
    best = optimal_params(law, names, fit.coefficients, flops)[0]
    if not np.isfinite(best):
        raise FitError(f"Law '{law.name}' has no optimum for {flops:g} FLOP: its least loss is at the edge.")
    drawn = {} if fit.draws is None else {n: fit.draws[n].to_numpy(dtype=np.float64) for n in law.names}
    params = optimal_params(law, names, drawn, flops) if drawn else np.empty(0)
    kept = np.isfinite(params)
    losses = (
        _loss(law, names, {n: v[kept] for n, v in drawn.items()}, params[kept], flops) if drawn else params
    )

    def estimate(value: float, spread: Array, unit: str) -> Estimate:
        # Draws without an optimum may lie on either side: beyond the tails they leave no interval.
        enough = spread.size and spread.size >= level * kept.size
        low, high = middle(spread, level) if enough else (np.nan, np.nan)
        return Estimate(value=value, low=float(low), high=float(high), unit=unit)

    tokens = flops / FLOPS_PER_PARAMETER_TOKEN / params[kept]
    at_best = _loss(
        law, names, {n: np.array([v]) for n, v in fit.coefficients.items()}, np.array([best]), flops
    )
    return Optimum(
        flops=flops,
        params=estimate(float(best), params[kept], "1"),
        tokens=estimate(float(flops / FLOPS_PER_PARAMETER_TOKEN / best), tokens, "token"),
        loss=estimate(float(at_best[0]), losses, fit.unit),
        level=level,
    )


def optimal_params(
    law: Law, names: Mapping[str, str], coefficients: Mapping[str, float | Array], flops: float
) -> Array:
    """Size of least loss for each set of coefficients, of shape (sets,); NaN where that is at an edge.

    Closed form for chinchilla (Hoffmann et al. 2022, eq. 4); for other laws a search over sizes.

    Args:
        names: "params" and "tokens" to the law's own names for them.
    """
    c = {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in coefficients.items()}
    size = _closed_form(c, flops) if law.has_form_of(chinchilla) else _search(law, names, c, flops)
    return np.where(np.isfinite(size) & (size > 0), size, np.nan)


def _closed_form(c: Mapping[str, Array], flops: float) -> Array:
    spent = np.log(flops / FLOPS_PER_PARAMETER_TOKEN)
    with np.errstate(all="ignore"):  # exponents near zero or a term without end put it beyond all bounds
        balance = np.log(c["alpha"] * c["A"] / (c["beta"] * c["B"]))
        return np.asarray(np.exp((balance + c["beta"] * spent) / (c["alpha"] + c["beta"])))


def _search(law: Law, names: Mapping[str, str], c: Mapping[str, Array], flops: float) -> Array:
    sizes = np.exp(np.linspace(0, np.log(flops / FLOPS_PER_PARAMETER_TOKEN), _GRID))
    columns = {name: values[:, None] for name, values in c.items()}
    losses = _loss(law, names, columns, sizes[None, :], flops)
    place = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=1)
    edge = (place == 0) | (place == _GRID - 1)
    inside = np.clip(place, 1, _GRID - 2)
    low, high = np.log(sizes[inside - 1]), np.log(sizes[inside + 1])
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_NARROWING):
        left, right = high - golden * (high - low), low + golden * (high - low)
        lower = _loss(law, names, c, np.exp(left), flops) < _loss(law, names, c, np.exp(right), flops)
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    return np.where(edge, np.nan, np.exp((low + high) / 2))


def _loss(law: Law, names: Mapping[str, str], c: Mapping[str, Array], params: Array, flops: float) -> Array:
    tokens = flops / FLOPS_PER_PARAMETER_TOKEN / params
    return law.evaluate({names["params"]: params, names["tokens"]: tokens}, c)


def _refuse_without_optimum(fit: Fit) -> None:
    columns = set(fit.inputs.values())
    if columns != {"params", "tokens"}:
        raise FitError(
            f"Law '{fit.law.name}' reads {', '.join(sorted(columns))}; an optimum between size and data "
            "needs a law that reads params and tokens and nothing else, for example 'chinchilla'."
        )
