"""Minimise many small robust problems at once: arrays in, arrays out.

One problem is one start on one resample of the runs. Legend of shapes: b problems, n runs, p coefficients.

The step is Newton's on the exact Hessian, damped by the matrix M that iteratively reweighted least squares
would use: solve (H + lambda M) s = -g, and go only where the objective falls. Most residuals lie on the
straight part of Huber's penalty, where Gauss-Newton knows no curvature; the exact Hessian is what converges.
Newton's step does not depend on where the inputs are centred, and each system is scaled to a unit diagonal
before it is solved, so parameters and tokens enter as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.objectives import Objective
from allometry.laws import Law

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]

_ELEMENTS_AT_ONCE = 60_000  # b x n of one chunk: half a megabyte an array, so that the work stays in cache
_MOST_STEPS = 150
_RELATIVE_FALL = 1e-14  # a smaller fall is rounding
_SMALL_GRADIENT = 1e-8  # what one reweighted step could still gain, relative to the objective
_HOPELESS_DAMPING = 1e12


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What all starts and resamples of one fit share.

    Attributes:
        inputs: One array of shape (n,) for each column the law reads.
        output: The measured values, of shape (n,).
        held: Coefficients that stay at a given value.
    """

    law: Law
    inputs: tuple[Array, ...]
    output: Array
    objective: Objective
    held: Mapping[str, float]

    @cached_property
    def logged(self) -> Flags:
        """Which coefficients are worked on as logarithms; shape (p,)."""
        return np.array([coefficient.positive for coefficient in self.law.coefficients], dtype=np.bool_)

    @cached_property
    def fixed(self) -> Flags:
        """Which coefficients are held; shape (p,)."""
        return np.array([name in self.held for name in self.law.names], dtype=np.bool_)

    @cached_property
    def limits(self) -> tuple[Array, Array]:
        """Lower and upper bounds of the working coefficients."""
        bounds = np.array([coefficient.bounds for coefficient in self.law.coefficients], dtype=np.float64)
        bounds[self.logged, 0] = np.maximum(bounds[self.logged, 0], 1e-300)
        return self.inward(bounds[:, 0]), self.inward(bounds[:, 1])

    def inward(self, natural_bp: Array) -> Array:
        """From coefficients as a user knows them to the working ones."""
        working = np.array(natural_bp, dtype=np.float64)
        working[..., self.logged] = np.log(working[..., self.logged])
        return working

    def outward(self, working_bp: Array) -> Array:
        """From working coefficients to those a user knows; held ones come back bit for bit."""
        natural = np.array(working_bp, dtype=np.float64)
        natural[..., self.logged] = np.exp(natural[..., self.logged])
        for place in np.flatnonzero(self.fixed):
            natural[..., place] = self.held[self.law.names[place]]
        return natural

    def predicted(self, working_bp: Array) -> Array:
        """The law at the runs, of shape (b, n)."""
        value = self.law.derivation.value(self.inputs, self._columns(working_bp))
        return np.broadcast_to(value, (len(working_bp), len(self.output)))

    def residuals(self, working_bp: Array) -> Array:
        """Law minus run, of the logs or raw, of shape (b, n); NaN where the law has no logarithm."""
        return self._compare(self.predicted(working_bp))

    def penalties(self, working_bp: Array) -> Array:
        """Each run's penalty at each candidate, of shape (b, n); infinite where the law is undefined."""
        each = self.objective.penalty(self.residuals(working_bp))
        return np.where(np.isnan(each), np.inf, each)

    def sums(self, working_bp: Array, weights_bn: Array) -> Array:
        """The objective, of shape (b,)."""
        with np.errstate(all="ignore"):
            total = np.einsum("bn,bn->b", self.penalties(working_bp), weights_bn)
        return np.where(np.isnan(total), np.inf, total)

    def derivatives(self, working_bp: Array, weights_bn: Array) -> tuple[Array, Array, Array]:
        """Gradient (b, p), Hessian and damping matrix (b, p, p) of the objective."""
        derivation = self.law.derivation
        value, first, second = derivation.second_order(self.inputs, self._columns(working_bp))
        f = np.broadcast_to(value, weights_bn.shape)
        r = self._compare(f)
        pull = weights_bn * self.objective.slope(r)
        bend = weights_bn * self.objective.curvature(r)
        # d log f = df / f, and its second derivative loses the square of the first.
        over_f, bend = (1 / f, bend - pull) if self.objective.on == "log" else (np.ones_like(f), bend)
        chain = np.where(self.logged, self.outward(working_bp), 1.0)  # dc / d(working c)
        jacobian = np.empty((*chain.shape, f.shape[1]))
        for i, part in enumerate(first):
            jacobian[:, i] = part * over_f * chain[:, i, None]
        gradient = np.einsum("bpn,bn->bp", jacobian, pull)
        hessian = _weighted_square(jacobian, bend)
        for (i, j), part in zip(derivation.pairs, second, strict=True):
            term = np.sum(pull * over_f * part, axis=1) * chain[:, i] * chain[:, j]
            hessian[:, i, j] += term
            if i != j:
                hessian[:, j, i] += term
        diagonal = np.arange(len(first))
        hessian[:, diagonal, diagonal] += np.where(self.logged, gradient, 0.0)  # c² f'' + c f' of c = exp(t)
        return gradient, hessian, _weighted_square(jacobian, weights_bn * self.objective.secant(r))

    def _compare(self, predicted_bn: Array) -> Array:
        if self.objective.on == "raw":
            return np.asarray(predicted_bn - self.output)
        with np.errstate(all="ignore"):
            return np.asarray(np.log(predicted_bn) - np.log(self.output))

    def _columns(self, working_bp: Array) -> tuple[Array, ...]:
        return tuple(self.outward(working_bp).T[:, :, None])


