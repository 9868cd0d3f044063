"""How likely coefficients and noise are, given the runs and the priors: arrays in, arrays out.

Legend of shapes: b places, n runs, k sampled numbers: the open coefficients on the engine's working scale,
then the logarithms of the noise's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.default_priors import DELTA, SCALE
from allometry.fitting.engine import Problem, Samples
from allometry.fitting.objectives import Objective
from allometry.fitting.priors import Prior
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.result import Fit

Array = NDArray[np.float64]
Likelihood = Callable[[Array, Array, Array, Array], Array]

_ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


def normal(r_bn: Array, shares_n: Array, scale_b1: Array, delta_b1: Array) -> Array:
    """Log density of each residual whose square counts: "least_squares"; `scale` is its sd."""
    away = r_bn * np.sqrt(shares_n) / scale_b1
    return np.asarray(-0.5 * away * away - np.log(_ROOT_TWO_PI * scale_b1 / np.sqrt(shares_n)))


def laplace(r_bn: Array, shares_n: Array, scale_b1: Array, delta_b1: Array) -> Array:
    """Log density of each residual whose size counts: "lad"; `scale` is the mean size."""
    scale = scale_b1 / shares_n
    return np.asarray(-np.abs(r_bn) / scale - np.log(2 * scale))


def huber(r_bn: Array, shares_n: Array, scale_b1: Array, delta_b1: Array) -> Array:
    """Log density exp(−ρ(r) / scale²) with Huber's penalty ρ: normal up to delta, straight tails beyond.

    Source:
        Huber 1964, section 4, doi:10.1214/aoms/1177703732; normalised for any delta and scale.
    """
    from scipy.special import erf

    size, scale = np.abs(r_bn), scale_b1 / np.sqrt(shares_n)
    penalty = np.where(size <= delta_b1, 0.5 * size * size, delta_b1 * (size - 0.5 * delta_b1))
    turn = delta_b1 / scale
    area = _ROOT_TWO_PI * erf(turn / np.sqrt(2)) + 2 * np.exp(-0.5 * turn * turn) / turn
    return np.asarray(-penalty / (scale * scale) - np.log(scale * area))


LIKELIHOODS: Mapping[str, Likelihood] = {"huber": huber, "lad": laplace, "least_squares": normal}


@dataclass(frozen=True, kw_only=True)
class Density:
    """The posterior density of one fit's open coefficients and noise, up to a constant factor.

    Attributes:
        held: The engine's point of the fit, from which held coefficients are taken; of shape (p,).
        shares: Weight of each run over the mean weight; of shape (n,).
        priors: Of the open coefficients in order, then of the noise.
        delta: Where the noise's tails begin, unless that is sampled.
    """

    problem: Problem
    sample: Samples
    likelihood: Likelihood
    held: Array
    shares: Array
    priors: Mapping[str, Prior]
    delta: float

    @property
    def names(self) -> tuple[str, ...]:
        """What is sampled, in order."""
        return tuple(self.priors)

    @cached_property
    def open(self) -> NDArray[np.intp]:
        """Places of the open coefficients among all; shape (k - noise,)."""
        return np.flatnonzero(~self.problem.fixed)

    @cached_property
    def logged(self) -> NDArray[np.bool_]:
        """Which sampled numbers are logarithms; shape (k,)."""
        return np.append(
            self.problem.logged[self.open], np.ones(len(self.names) - len(self.open), dtype=bool)
        )

    @cached_property
    def limits(self) -> tuple[Array, Array]:
        """The law's bounds of what is sampled; the noise has none."""
        low, high = (end[self.open] for end in self.problem.limits)
        none = np.full(len(self.names) - len(self.open), np.inf)
        return np.append(low, -none), np.append(high, none)

    def __call__(self, at_bk: Array) -> Array:
        """Log of the density, of shape (b,); -inf where the law is undefined or out of its bounds."""
        low, high = self.limits
        with np.errstate(all="ignore"):
            found = self.log_prior(at_bk) + self.log_likelihood(at_bk)
        inside = ((at_bk >= low) & (at_bk <= high)).all(axis=1)
        return np.where(inside & ~np.isnan(found), found, -np.inf)

    def log_prior(self, at_bk: Array) -> Array:
        """Log of the priors' density per unit of the sampled numbers, of shape (b,)."""
        natural = self.natural(at_bk)
        each = [prior.log_density(natural[:, place]) for place, prior in enumerate(self.priors.values())]
        # A density of c is one of log c times c.
        return np.asarray(np.sum(each, axis=0) + np.sum(np.where(self.logged, at_bk, 0.0), axis=1))

    def log_likelihood(self, at_bk: Array) -> Array:
        """Log of the density of the runs, of shape (b,)."""
        noise = np.exp(at_bk[:, len(self.open) :])
        delta = noise[:, 1:] if DELTA in self.priors else np.full((1, 1), self.delta)
        residuals = self.problem.residuals(self.working(at_bk), self.sample.target)
        return np.asarray(self.likelihood(residuals, self.shares, noise[:, :1], delta).sum(axis=1))

    def natural(self, at_bk: Array) -> Array:
        """Sampled numbers in the units their priors have."""
        with np.errstate(over="ignore"):
            return np.where(self.logged, np.exp(np.where(self.logged, at_bk, 0.0)), at_bk)

    def inward(self, natural_k: Array) -> Array:
        """The inverse of `natural`."""
        return np.where(self.logged, np.log(np.where(self.logged, natural_k, 1.0)), natural_k)

    def working(self, at_bk: Array) -> Array:
        """All coefficients as the engine takes them, of shape (b, p)."""
        working = np.tile(self.held, (len(at_bk), 1))
        working[:, self.open] = at_bk[:, : len(self.open)]
        return working


