"""The default objective of `chinchilla` on PyPI, for our engine: an error counts tenfold above a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import allometry as al
from allometry.fitting.engine import minimise
from allometry.fitting.objectives import Objective
from allometry.fitting.problems import named, one_sample, pose
from allometry.fitting.starting import candidates

Array = NDArray[np.float64]

ABOVE = 10.0


class AsymmetricError(Objective):
    """|r| where the law lies below the run, 10 |r| where it lies above; solved as "lad" is."""

    def penalty(self, r: Array) -> Array:
        """The penalty of each residual."""
        return super().penalty(r) * _tilt(r)

    def slope(self, r: Array) -> Array:
        """First derivative of the penalty."""
        return super().slope(r) * _tilt(r)

    def curvature(self, r: Array) -> Array:
        """Second derivative of the penalty."""
        return super().curvature(r) * _tilt(r)

    def secant(self, r: Array) -> Array:
        """slope(r) / r."""
        return super().secant(r) * _tilt(r)


def mean_error(runs: al.Runs, coefficients: dict[str, float]) -> float:
    """What that package minimises and reports: the mean over runs, of raw losses."""
    inputs = {name: runs.column(name) for name in ("params", "tokens")}
    r = al.laws.chinchilla.evaluate(inputs, coefficients) - runs.column("loss")
    return float(np.mean(np.abs(r) * _tilt(r)))


def fitted(runs: al.Runs) -> dict[str, float]:
    """Chinchilla's coefficients by our engine on this objective."""
    data = al.fit("chinchilla", runs).data
    problem = pose(al.laws.chinchilla, data, AsymmetricError(name="lad", on="raw"), {})
    sample = one_sample(data, problem.objective)
    begun = candidates(problem, sample, 0)
    ends = minimise(problem, begun, sample.of_one(len(begun)))
    return named(problem, ends.working[int(np.argmin(ends.value))])


def _tilt(r: Array) -> Array:
    return np.where(r > 0, ABOVE, 1.0)