@dataclass(frozen=True, kw_only=True)
class Minima:
    """Where b searches ended.

    Attributes:
        working: Working coefficients, of shape (b, p).
        value: The objective there, of shape (b,); of the last smoothing stage.
        converged: No step falls further and the gradient is as good as zero; shape (b,).
    """

    working: Array
    value: Array
    converged: Flags


def minimise(problem: Problem, starts_bp: Array, weights_bn: Array) -> Minima:
    """Search from each start for the least objective under its own weights.

    Args:
        starts_bp: Working coefficients.
        weights_bn: Inverse variances, or how often a resample holds each run; of shape (b, n) or (n,).
    """
    weights = np.broadcast_to(weights_bn, (len(starts_bp), len(problem.output)))
    size = max(1, _ELEMENTS_AT_ONCE // len(problem.output))
    parts = [
        _minimise_in_stages(problem, starts_bp[at : at + size], np.ascontiguousarray(weights[at : at + size]))
        for at in range(0, len(starts_bp), size)
    ]
    return Minima(
        working=np.concatenate([part.working for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        converged=np.concatenate([part.converged for part in parts]),
    )


def _minimise_in_stages(problem: Problem, starts: Array, weights: Array) -> Minima:
    end = Minima(working=starts, value=np.zeros(len(starts)), converged=np.zeros(len(starts), dtype=np.bool_))
    for objective in problem.objective.stages():
        with np.errstate(all="ignore"):  # a trial may overflow; it is then not accepted
            end = _Search(replace(problem, objective=objective), end.working, weights).run()
    return end


class _Search:
    """The state of one chunk of searches; the active ones move together."""

    def __init__(self, problem: Problem, starts: Array, weights: Array) -> None:
        b, p = starts.shape
        self.problem, self.weights = problem, weights
        self.low, self.high = problem.limits
        self.at = np.where(problem.fixed, starts, np.clip(starts, self.low, self.high))
        self.value = problem.sums(self.at, weights)
        self.damping = np.full(b, 1e-2)
        self.gradient, self.hessian, self.metric = np.empty((b, p)), np.empty((b, p, p)), np.empty((b, p, p))

    def run(self) -> Minima:
        active: Index = np.flatnonzero(np.isfinite(self.value))
        moved = active
        for _ in range(_MOST_STEPS):
            self._differentiate(moved)
            fell, finished = self._step(active)
            moved, active = active[fell & ~finished], active[~finished]
            if not active.size:
                break
        return Minima(working=self.at, value=self.value, converged=self._at_rest())

    def _differentiate(self, rows: Index) -> None:
        if rows.size:
            found = self.problem.derivatives(self.at[rows], self.weights[rows])
            self.gradient[rows], self.hessian[rows], self.metric[rows] = found

    def _step(self, rows: Index) -> tuple[Flags, Flags]:
        """Try one step for each row; say which objectives fell and which searches are over."""
        free = self._free(rows)
        damped = self.hessian[rows] + self.damping[rows, None, None] * self.metric[rows]
        step = _solve(damped, self.metric[rows], -self.gradient[rows], free)
        trial = np.clip(self.at[rows] + step, self.low, self.high)
        trial = np.where(self.problem.fixed, self.at[rows], trial)
        value = self.problem.sums(trial, self.weights[rows])
        fall = self.value[rows] - value
        fell = fall > 0
        small = fall <= _RELATIVE_FALL * self.value[rows]
        finished = (fell & small & (self.damping[rows] < 1)) | (self.damping[rows] > _HOPELESS_DAMPING)
        self.at[rows[fell]], self.value[rows[fell]] = trial[fell], value[fell]
        self.damping[rows] *= np.where(fell, 0.1, 8.0)
        return fell, finished

    def _at_rest(self) -> Flags:
        rows: Index = np.flatnonzero(np.isfinite(self.value))
        resting = np.zeros(len(self.value), dtype=np.bool_)
        if rows.size:
            self._differentiate(rows)
            step = _solve(self.metric[rows], self.metric[rows], -self.gradient[rows], self._free(rows))
            gain = -0.5 * np.einsum("bp,bp->b", step, self.gradient[rows])
            # A residual of 1e-13 is rounding: noiseless data end there.
            rounding = self.problem.objective.penalty(np.array([1e-12]))[0] * self.weights[rows].sum(axis=1)
            resting[rows] = gain <= _SMALL_GRADIENT * self.value[rows] + rounding
        return resting

    def _free(self, rows: Index) -> Flags:
        down, up = self.gradient[rows] > 0, self.gradient[rows] < 0
        stuck = ((self.at[rows] <= self.low) & down) | ((self.at[rows] >= self.high) & up)
        return ~(stuck | self.problem.fixed)


def _weighted_square(jacobian_bpn: Array, weights_bn: Array) -> Array:
    return np.asarray((jacobian_bpn * weights_bn[:, None, :]) @ jacobian_bpn.transpose(0, 2, 1))


def _solve(matrix: Array, metric: Array, right: Array, free: Flags) -> Array:
    """Solve for the free coefficients, each system scaled to the metric's unit diagonal first."""
    scale = np.sqrt(np.diagonal(metric, axis1=1, axis2=2))
    scale = np.where(free & (scale > 1e-150), scale, 1.0)
    scaled = matrix / (scale[:, :, None] * scale[:, None, :])
    scaled = np.where(free[:, :, None] & free[:, None, :], scaled, 0.0)
    # The ridge is a thousandth of rounding for a sound system and keeps a singular one solvable.
    scaled += np.where(free, 1e-14, 1.0)[:, :, None] * np.eye(matrix.shape[1])
    sound = np.isfinite(scaled).all(axis=(1, 2))
    scaled[~sound] = np.eye(matrix.shape[1])
    target = np.where(free & np.isfinite(right), right, 0.0) / scale
    return np.asarray(np.linalg.solve(scaled, target[:, :, None])[:, :, 0] / scale)
