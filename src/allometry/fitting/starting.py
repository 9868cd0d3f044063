"""Where to start: nobody is asked for a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.engine import Problem, Samples
from allometry.fitting.scales import invert
from allometry.laws import Coefficient, Law

Array = NDArray[np.float64]

_LEVELS = {0: 1, 1: 96, 2: 24}  # values tried of each nonlinear coefficient
_SPREAD = 512  # points of a space-filling set, for three or more
_SPREAD_ALL = 4096  # the same where nothing is linear, so that nothing is solved for
_ELEMENTS_AT_ONCE = 100_000  # candidates x runs looked at together, so that memory stays bounded


def candidates(problem: Problem, sample: Samples, seed: int, keep: int = 16) -> Array:
    """The `keep` best of many places to look from, best first, as working coefficients (keep, p).

    The coefficients in which the law is linear are solved for (variable projection, Golub and Pereyra
    1973); the others take a grid, or a Sobol set where there are three or more.
    """
    places = spread(problem, seed)
    linear = _linear(problem)
    size = max(1, _ELEMENTS_AT_ONCE // len(problem.inputs[0]))
    found, value = [], []
    for at in range(0, len(places), size):
        natural = places[at : at + size]
        if linear:
            with np.errstate(
                all="ignore"
            ):  # of places where the law overflows, which sort last by themselves
                natural[:, linear] = _solve_linear(problem, sample, natural, linear)
        found.append(problem.inward(natural))
        value.append(problem.sums(found[-1], sample.of_one(len(natural))))
    order = np.argsort(np.concatenate(value), kind="stable")
    return np.asarray(np.concatenate(found)[order[:keep]])


def spread(problem: Problem, seed: int) -> Array:
    """Coefficients all over their start ranges, of shape (many, p); linear ones at 1, held ones as given."""
    linear = _linear(problem)
    places = [int(place) for place in np.flatnonzero(~problem.fixed) if place not in linear]
    unit = _unit_points(len(places), bool(linear), seed)
    natural = np.ones((len(unit), len(problem.law.names)))
    for place in map(int, np.flatnonzero(problem.fixed)):
        natural[:, place] = problem.held[problem.law.names[place]]
    inputs = dict(zip(problem.law.reads, problem.inputs, strict=True))
    for column, place in enumerate(places):
        low, high = start_range(problem.law, problem.law.coefficients[place], inputs)
        # In equal ratios where both ends are above zero: 0.1 and 0.2 differ more than 1.1 and 1.2 do.
        ratio = high / low if low > 0 else 1.0
        step = unit[:, column]
        natural[:, place] = low * ratio**step if low > 0 else low + step * (high - low)
    return natural


def start_range(law: Law, coefficient: Coefficient, inputs: Mapping[str, Array]) -> tuple[float, float]:
    """Where to look for a coefficient: its own range, or one measured in the range of an input."""
    if not coefficient.of:
        return coefficient.low, coefficient.high
    least, most = float(inputs[coefficient.of].min()), float(inputs[coefficient.of].max())
    if law.inputs[law.reads.index(coefficient.of)].positive:
        return coefficient.low * least, coefficient.high * most
    return least + coefficient.low * (most - least), least + coefficient.high * (most - least)


def _linear(problem: Problem) -> list[int]:
    return [place for place in problem.law.derivation.linear if not problem.fixed[place]]


@lru_cache(maxsize=16)  # a Sobol set takes longer to make than to look at
def _unit_points(dimensions: int, solved: bool, seed: int) -> Array:
    """Shared by all who ask: read it only."""
    if solved and dimensions in _LEVELS:
        axis = np.linspace(0, 1, _LEVELS[dimensions])
        points = np.array(list(product(axis, repeat=dimensions)), dtype=np.float64)
        return np.asarray(points.reshape(len(axis) ** dimensions, dimensions))
    from scipy.stats import qmc

    count = _SPREAD if solved else _SPREAD_ALL
    return np.asarray(qmc.Sobol(dimensions, rng=seed).random(count))


def _solve_linear(problem: Problem, sample: Samples, natural: Array, linear: Sequence[int]) -> Array:
    """Least squares for the linear coefficients at each candidate, none of the positive ones below zero."""
    without = natural.copy()
    without[:, list(linear)] = 0.0
    value, first, _ = problem.law.derivation.second_order(problem.inputs, tuple(without.T[:, :, None]))
    output = invert(problem.objective.on, sample.target[0])
    shape = (len(natural), len(output))
    # Relative errors of the raw output stand in for errors of its logarithm.
    root = np.sqrt(sample.weights[0]) / (output if problem.objective.on == "log" else 1.0)
    basis = np.stack([np.broadcast_to(first[place], shape) * root for place in linear], axis=1)
    target = (output - np.broadcast_to(value, shape)) * root
    usable = np.isfinite(basis).all(axis=(1, 2)) & np.isfinite(target).all(axis=1)
    basis[~usable], target[~usable] = 0.0, 0.0  # a place where the law is undefined sorts last by itself
    found = _non_negative(basis, target, problem.not_negative[list(linear)])
    # A term at zero has no logarithm: start it at a thousandth of the output instead.
    norm = np.sqrt(np.einsum("bqn,bqn->bq", basis, basis))
    least = 1e-3 * np.linalg.norm(output * root) / np.maximum(norm, 1e-300)
    return np.where(problem.logged[list(linear)], np.maximum(found, least), found)


def _non_negative(basis_bqn: Array, target_bn: Array, positive_q: NDArray[np.bool_]) -> Array:
    """Exact non-negative least squares: try every set of terms left out, keep the best feasible one."""
    b, q, _ = basis_bqn.shape
    norm = np.maximum(np.sqrt(np.einsum("bqn,bqn->bq", basis_bqn, basis_bqn)), 1e-300)
    unit = basis_bqn / norm[:, :, None]
    square, right = unit @ unit.transpose(0, 2, 1), np.einsum("bqn,bn->bq", unit, target_bn)
    best, least = np.zeros((b, q)), np.zeros(b)  # all left out: a residual of the target itself, taken as 0
    for kept in product((True, False), repeat=q):
        mask = np.array(kept)
        if not mask.any() or not (mask | positive_q).all():
            continue  # only a coefficient that may not be below zero has a reason to be left out
        matrix = np.where(mask[:, None] & mask[None, :], square, 0.0) + np.diag(np.where(mask, 1e-12, 1.0))
        solved = np.linalg.solve(matrix, np.where(mask, right, 0.0)[:, :, None])[:, :, 0]
        change = -np.einsum("bq,bq->b", solved, np.where(mask, right, 0.0))
        better = (change < least) & ~((solved < 0) & positive_q).any(axis=1)
        best[better], least[better] = solved[better], change[better]
    return np.asarray(best / norm)
