"""Newton's way down from many starts, which move together: arrays in, arrays out.

The step is Newton's on the exact Hessian, damped by the matrix M that iteratively reweighted least squares
would use: solve (H + lambda M) s = -g, and go only where the objective falls. Most residuals lie on the
straight part of Huber's penalty, where Gauss-Newton knows no curvature; the exact Hessian is what converges.
Newton's step does not depend on where the inputs are centred, and each system is scaled to a unit diagonal
before it is solved, so parameters and tokens enter as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.definition import Expansion, Problem, Samples

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]

_DAMPING = 1e-2  # of the first step
_AFTER_A_FALL, _AFTER_A_RISE = 0.2, 20.0  # factors of the damping: fewest evaluations on the public tables
_HOPELESS_DAMPING = 1e12
_RELATIVE_FALL = 1e-14  # a smaller fall is rounding
_SMALL_GRADIENT = 1e-8  # what one reweighted step could still gain, relative to the objective
_NO_EFFECT = 1e-12  # of doubling a coefficient, relative to the one that does most


@dataclass(frozen=True, kw_only=True)
class Tactic:
    """How a search finds its step.

    Attributes:
        convex: Use the Hessian only where it curves upwards.
        diagonal: Damp along each coefficient by itself (Marquardt 1963), which turns the step towards the
            steepest fall; else along the damping matrix, which shortens it.
        steps: The most steps of one search.
    """

    convex: bool
    diagonal: bool
    steps: int


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

    def take(self, rows: Index) -> Minima:
        """Some of the searches."""
        return Minima(working=self.working[rows], value=self.value[rows], converged=self.converged[rows])


class Descent:
    """The state of all searches; those that are active move together."""

    def __init__(self, problem: Problem, starts: Array, samples: Samples, tactic: Tactic) -> None:
        b, p = starts.shape
        self.problem, self.samples, self.tactic = problem, samples, tactic
        self.low, self.high = problem.limits
        self.at = np.where(problem.fixed, starts, np.clip(starts, self.low, self.high))
        self.trial, self.cut = self.at.copy(), np.zeros(b, dtype=np.bool_)
        self.value, self.damping = np.full(b, np.inf), np.full(b, _DAMPING / _AFTER_A_FALL)
        self.left = np.full(b, tactic.steps + 1)  # the first trial is the start itself
        self.gradient, self.hessian, self.metric = np.zeros((b, p)), np.zeros((b, p, p)), np.zeros((b, p, p))

    def run(self) -> Minima:
        """Move as many searches as stay in cache; where one ends, the next takes its place."""
        width = max(1, self.problem.runs_at_once // self.samples.weights.shape[1])
        waiting: Index = np.arange(len(self.at))
        active, samples = waiting[:0], self.samples.take(waiting[:0])
        while waiting.size or active.size:
            joining, waiting = np.split(waiting, [width - active.size])
            if joining.size or active.size < len(samples.target):
                active = np.concatenate([active, joining])
                samples = self.samples.take(active)
            active = active[self._step(active, samples)]
        return Minima(working=self.at, value=self.value, converged=self._at_rest())

    def _step(self, rows: Index, samples: Samples) -> Flags:
        """Go where the objective falls and aim anew; say which searches go on."""
        found = self.problem.derivatives(self.trial[rows], samples)
        fall, damping = self.value[rows] - found.value, self.damping[rows]
        fell = fall > 0
        self._go(rows, found, fell)
        negligible = _RELATIVE_FALL * self.value[rows]
        settled = fell & (fall <= negligible) & ~self.cut[rows] & (damping < 1)
        self.damping[rows] = damping * np.where(fell, _AFTER_A_FALL, _AFTER_A_RISE)
        settled |= self._aim(rows) <= negligible
        self.left[rows] -= 1
        hopeless = (damping > _HOPELESS_DAMPING) | ~np.isfinite(self.value[rows])
        return np.asarray(~(settled | hopeless) & (self.left[rows] > 0))

    def _go(self, rows: Index, found: Expansion, fell: Flags) -> None:
        moved = rows[fell]
        self.at[moved], self.value[moved] = self.trial[moved], found.value[fell]
        self.gradient[moved], self.hessian[moved] = found.gradient[fell], found.hessian[fell]
        self.metric[moved] = found.metric[fell]

    def _aim(self, rows: Index) -> Array:
        """Choose where to look next; by how much the objective should fall at most, infinite if unknown.

        A step that would cross a bound ends on it: clipping one coefficient alone would undo what the
        others do to make up for it, and the objective would rise.
        """
        at, step = self.at[rows], self._newton(rows)
        room = np.where(step < 0, self.low - at, self.high - at)
        share = np.where(np.abs(step) > np.abs(room), room / np.where(step == 0, 1.0, step), 1.0)
        least = share.min(axis=1, keepdims=True)
        trial = np.clip(at + least * step, self.low, self.high)
        # Land on the bound itself, not a rounding error beside it.
        trial = np.where((share == least) & (least < 1), np.where(step < 0, self.low, self.high), trial)
        self.trial[rows], self.cut[rows] = np.where(self.problem.fixed, at, trial), least[:, 0] < 1
        short = self.cut[rows] | (self.damping[rows] >= 1)
        return np.where(short, np.inf, np.abs(np.vecdot(step, self.gradient[rows])))

    def _newton(self, rows: Index) -> Array:
        """The damped step of each row."""
        at, free = self.at[rows], self._free(rows)
        hessian, metric = self.hessian[rows], self.metric[rows]
        if self.tactic.convex:
            hessian = _convex(hessian, metric, free)
        shape = metric * np.eye(at.shape[1]) if self.tactic.diagonal else metric
        damped = hessian + self.damping[rows, None, None] * shape
        step = _solve(damped, metric, -self.gradient[rows], free)
        blocked = ((at <= self.low) & (step < 0)) | ((at >= self.high) & (step > 0))
        if (blocked & free).any():
            step = _solve(damped, metric, -self.gradient[rows], free & ~blocked)
        return step

    def _at_rest(self) -> Flags:
        rows: Index = np.flatnonzero(np.isfinite(self.value))
        resting = np.zeros(len(self.value), dtype=np.bool_)
        if rows.size:
            step = _solve(self.metric[rows], self.metric[rows], -self.gradient[rows], self._free(rows))
            gain = -0.5 * np.einsum("bp,bp->b", step, self.gradient[rows])
            # A residual of 1e-13 is rounding: noiseless data end there.
            rounding = self.problem.objective.penalty(np.array([1e-12]))[0] * self.samples.weights[rows].sum(
                axis=1
            )
            resting[rows] = (gain <= _SMALL_GRADIENT * self.value[rows] + rounding) & ~self._lost(rows)
        return resting

    def _lost(self, rows: Index) -> Flags:
        """Whether a coefficient ran off to where it changes nothing any more."""
        effect = np.sqrt(np.diagonal(self.metric[rows], axis1=1, axis2=2))
        effect = effect * np.where(self.problem.logged, 1.0, np.maximum(np.abs(self.at[rows]), 1e-3))
        inside = (self.at[rows] > self.low) & (self.at[rows] < self.high) & ~self.problem.fixed
        return np.asarray((inside & (effect < _NO_EFFECT * effect.max(axis=1, keepdims=True))).any(axis=1))

    def _free(self, rows: Index) -> Flags:
        down, up = self.gradient[rows] > 0, self.gradient[rows] < 0
        stuck = ((self.at[rows] <= self.low) & down) | ((self.at[rows] >= self.high) & up)
        return ~(stuck | self.problem.fixed)


def _convex(hessian: Array, metric: Array, free: Flags) -> Array:
    """The Hessian where it curves upwards in all free directions, elsewhere the metric in its place.

    Newton's step from a place of downward curvature leads to a saddle or to another valley.
    """
    scale = np.sqrt(np.maximum(np.diagonal(metric, axis1=1, axis2=2), 1e-300))
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    both = free[:, :, None] & free[:, None, :]
    scaled = np.where(both & np.isfinite(scaled), scaled, np.eye(hessian.shape[1]))
    downward = np.linalg.eigvalsh(scaled)[:, 0] <= 0
    return np.where(downward[:, None, None], metric, hessian)


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
    return _solve_sound(scaled, target) / scale


def _solve_sound(matrix: Array, right: Array) -> Array:
    """Solve each system; one that is exactly singular gives the gradient's own direction."""
    try:
        return np.asarray(np.linalg.solve(matrix, right[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:  # one singular system stops the whole batch
        singular = np.linalg.slogdet(matrix)[0] == 0
        repaired = np.where(singular[:, None, None], np.eye(matrix.shape[1]), matrix)
        return np.asarray(np.linalg.solve(repaired, right[:, :, None])[:, :, 0])