def density_of(fit: Fit, priors: Mapping[str, Prior]) -> Density:
    """The posterior density of a fit.

    Raises:
        InputError: If the fit is a lower envelope.
    """
    if fit.objective not in LIKELIHOODS:
        raise InputError(
            f"'{fit.objective}' follows the best runs and does not say how runs spread around a law, so it "
            'has no likelihood. Use bootstrap(fit), or fit with objective="huber".'
        )
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    order = (*fit.open, *(name for name in (SCALE, DELTA) if name in priors))
    return Density(
        problem=problem,
        sample=one_sample(fit.data, fit.goal),
        likelihood=LIKELIHOODS[fit.objective],
        held=working_point(problem, fit.coefficients),
        shares=fit.data.weights / fit.data.weights.mean(),
        priors={name: priors[name] for name in order},
        delta=fit.delta,
    )


def curvature(density: Density, at_k: Array, noise: float) -> Array:
    """How sharply runs and priors together determine the sampled numbers there, of shape (k, k).

    Normal noise of that size and the width of each prior: what a sampler needs to begin, not a result.
    """
    squares = replace(
        density.problem, objective=Objective(name="least_squares", on=density.problem.objective.on)
    )
    one = Samples(weights=density.shares[None, :], target=density.sample.target)
    metric = squares.derivatives(density.working(at_k[None, :]), one)[2][0] / (2 * noise**2)
    whole = np.diag(width_of_priors(density) ** -2.0)
    count = len(density.open)
    whole[:count, :count] += metric[np.ix_(density.open, density.open)]
    whole[count, count] += 2 * len(density.shares)  # of the log of a normal scale
    return whole


def width_of_priors(density: Density) -> Array:
    """Half of the middle two thirds of each prior, on the scale that is sampled; of shape (k,)."""
    low, high = (
        density.inward(_inside(density, np.array([prior.quantile(p) for prior in density.priors.values()])))
        for p in (1 / 6, 5 / 6)
    )
    return np.asarray(np.maximum(high - low, 1e-12) / 2)


def _inside(density: Density, natural_k: Array) -> Array:
    # A normal prior of a positive coefficient may have its lower sixth below zero: no logarithm there.
    low, high = (density.natural(end[None, :])[0] for end in density.limits)
    return np.clip(natural_k, np.maximum(low, np.where(density.logged, 1e-300, -np.inf)), high)
