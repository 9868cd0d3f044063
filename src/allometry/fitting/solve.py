"""`fit`: the coefficients of a law that describe a table of runs best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.arguments import is_number, refuse_other_than_runs, refuse_uncountable
from allometry.fitting.checks import quick_findings
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.observations import Weights, conventions, observe
from allometry.fitting.result import Fit
from allometry.fitting.search import STARTS, solve
from allometry.laws import Coefficient, Law, Scale, read_law
from allometry.runs.columns import COLUMNS
from allometry.runs.run import Runs


def fit(
    law: Law | str,
    runs: Runs,
    *,
    objective: ObjectiveName = "huber",
    delta: float = 1e-3,
    on: Scale | None = None,
    weights: Weights = None,
    hold: Mapping[str, float] | None = None,
    inputs: Mapping[str, str] | None = None,
    output: str | None = None,
    starts: int | None = None,
    seed: int = 0,
) -> Fit:
    """Fit a law to runs that are done and fully decayed.

    Args:
        law: A law, its catalog name, or "mylaws.py:my_law".
        objective: "huber", "lad", "least_squares" or "lower_envelope" (see `allometry.fitting.objectives`).
        delta: Residual beyond which a run's pull stays the same, in units of the (log) output.
        on: Compare "log", "raw" or "logit" outputs; the law's own scale if not given, "log" for a loss.
        weights: Inverse variances: a column, or one number for each row of the table.
        hold: Coefficients to keep at a value, for example {"E": 1.69}.
        inputs: The law's input name to column, where they differ: {"x": "flops"}.
        output: Column to predict, where it is not the law's own: "bits_per_byte".
        starts: Searches to polish; the best of several hundred candidates are taken. 16 by default.
        seed: Seed of the space-filling candidates of laws with three or more nonlinear coefficients.

    Raises:
        FitError: If the runs cannot carry the law: too few, an input that does not vary, tokens that are
            the same multiple of params in all runs.
        InputError: If an argument is none of those it can be.

    >>> import numpy as np, pandas as pd
    >>> flops = np.array([1e15, 1e16, 1e17, 1e18, 1e19])
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    >>> found = fit("power_law_with_floor", runs, inputs={"x": "flops"})
    >>> {name: round(value, 4) for name, value in found.coefficients.items()}
    {'E': 2.0, 'A': 400.0, 'alpha': 0.15}
    """
    refuse_other_than_runs(runs)
    refuse_uncountable("seed", seed, 0)
    refuse_uncountable("starts", STARTS if starts is None else starts, 1)
    law = read_law(law) if isinstance(law, str) else law
    held = _held(law, hold or {})
    columns = _columns(law, inputs or {})
    column = output or law.predicts
    goal = Objective(name=objective, delta=delta, on=on or law.on)
    seen = observe(law, runs, columns, column, weights, goal.on)
    found = solve(law, seen.data, goal, held=held, columns=columns, starts=starts or STARTS, seed=seed)
    result = Fit(
        law=law,
        coefficients=found.coefficients,
        objective_value=found.objective_value,
        objective=objective,
        delta=delta,
        on=goal.on,
        held=found.held,
        status=found.status,
        starts=found.starts,
        seed=seed,
        weighting=seen.weighting,
        inputs=columns,
        output=column,
        unit=COLUMNS[column].unit if column in COLUMNS else "",
        conventions=conventions(runs),
        filters=seen.filters,
        source=runs.source,
        data=seen.data,
    )
    return replace(result, findings=tuple(quick_findings(result)))


def _held(law: Law, hold: Mapping[str, Any]) -> dict[str, float]:
    for name, value in hold.items():
        if name not in law.names:
            known = ", ".join(law.names)
            raise InputError(
                f"Law '{law.name}' has no coefficient '{name}' to hold."
                f"{did_you_mean(name, law.names)} It has: {known}."
            )
        _refuse_outside(law.coefficients[law.names.index(name)], value)
    if len(hold) == len(law.names):
        raise FitError(f"All coefficients of '{law.name}' are held; leave at least one open.")
    return {name: float(value) for name, value in hold.items()}


def _refuse_outside(coefficient: Coefficient, value: object) -> None:
    name, (low, high) = coefficient.name, coefficient.bounds
    if not is_number(value):
        raise InputError(f"'{name}' can only be held at a number, not at {value!r}.")
    if coefficient.positive and not float(value) > 0:  # type: ignore[arg-type]  # a number, as just seen
        raise InputError(f"'{name}' can only be held above zero, not at {value}.")
    if not low <= float(value) <= high:  # type: ignore[arg-type]
        raise InputError(
            f"The law allows '{name}' from {low:g} to {high:g}, so it cannot be held at {value}."
        )


def _columns(law: Law, inputs: Mapping[str, str]) -> dict[str, str]:
    for name in inputs:
        if name not in law.reads:
            known = ", ".join(law.reads)
            raise InputError(
                f"Law '{law.name}' reads {known}, not '{name}'.{did_you_mean(name, law.reads)} "
                f'Map them like inputs={{"{law.reads[0]}": "flops"}}.'
            )
    return {name: inputs.get(name, name) for name in law.reads}
