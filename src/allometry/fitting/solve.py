"""`fit`: the coefficients of a law that describe a table of runs best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.checks import quick_findings
from allometry.fitting.dependence import without_dependent
from allometry.fitting.engine import Minima, Problem, Samples, minimise
from allometry.fitting.identifiability import refuse_unidentifiable
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.observations import Weights, conventions, observe
from allometry.fitting.problems import named, one_sample, pose
from allometry.fitting.result import Fit, FitData, FitStatus, Starts
from allometry.fitting.scales import transform
from allometry.fitting.starting import candidates
from allometry.laws import Law, Scale, read_law
from allometry.runs.columns import COLUMNS
from allometry.runs.run import Runs

Array = NDArray[np.float64]

STARTS = 16  # searches that are polished, of several hundred places looked at
_MANY_RUNS = 20_000  # above so many, starts are looked for in as many drawn from them

AGREEMENT = 1e-9  # relative: searches this close in their objective ended in the same place


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

    >>> import pandas as pd
    >>> flops = np.array([1e15, 1e16, 1e17, 1e18, 1e19])
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    >>> found = fit("power_law_with_floor", runs, inputs={"x": "flops"})
    >>> {name: round(value, 4) for name, value in found.coefficients.items()}
    {'E': 2.0, 'A': 400.0, 'alpha': 0.15}
    """
    law = read_law(law) if isinstance(law, str) else law
    held = _held(law, hold or {})
    columns = _columns(law, inputs or {})
    column = output or law.predicts
    goal = Objective(name=objective, delta=delta, on=on or law.on)
    seen = observe(law, runs, columns, column, weights, goal.on)
    problem, _ = without_dependent(pose(law, seen.data, goal, held))
    refuse_unidentifiable(problem, columns)
    best, found = _solve(problem, one_sample(seen.data, goal), starts or STARTS, seed)
    result = Fit(
        law=law,
        coefficients=named(problem, best.working[0]),
        objective_value=_value(problem, best.working[0], seen.data),
        objective=objective,
        delta=delta,
        on=goal.on,
        held=dict(problem.held),
        status=_status(problem, best, found),
        starts=found,
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


def _solve(problem: Problem, sample: Samples, keep: int, seed: int) -> tuple[Minima, Starts]:
    """The best of many searches, as one row, and how they ended."""
    if len(problem.inputs[0]) <= _MANY_RUNS:
        minima = _search(problem, sample, keep, seed)
        best = minima.take(np.array([np.argmin(minima.value)]))
        return best, _agreement(minima, best)
    # The places to look for show in some thousand runs as well as in a million: only their ends need all.
    few, few_sample = _thinned(problem, sample, seed)
    minima = _search(few, few_sample, keep, seed)
    best = minima.take(np.array([np.argmin(minima.value)]))
    return minimise(problem, best.working, sample), _agreement(minima, best)


def _search(problem: Problem, sample: Samples, keep: int, seed: int) -> Minima:
    begun = candidates(problem, sample, seed, keep)
    minima = minimise(problem, begun, sample.of_one(len(begun)))
    if not np.isfinite(minima.value).any():
        raise FitError(
            f"Law '{problem.law.name}' has no finite value at these runs from any of {len(begun)} starts; "
            "check the units of its inputs."
        )
    return minima


def _thinned(problem: Problem, sample: Samples, seed: int) -> tuple[Problem, Samples]:
    runs = len(problem.inputs[0])
    rows = np.sort(np.random.default_rng(seed).choice(runs, _MANY_RUNS, replace=False))
    fewer = replace(problem, inputs=tuple(x[rows] for x in problem.inputs))
    return fewer, Samples(weights=sample.weights[:, rows], target=sample.target[:, rows])


def _agreement(minima: Minima, best: Minima) -> Starts:
    # A perfect description of noiseless runs leaves an objective of rounding size: compare to that.
    near = minima.value <= best.value * (1 + AGREEMENT) + 1e-20
    return Starts(
        tried=len(near), converged=int(minima.converged.sum()), agreeing=int((near & minima.converged).sum())
    )


def _status(problem: Problem, best: Minima, starts: Starts) -> FitStatus:
    if not best.converged[0]:
        return FitStatus.NOT_CONVERGED
    low, high = problem.limits
    at = best.working[0]
    if ((at <= low) | (at >= high))[~problem.fixed].any():
        return FitStatus.AT_BOUND
    return FitStatus.CONVERGED if starts.agreeing >= min(3, starts.tried) else FitStatus.DOUBTFUL


def _value(problem: Problem, working: Array, data: FitData) -> float:
    target = transform(problem.objective.on, data.output)
    return float(problem.objective.total(problem.residuals(working[None, :], target)[0], data.weights))


def _held(law: Law, hold: Mapping[str, Any]) -> dict[str, float]:
    for name, value in hold.items():
        if name not in law.names:
            known = ", ".join(law.names)
            raise InputError(
                f"Law '{law.name}' has no coefficient '{name}' to hold."
                f"{did_you_mean(name, law.names)} It has: {known}."
            )
        if law.coefficients[law.names.index(name)].positive and not value > 0:
            raise InputError(f"'{name}' can only be held above zero, not at {value}.")
    if len(hold) == len(law.names):
        raise FitError(f"All coefficients of '{law.name}' are held; leave at least one open.")
    return {name: float(value) for name, value in hold.items()}


def _columns(law: Law, inputs: Mapping[str, str]) -> dict[str, str]:
    for name in inputs:
        if name not in law.reads:
            known = ", ".join(law.reads)
            raise InputError(
                f"Law '{law.name}' reads {known}, not '{name}'.{did_you_mean(name, law.reads)} "
                f'Map them like inputs={{"{law.reads[0]}": "flops"}}.'
            )
    return {name: inputs.get(name, name) for name in law.reads}
