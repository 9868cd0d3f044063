"""From a problem to its best coefficients: the search that every fit and refit goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.dependence import without_dependent
from allometry.fitting.engine import Minima, Problem, Samples, minimise
from allometry.fitting.identifiability import refuse_unidentifiable
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.problems import named, one_sample, pose
from allometry.fitting.result import Fit, FitData, FitStatus, Starts
from allometry.fitting.scales import transform
from allometry.fitting.starting import candidates
from allometry.laws import Law, Scale

Array = NDArray[np.float64]

STARTS = 16  # searches that are polished, of several hundred places looked at
_MANY_RUNS = 20_000  # above so many, starts are looked for in as many drawn from them
AGREEMENT = 1e-9  # relative: searches this close in their objective ended in the same place


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What a search found.

    Attributes:
        held: Coefficients that were given, and exponents of inputs that depend on the others.
    """

    coefficients: Mapping[str, float]
    objective_value: float
    status: FitStatus
    starts: Starts
    held: Mapping[str, float]


def solve(
    law: Law,
    data: FitData,
    goal: Objective,
    *,
    held: Mapping[str, float],
    columns: Mapping[str, str],
    starts: int = STARTS,
    seed: int = 0,
) -> Solution:
    """Search from many starts.

    Raises:
        FitError: If the runs cannot carry the law.
    """
    problem = without_dependent(pose(law, data, goal, held))[0]
    # Of a fixed multiple each size has one compute, so that either stands for the other.
    refuse_unidentifiable(problem, columns, compute="flops" if "flops" in data.facts.columns else "params")
    best, found = _solve(problem, one_sample(data, goal), starts, seed)
    return Solution(
        coefficients=named(problem, best.working[0]),
        objective_value=_value(problem, best.working[0], data),
        status=_status(problem, best, found),
        starts=found,
        held=dict(problem.held),
    )


def refit(
    fit: Fit,
    *,
    data: FitData | None = None,
    objective: ObjectiveName | None = None,
    delta: float | None = None,
    on: Scale | None = None,
    hold: Mapping[str, float] | None = None,
    starts: int | None = None,
) -> Fit:
    """The same law fitted again from the stored runs, with what is changed; without findings or draws.

    With nothing changed it gives the stored coefficients to the last digit.

    Raises:
        FitError: If the changed runs cannot carry the law.
    """
    goal = Objective(name=objective or fit.objective, delta=delta or fit.delta, on=on or fit.on)
    data = data or fit.data
    held = fit.held if hold is None else hold
    found = solve(
        fit.law, data, goal, held=held, columns=fit.inputs, starts=starts or fit.starts.tried, seed=fit.seed
    )
    return replace(
        fit,
        coefficients=found.coefficients,
        objective_value=found.objective_value,
        objective=goal.name,
        delta=goal.delta,
        on=goal.on,
        held=found.held,
        status=found.status,
        starts=found.starts,
        data=data,
        findings=(),
        draws=None,
        drawn=None,
    )


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
    minima = minimise(problem, begun, sample.of_one(len(begun)), rivals=len(begun))
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
