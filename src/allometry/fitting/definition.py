"""What a search minimises: the objective of one fit's problem, and its derivatives.

Legend of shapes: b places, n runs, p coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.objectives import Objective
from allometry.fitting.scales import derivatives, transform
from allometry.laws import Law

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Flags = NDArray[np.bool_]

# Numbers that one expansion holds. The work then stays in cache, and what it frees is too little for the
# allocator to hand back: getting pages again from the system takes as long as all the arithmetic.
_NUMBERS_AT_ONCE = 600_000
_WORTH_CONDENSING = 0.8  # share of runs that is left: choosing them anew for each pass has its price


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What differs between problems: how much each run counts, and what was measured.

    Attributes:
        weights: Inverse variances, or how often a resample holds each run; of shape (b, n).
        target: Measured or simulated values on the scale of comparison, of shape (b, n).
        runs: Which runs these are, of shape (b, n); without it all, in the problem's order.
    """

    weights: Array
    target: Array
    runs: Index | None = None

    def take(self, rows: Index | Flags | slice) -> Samples:
        """Some of the problems."""
        return self._each(lambda values: values[rows])

    def of_one(self, count: int) -> Samples:
        """The first problem, for `count` starts."""
        return self._each(lambda values: np.broadcast_to(values[0], (count, values.shape[1])))

    def repeated(self, times: int) -> Samples:
        """Each problem `times` times, one after the other."""
        return self._each(lambda values: np.repeat(values, times, axis=0))

    def condensed(self) -> Samples:
        """The same without runs of no weight, if all problems can do without many.

        A resample leaves out a third of the runs. Problems that hold fewer than others repeat their first
        run, at no weight.
        """
        held = self.weights != 0
        count = held.sum(axis=1)
        most = int(count.max(initial=1))
        if self.runs is not None or most > _WORTH_CONDENSING * held.shape[1]:
            return self
        problem, run = np.nonzero(held)
        place = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
        runs = np.repeat(held.argmax(axis=1)[:, None], most, axis=1)
        runs[problem, place] = run
        weights = np.zeros(runs.shape)
        weights[problem, place] = self.weights[problem, run]
        return Samples(weights=weights, target=np.take_along_axis(self.target, runs, axis=1), runs=runs)

    def _each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Samples:
        runs = None if self.runs is None else change(self.runs)
        return Samples(weights=change(self.weights), target=change(self.target), runs=runs)


class Expansion(NamedTuple):
    """The objective near b places, to second order in the working coefficients.

    Attributes:
        gradient: Of shape (b, p).
        hessian: Of shape (b, p, p).
        metric: The matrix that damps a step, what iteratively reweighted least squares would use; (b, p, p).
        value: The objective itself, of shape (b,); infinite where the law is undefined.
    """

    gradient: Array
    hessian: Array
    metric: Array
    value: Array


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

    @cached_property
    def runs_at_once(self) -> int:
        """Runs, counted at each place anew, that one pass should hold."""
        # Arrays of (b, n): the law's p + pairs parts, the Jacobian plain and weighted, residuals, weights.
        kinds = 3 * len(self.law.names) + len(self.law.derivation.pairs) + 8
        return _NUMBERS_AT_ONCE // kinds

    def sums(self, working_bp: Array, samples: Samples) -> Array:
        """The objective, of shape (b,); infinite where the law is undefined."""
        with np.errstate(all="ignore"):
            return self._total(self.residuals(working_bp, samples.target), samples.weights)

    def derivatives(self, working_bp: Array, samples: Samples) -> Expansion:
        """The objective and its derivatives at each place, from one pass over the runs."""
        size = self.runs_at_once
        blocks = [slice(at, at + size) for at in range(0, samples.weights.shape[1], size)]
        parts = [self._natural(working_bp, samples, block) for block in blocks]
        sums = Expansion(*(np.sum(kind, axis=0) for kind in zip(*parts, strict=True)))
        return self._chained(working_bp, sums)

    def _natural(self, working_bp: Array, samples: Samples, block: slice) -> Expansion:
        """The expansion over some of the runs, in the coefficients as a user knows them."""
        runs = block if samples.runs is None else samples.runs[:, block]
        inputs, weights_bn = tuple(x[runs] for x in self.inputs), samples.weights[:, block]
        value, first, second = self.law.derivation.second_order(inputs, self._columns(working_bp))
        f = np.broadcast_to(value, weights_bn.shape)
        r = transform(self.objective.on, f) - samples.target[:, block]
        rate, bent = derivatives(self.objective.on, f)
        pull = weights_bn * self.objective.slope(r)
        jacobian = _stacked(first, rate)
        hessian = _weighted_square(jacobian, weights_bn * self.objective.curvature(r) + pull * bent)
        return Expansion(
            gradient=(jacobian @ pull[:, :, None])[:, :, 0],
            hessian=hessian + self._second(second, pull * rate),
            metric=_weighted_square(jacobian, weights_bn * self.objective.secant(r)),
            value=self._total(r, weights_bn),
        )

    def _second(self, second: Sequence[Array], pull_bn: Array) -> Array:
        """What the law's own curvature adds to the Hessian."""
        added = np.zeros((len(pull_bn), len(self.law.names), len(self.law.names)))
        for (i, j), part in zip(self.law.derivation.pairs, second, strict=True):
            added[:, i, j] = added[:, j, i] = np.vecdot(pull_bn, np.broadcast_to(part, pull_bn.shape))
        return added

    def _chained(self, working_bp: Array, natural: Expansion) -> Expansion:
        """The same in working coefficients."""
        chain = np.where(self.logged, self.outward(working_bp), 1.0)  # dc / d(working c)
        both = chain[:, :, None] * chain[:, None, :]
        gradient, hessian = natural.gradient * chain, natural.hessian * both
        diagonal = np.arange(chain.shape[1])
        hessian[:, diagonal, diagonal] += np.where(self.logged, gradient, 0.0)  # c² f'' + c f' of c = exp(t)
        return natural._replace(gradient=gradient, hessian=hessian, metric=natural.metric * both)

    def _total(self, r_bn: Array, weights_bn: Array) -> Array:
        total = np.vecdot(self.objective.penalty(r_bn), weights_bn)
        return np.where(np.isnan(total), np.inf, total)

    def _columns(self, working_bp: Array) -> tuple[Array, ...]:
        return tuple(self.outward(working_bp).T[:, :, None])


def _stacked(first: Sequence[Array], rate_bn: Array) -> Array:
    """The Jacobian on the scale of comparison, of shape (b, p, n)."""
    jacobian = np.empty((len(rate_bn), len(first), rate_bn.shape[1]))
    for i, part in enumerate(first):
        np.multiply(part, rate_bn, out=jacobian[:, i])
    return jacobian


def _weighted_square(jacobian_bpn: Array, weights_bn: Array) -> Array:
    return np.asarray((jacobian_bpn * weights_bn[:, None, :]) @ jacobian_bpn.transpose(0, 2, 1))
