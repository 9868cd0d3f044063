"""Where a sampler begins: near the most probable point, in steps of the size that the runs allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError
from allometry.fitting.ensembles import ENSEMBLES
from allometry.fitting.posterior_density import Density
from allometry.fitting.problems import working_point
from allometry.fitting.result import Fit
from allometry.fitting.search import refit

Array = NDArray[np.float64]

_LIKELY = (0.01, 0.99)  # quantiles of a prior between which the walkers begin
_LEVELS = 60  # of each number of the noise, to find where it is most probable
_POLISH = 400  # tries for each sampled number of the search for the most probable point
_STRANDED = 4.0  # log density below the most probable point, for each sampled number
_TRIES = 50  # places looked at for each walker's first step


def first_point(fit: Fit, density: Density) -> Array:
    """The fit, moved to where the priors are not astonished, with the most probable noise there."""
    coefficients = _believable(fit, density).coefficients
    count = len(density.open)
    at = np.zeros(len(density.names))
    at[:count] = working_point(density.problem, coefficients)[density.open]
    ends = [np.log(_likely(density, name)) for name in density.names[count:]]
    grids = [np.linspace(low, high, _LEVELS) for low, high in ends]
    noises = np.stack(np.meshgrid(*grids), axis=-1).reshape(-1, len(grids))
    tried = np.concatenate([np.tile(at[:count], (len(noises), 1)), noises], axis=1)
    found = density(tried)
    if not np.isfinite(found).any():
        raise FitError(
            f"Where '{fit.law.name}' describes these runs, the priors leave no probability; "
            "describe_priors(fit, priors) shows them."
        )
    return np.asarray(tried[int(np.argmax(found))])


def _believable(fit: Fit, density: Density) -> Fit:
    """The fit with each coefficient that its prior rules out held at the prior's end, the others refitted."""
    moved = {}
    for name in fit.open:
        low, high = _likely(density, name)
        if not low <= fit.coefficients[name] <= high:
            moved[name] = float(np.clip(fit.coefficients[name], low, high))
    if not moved:
        return fit
    if len(moved) == len(fit.open):
        return replace(fit, coefficients={**fit.coefficients, **moved})
    return refit(fit, hold={**fit.held, **moved}, starts=4)


def _likely(density: Density, name: str) -> tuple[float, float]:
    """The middle of a prior, inside the law's bounds."""
    place = density.names.index(name)
    least, most = (float(density.natural(end[None, :])[0, place]) for end in density.limits)
    low, high = (density.priors[name].quantile(p) for p in _LIKELY)
    if low > most or high < least:
        raise FitError(
            f"'{name}' is from {least:g} to {most:g} in '{density.problem.law.name}', and its prior "
            f"{density.priors[name]} leaves next to no probability there."
        )
    return max(low, least), min(high, most)


def steps_along(sharp_kk: Array, moving: int | None = None) -> Array:
    """Steps of one standard deviation along the first `moving` numbers, the others kept; (k, moving)."""
    k = len(sharp_kk)
    count = k if moving is None else moving
    steps = np.zeros((k, count))
    steps[:count] = np.linalg.cholesky(np.linalg.inv(sharp_kk[:count, :count]))
    return steps


def most_probable(density: Density, begin_k: Array, steps_km: Array) -> Array:
    """The top of the hill that the point is on, ends of the law's bounds included."""
    from scipy.optimize import minimize

    low, high = density.limits
    m = steps_km.shape[1]

    def place(along: Array) -> Array:
        return np.clip(begin_k + steps_km @ along, low, high)

    def depth(along: Array) -> float:
        return -float(density(place(along)[None, :])[0])

    found = minimize(
        depth,
        np.zeros(m),
        method="Nelder-Mead",
        options={
            "initial_simplex": np.concatenate([np.zeros((1, m)), 0.5 * np.eye(m)]),
            "maxfev": _POLISH * m,
            "xatol": 1e-4,
            "fatol": 1e-9,
            "adaptive": True,
        },
    )
    return place(found.x)


def first_steps(density: Density, centre_k: Array, steps_kk: Array, walkers: int, seed: int) -> Array:
    """First points around the most probable one, of shape (ensembles, walkers, k)."""
    rng = np.random.default_rng(seed)
    wanted, k = ENSEMBLES * walkers, len(centre_k)
    sizes = rng.random((_TRIES * wanted, 1))
    tried = centre_k + sizes * rng.standard_normal((_TRIES * wanted, k)) @ steps_kk.T
    # A walker that begins where next to no probability is may be stranded there for all its steps.
    least = density(centre_k[None, :])[0] - _STRANDED * k
    usable = tried[density(tried) > least]
    if len(usable) < wanted:
        raise FitError(
            f"Of {len(tried)} places near the most probable one only {len(usable)} are possible by law and "
            "priors; widen the priors, or hold what they already decide."
        )
    return np.asarray(usable[:wanted].reshape(ENSEMBLES, walkers, -1))
