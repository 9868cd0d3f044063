"""Checks of what the law says as a whole: more than one number would, and less loss for more effort?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.checks.definition import Check, serious, warning
from allometry.fitting.result import Finding, Fit
from allometry.fitting.scales import transform

Array = NDArray[np.float64]

BY_CHANCE = 0.01  # chance that coefficients without meaning lower the objective by as much
LOSSES = ("loss", "bits_per_byte")
EFFORT = ("params", "tokens", "flops", "x", "params_total", "params_active", "unique_tokens")
SPARE = 3  # runs beyond the coefficients below which nothing can be told from chance


def _no_better_than_a_constant(fit: Fit) -> Finding | None:
    """The drop of the objective from one number to the law, by an F test for M-estimates."""
    from scipy.special import fdtrc  # the tail of F, without the half second that scipy.stats takes to load

    more, spare = len(fit.open) - 1, len(fit.data) - len(fit.open)
    constant = _objective_of_one_number(fit)
    if fit.objective_value < constant and (more < 1 or spare < SPARE):
        return None
    drop = (constant - fit.objective_value) / max(more, 1)
    left = fit.objective_value / max(spare, 1)
    chance = float(fdtrc(max(more, 1), max(spare, 1), drop / left)) if left > 0 < drop else 1.0
    if chance <= BY_CHANCE or drop > 0 == left:
        return None
    return serious(
        "no_better_than_a_constant",
        f"The law describes these runs hardly better than one number would: an objective of "
        f"{fit.objective_value:.3g} instead of {constant:.3g}, as {len(fit.open)} coefficients without "
        f"meaning often do (chance {chance:.2g}).",
        f"Look whether {fit.output} follows the inputs at all (plot the runs); vary the inputs more, or fit "
        "another law.",
        {"objective": fit.objective_value, "of one number": constant, "chance": chance},
    )


def _objective_of_one_number(fit: Fit) -> float:
    """The least objective that any one run's output, taken for all, would have."""
    measured = transform(fit.on, fit.data.output)
    tried = np.quantile(measured, np.linspace(0, 1, 41))
    # One at a time: a million runs times all of them would be gigabytes.
    return min(float(fit.goal.total(one - measured, fit.data.weights)) for one in tried)


def _rises_with_size(fit: Fit) -> Finding | None:
    """Twice the size, data or compute of a run should never predict more loss."""
    growing = [name for name, column in fit.inputs.items() if column in EFFORT]
    if fit.output not in LOSSES or not growing:
        return None
    rises = {fit.inputs[name]: _share_rising(fit, name) for name in growing}
    column, share = max(rises.items(), key=lambda pair: pair[1])
    if share == 0:
        return None
    return warning(
        "rises_with_size",
        f"The law as fitted predicts more {fit.output} for twice the {column} of {share:.0%} of the runs.",
        f"Look at the largest {column}: undertuned or unfinished runs there bend the law upwards; leave them "
        "out for that reason, or hold the coefficient that turns.",
        rises,
    )


def _share_rising(fit: Fit, name: str) -> float:
    with np.errstate(over="ignore"):  # of numbers that no run can have
        doubled = {**fit.data.inputs, name: 2 * fit.data.inputs[name]}
    before, after = (fit.law.evaluate(inputs, fit.coefficients) for inputs in (fit.data.inputs, doubled))
    return float(np.mean(np.broadcast_to(after / (1 + 1e-9) > before, (len(fit.data),))))


CHECKS = (
    Check(
        code="no_better_than_a_constant",
        looks_for=f"An objective that meaningless coefficients reach with a chance above {BY_CHANCE:.0%}.",
        source="after Schrader and Hettmansperger 1980, Biometrika 67(1): an F test of the objective's fall",
        find=_no_better_than_a_constant,
        quick=True,
    ),
    Check(
        code="rises_with_size",
        looks_for="More loss predicted for twice the parameters, tokens or compute of a run.",
        source="own simulations",
        find=_rises_with_size,
        quick=True,
    ),
)
