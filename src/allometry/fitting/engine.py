"""Minimise many small robust problems at once: arrays in, arrays out.

One problem is one start on one resample of the runs. Legend of shapes: b problems, n runs, p coefficients.

The step is Newton's on the exact Hessian, damped by the matrix M that iteratively reweighted least squares
would use: solve (H + lambda M) s = -g, and go only where the objective falls. Most residuals lie on the
straight part of Huber's penalty, where Gauss-Newton knows no curvature; the exact Hessian is what converges.
Newton's step does not depend on where the inputs are centred, and each system is scaled to a unit diagonal
before it is solved, so parameters and tokens enter as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.objectives import Objective
from allometry.fitting.scales import derivatives, transform
from allometry.laws import Law

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]

_ELEMENTS_AT_ONCE = 60_000  # b x n of one chunk: half a megabyte an array, so that the work stays in cache
_STEPS_ON_THE_WAY = 25
_RETRIES = 6  # of searches without rest
_RELATIVE_FALL = 1e-14  # a smaller fall is rounding
_SMALL_GRADIENT = 1e-8  # what one reweighted step could still gain, relative to the objective
_HOPELESS_DAMPING = 1e12
_SAME = 1e-10  # relative difference of two ends that no use can tell apart
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


_TACTICS = (
    Tactic(convex=True, diagonal=False, steps=150),
    Tactic(convex=True, diagonal=True, steps=600),
    Tactic(convex=False, diagonal=False, steps=300),
)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What differs between problems: how much each run counts, and what was measured.

    Attributes:
        weights: Inverse variances, or how often a resample holds each run; of shape (b, n).
        target: Measured or simulated values on the scale of comparison, of shape (b, n).
    """

    weights: Array
    target: Array

    def take(self, rows: Index | slice) -> Samples:
        """Some of the problems."""
        return Samples(weights=self.weights[rows], target=self.target[rows])

    def of_one(self, count: int) -> Samples:
        """The first problem, for `count` starts."""
        shape = (count, self.target.shape[1])
        return Samples(
            weights=np.broadcast_to(self.weights[0], shape), target=np.broadcast_to(self.target[0], shape)
        )

    def repeated(self, times: int) -> Samples:
        """Each problem `times` times, one after the other."""
        return Samples(
            weights=np.repeat(self.weights, times, axis=0), target=np.repeat(self.target, times, axis=0)
        )


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What all starts and resamples of one fit share.

    Attributes:
        inputs: One array of shape (n,) for each column the law reads.
        held: Coefficients that stay at a given value; a search keeps them where its start has them.
    """

    law: Law
    inputs: tuple[Array, ...]
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
        bounds[self.logged] = np.clip(bounds[self.logged], 1e-300, 1e300)
        return self.inward(bounds[:, 0]), self.inward(bounds[:, 1])

    @cached_property
    def not_negative(self) -> Flags:
        """Which coefficients may not be below zero; shape (p,)."""
        return np.array([c.positive or c.bounds[0] >= 0 for c in self.law.coefficients], dtype=np.bool_)

    def inward(self, natural_bp: Array) -> Array:
        """From coefficients as a user knows them to the working ones."""
        working = np.array(natural_bp, dtype=np.float64)
        with np.errstate(divide="ignore"):  # a start of zero: the search begins at the bound instead
            working[..., self.logged] = np.log(working[..., self.logged])
        return working

    def outward(self, working_bp: Array) -> Array:
        """From working coefficients to those a user knows."""
        natural = np.array(working_bp, dtype=np.float64)
        with np.errstate(over="ignore"):  # a place that no start range foresaw: its objective is infinite
            natural[..., self.logged] = np.exp(natural[..., self.logged])
        return natural

    def predicted(self, working_bp: Array) -> Array:
        """The law at the runs, of shape (b, n); infinite or NaN where it has no value."""
        with np.errstate(all="ignore"):
            value = self.law.derivation.value(self.inputs, self._columns(working_bp))
        return np.broadcast_to(value, (len(working_bp), len(self.inputs[0])))

    def residuals(self, working_bp: Array, target: Array) -> Array:
        """Law minus run on the scale of comparison, of shape (b, n); NaN where the law has no place on it."""
        return transform(self.objective.on, self.predicted(working_bp)) - target

    def sums(self, working_bp: Array, samples: Samples) -> Array:
        """The objective, of shape (b,); infinite where the law is undefined."""
        with np.errstate(all="ignore"):
            each = self.objective.penalty(self.residuals(working_bp, samples.target))
            total = np.einsum("bn,bn->b", each, samples.weights)
        return np.where(np.isnan(total), np.inf, total)

    def derivatives(self, working_bp: Array, samples: Samples) -> tuple[Array, Array, Array]:
        """Gradient (b, p), Hessian and damping matrix (b, p, p) of the objective."""
        derivation, weights_bn = self.law.derivation, samples.weights
        value, first, second = derivation.second_order(self.inputs, self._columns(working_bp))
        f = np.broadcast_to(value, weights_bn.shape)
        r = transform(self.objective.on, f) - samples.target
        rate, bent = derivatives(self.objective.on, f)
        pull = weights_bn * self.objective.slope(r)
        bend = weights_bn * self.objective.curvature(r) + pull * bent
        jacobian = np.empty((len(f), len(first), f.shape[1]))
        for i, part in enumerate(first):
            np.multiply(part, rate, out=jacobian[:, i])
        chain = np.where(self.logged, self.outward(working_bp), 1.0)  # dc / d(working c)
        both = chain[:, :, None] * chain[:, None, :]
        gradient = np.einsum("bpn,bn->bp", jacobian, pull) * chain
        hessian = _weighted_square(jacobian, bend)
        pull *= rate
        for (i, j), part in zip(derivation.pairs, second, strict=True):
            term = np.einsum("bn,bn->b", pull, np.broadcast_to(part, pull.shape))
            hessian[:, i, j] += term
            if i != j:
                hessian[:, j, i] += term
        hessian *= both
        diagonal = np.arange(len(first))
        hessian[:, diagonal, diagonal] += np.where(self.logged, gradient, 0.0)  # c² f'' + c f' of c = exp(t)
        metric = _weighted_square(jacobian, weights_bn * self.objective.secant(r))
        return gradient, hessian, metric * both

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

    def take(self, rows: Index) -> Minima:
        """Some of the searches."""
        return Minima(working=self.working[rows], value=self.value[rows], converged=self.converged[rows])


def minimise(problem: Problem, starts_bp: Array, samples: Samples, *, rivals: int = 1) -> Minima:
    """Search from each start, in working coefficients, for the least objective of its own sample.

    Args:
        rivals: So many consecutive starts share a sample, and only the lowest end counts: one that is lost is
            given up where another came to rest no higher.
    """
    size = rivals * max(1, _ELEMENTS_AT_ONCE // len(problem.inputs[0]) // rivals)
    parts = [
        _minimise_chunk(problem, starts_bp[at : at + size], samples.take(slice(at, at + size)), rivals)
        for at in range(0, len(starts_bp), size)
    ]
    return joined(parts)


def joined(parts: Sequence[Minima]) -> Minima:
    """Searches that were made one after the other, as one."""
    return Minima(
        working=np.concatenate([part.working for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        converged=np.concatenate([part.converged for part in parts]),
    )


def _minimise_chunk(problem: Problem, starts: Array, samples: Samples, rivals: int) -> Minima:
    stages, smoothed = problem.objective.stages(), problem.objective.smoothed()
    end = _minimise_in_stages(problem, starts, samples, stages, _TACTICS[0])
    # One that got stuck between kinks goes on over smoother objectives; one that is lost begins again by
    # other means.
    for attempt in range(_RETRIES):
        rows = _lost(end, rivals)
        if not rows.size:
            break
        tactic = _TACTICS[attempt] if attempt < len(_TACTICS) else _TACTICS[0]
        fresh = tactic is not _TACTICS[0]
        begun = starts[rows] if fresh else end.working[rows]
        found = _minimise_in_stages(problem, begun, samples.take(rows), stages if fresh else smoothed, tactic)
        end = _improved(end, rows, found)
    return end


def _lost(end: Minima, rivals: int) -> Index:
    """Searches without rest that no rival of theirs has made needless."""
    at_rest = np.where(end.converged, end.value, np.inf).reshape(-1, rivals).min(axis=1)
    lower = end.value < np.repeat(at_rest, rivals) * (1 - _SAME)
    return np.flatnonzero(~end.converged & (lower if rivals > 1 else True))


def _improved(end: Minima, rows: Index, found: Minima) -> Minima:
    """Put what was found in place where it is lower, or where it came to rest no higher."""
    better = (found.value < end.value[rows]) | (found.converged & (found.value <= end.value[rows]))
    working, value, converged = end.working.copy(), end.value.copy(), end.converged.copy()
    working[rows[better]], value[rows[better]] = found.working[better], found.value[better]
    converged[rows[better]] = found.converged[better]
    return Minima(working=working, value=value, converged=converged)


def _minimise_in_stages(
    problem: Problem, starts: Array, samples: Samples, stages: tuple[Objective, ...], tactic: Tactic
) -> Minima:
    end = Minima(working=starts, value=np.zeros(len(starts)), converged=np.zeros(len(starts), dtype=np.bool_))
    for objective in stages:
        # All but the last stage only show the way to the next: they need no rest.
        brief = tactic if objective is stages[-1] else replace(tactic, steps=_STEPS_ON_THE_WAY)
        with np.errstate(all="ignore"):  # a trial may overflow; it is then not accepted
            end = _Search(replace(problem, objective=objective), end.working, samples, brief).run()
    return end


class _Search:
    """The state of one chunk of searches; the active ones move together."""

    def __init__(self, problem: Problem, starts: Array, samples: Samples, tactic: Tactic) -> None:
        b, p = starts.shape
        self.problem, self.samples, self.tactic = problem, samples, tactic
        self.low, self.high = problem.limits
        self.at = np.where(problem.fixed, starts, np.clip(starts, self.low, self.high))
        self.value = problem.sums(self.at, samples)
        self.damping = np.full(b, 1e-2)
        self.gradient, self.hessian, self.metric = np.empty((b, p)), np.empty((b, p, p)), np.empty((b, p, p))

    def run(self) -> Minima:
        active: Index = np.flatnonzero(np.isfinite(self.value))
        moved = active
        for _ in range(self.tactic.steps):
            self._differentiate(moved)
            fell, finished = self._step(active)
            moved, active = active[fell & ~finished], active[~finished]
            if not active.size:
                break
        return Minima(working=self.at, value=self.value, converged=self._at_rest())

    def _differentiate(self, rows: Index) -> None:
        if rows.size:
            found = self.problem.derivatives(self.at[rows], self.samples.take(rows))
            self.gradient[rows], self.hessian[rows], self.metric[rows] = found

    def _step(self, rows: Index) -> tuple[Flags, Flags]:
        """Try one step for each row; say which objectives fell and which searches are over."""
        trial, cut = self._trial(rows)
        value = self.problem.sums(trial, self.samples.take(rows))
        fall = self.value[rows] - value
        fell = fall > 0
        small = (fall <= _RELATIVE_FALL * self.value[rows]) & ~cut
        finished = (fell & small & (self.damping[rows] < 1)) | (self.damping[rows] > _HOPELESS_DAMPING)
        self.at[rows[fell]], self.value[rows[fell]] = trial[fell], value[fell]
        self.damping[rows] *= np.where(fell, 0.1, 8.0)
        return fell, finished

    def _trial(self, rows: Index) -> tuple[Array, Flags]:
        """Where to go next, and whether a bound cut the way short.

        A step that would cross a bound ends on it: clipping one coefficient alone would undo what the
        others do to make up for it, and the objective would rise.
        """
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
        room = np.where(step < 0, self.low - at, self.high - at)
        share = np.where(np.abs(step) > np.abs(room), room / np.where(step == 0, 1.0, step), 1.0)
        least = share.min(axis=1, keepdims=True)
        trial = np.clip(at + least * step, self.low, self.high)
        # Land on the bound itself, not a rounding error beside it.
        trial = np.where((share == least) & (least < 1), np.where(step < 0, self.low, self.high), trial)
        return np.where(self.problem.fixed, at, trial), (least < 1)[:, 0]

    def _at_rest(self) -> Flags:
        rows: Index = np.flatnonzero(np.isfinite(self.value))
        resting = np.zeros(len(self.value), dtype=np.bool_)
        if rows.size:
            self._differentiate(rows)
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


def _weighted_square(jacobian_bpn: Array, weights_bn: Array) -> Array:
    return np.asarray((jacobian_bpn * weights_bn[:, None, :]) @ jacobian_bpn.transpose(0, 2, 1))


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
