"""The compute multiplier at each level of compute, where exponents are not shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN, optimal_params
from allometry.fitting.comparison.recipe_laws import RecipeLaw
from allometry.fitting.result import Fit, middle
from allometry.laws import Law

Array = NDArray[np.float64]

_PLACES = 9  # levels of compute, over the range of the runs
_GRID = 61  # of the reference's curve that is read backwards
_DECADES = 2.5  # either way that a multiplier is looked for


def across_compute(own: RecipeLaw, free: Fit, columns: Sequence[str], level: float) -> pd.DataFrame:
    """How many times as much the reference spends for the same result, along compute.

    On the compute-optimal frontier for a law of params and tokens; a law of one input is its own frontier.

    Returns:
        recipe, x, multiplier, low, high; no row for a law that reads more than params and tokens.
    """
    assert free.draws is not None
    if len(columns) > 1 and set(columns) != {"params", "tokens"}:
        return pd.DataFrame(columns=["recipe", "x", "multiplier", "low", "high"])
    spent = _spent(own.base, free, columns)
    budgets = np.geomspace(spent.min(), spent.max(), _PLACES)
    drawn = {name: free.draws[name].to_numpy(dtype=np.float64) for name in own.law.names}
    best = {name: np.array([value]) for name, value in free.coefficients.items()}
    rows = []
    for recipe in own.recipes:
        points = _multipliers(own, columns, recipe, best, budgets)[0]
        low, high = middle(_multipliers(own, columns, recipe, drawn, budgets), level, axis=0)
        rows.append(
            pd.DataFrame({"recipe": recipe, "x": budgets, "multiplier": points, "low": low, "high": high})
        )
    return pd.concat(rows, ignore_index=True)


def _spent(base: Law, free: Fit, columns: Sequence[str]) -> Array:
    values = [free.data.inputs[name] for name in base.reads]
    return values[0] if len(columns) == 1 else FLOPS_PER_PARAMETER_TOKEN * values[0] * values[1]


def _multipliers(
    own: RecipeLaw, columns: Sequence[str], recipe: str, drawn: Mapping[str, Array], budgets: Array
) -> Array:
    """By each draw and budget, of shape (draws, budgets)."""
    reference = {name: drawn[name] for name in own.base.names}
    shifted = {name: drawn[name] + drawn[shift] for (r, name), shift in own.shifts.items() if r == recipe}
    grown = np.sum([drawn[name] for (r, _), name in own.efficiencies.items() if r == recipe], axis=0)
    grid = np.geomspace(budgets[0] * 10**-_DECADES, budgets[-1] * 10**_DECADES, _GRID)
    curves = zip(
        grown,
        _frontier(own.base, columns, {**reference, **shifted}, grid),
        _frontier(own.base, columns, reference, grid),
        strict=True,
    )
    return np.array([_factor(budgets, grid, *curve) for curve in curves])


def _factor(budgets: Array, grid: Array, grown: float, recipe: Array, reference: Array) -> Array:
    """Where the reference's curve is as low as the recipe's, relative to each budget."""
    spent, at = np.log(grid), np.log(budgets)
    reached = np.interp(at + grown, spent, np.log(recipe))
    return np.asarray(np.exp(np.interp(reached, np.log(reference)[::-1], spent[::-1]) - at))


def _frontier(base: Law, columns: Sequence[str], drawn: Mapping[str, Array], budgets: Array) -> Array:
    """The least output for each budget by each draw, of shape (draws, budgets)."""
    if len(columns) == 1:
        return base.evaluate({base.reads[0]: budgets}, {name: one[:, None] for name, one in drawn.items()})
    names = {column: name for name, column in zip(base.reads, columns, strict=True)}
    return np.stack([_least(base, names, drawn, float(budget)) for budget in budgets], axis=1)


def _least(base: Law, names: Mapping[str, str], drawn: Mapping[str, Array], budget: float) -> Array:
    params = optimal_params(base, names, drawn, budget)
    tokens = budget / FLOPS_PER_PARAMETER_TOKEN / params
    return base.evaluate({names["params"]: params, names["tokens"]: tokens}, drawn)
