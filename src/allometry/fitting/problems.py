"""From a fit's runs to the problem that the engine takes, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.engine import Problem, Samples
from allometry.fitting.objectives import Objective
from allometry.fitting.result import FitData
from allometry.fitting.scales import transform
from allometry.laws import Law

Array = NDArray[np.float64]


def pose(law: Law, data: FitData, goal: Objective, held: Mapping[str, float]) -> Problem:
    """The problem as the engine takes it."""
    arrays = tuple(data.inputs[name] for name in law.reads)
    return Problem(law=law, inputs=arrays, objective=goal, held=held)


def one_sample(data: FitData, goal: Objective) -> Samples:
    """The runs as they are."""
    return Samples(weights=data.weights[None, :], target=transform(goal.on, data.output)[None, :])


def working_point(problem: Problem, coefficients: Mapping[str, float]) -> Array:
    """Named coefficients as one point of the engine, of shape (p,)."""
    return problem.inward(np.array([coefficients[name] for name in problem.law.names]))


def named(problem: Problem, working: Array) -> dict[str, float]:
    """One point of the engine as name to value."""
    natural = problem.outward(working[None, :])[0]
    found = {name: float(value) for name, value in zip(problem.law.names, natural, strict=True)}
    return {**found, **problem.held}  # exp(log(x)) is not always x: what was given comes back bit for bit
