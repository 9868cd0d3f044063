"""How sure a fit is: `bootstrap` and `profile`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.engine import Minima, Problem, minimise
from allometry.fitting.result import Draws, Fit, Resampling
from allometry.fitting.solve import pose
from allometry.fitting.starting import candidates

Array = NDArray[np.float64]

RESAMPLINGS: tuple[Resampling, ...] = ("bayesian", "pairs", "residuals")


def bootstrap(
    fit: Fit, *, draws: int = 1000, unit: str = "run", seed: int = 0, resampling: Resampling = "bayesian"
) -> Fit:
    """Refit many resamples of the runs by the same objective, so that every number gets an interval.

    Each resample is solved from two starts, the fit itself and the best of several hundred candidates under
    the resample's own weights; the lower end is kept.

    Args:
        unit: "run" keeps all rows of one training together; "row" takes each row alone.
        resampling: How to resample; `docs/decisions/0003-bootstrap-for-small-ladders.md` says which covers.

    Returns:
        The same fit with `draws` and `drawn`. Refits without rest are left out and counted.

    Raises:
        FitError: If no refit converged.
    """
    if draws < 2:
        raise InputError(f"Ask for at least 2 draws, not {draws}; 1000 is usual.")
    if resampling not in RESAMPLINGS:
        raise InputError(f"There is no resampling '{resampling}'. There are: {', '.join(RESAMPLINGS)}.")
    rng = np.random.default_rng(seed)
    problem = pose(fit.law, fit.data, fit.goal, fit.held)
    weights = _weights(fit, draws, unit, resampling, rng)
    minima = _refit(problem, fit, weights)
    table = pd.DataFrame(problem.outward(minima.working[minima.converged]), columns=list(fit.law.names))
    if table.empty:
        raise FitError(f"None of {draws} resamples of '{fit.law.name}' could be refitted.")
    how = Draws(resampling=resampling, unit=unit, count=draws, unconverged=draws - len(table), seed=seed)
    return replace(fit, draws=table, drawn=how)


def _weights(fit: Fit, draws: int, unit: str, resampling: Resampling, rng: np.random.Generator) -> Array:
    """How much each run counts in each resample, of shape (draws, runs)."""
    members = _units(fit, unit)
    count = int(members.max()) + 1
    if resampling == "pairs":
        shares = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    else:
        shares = count * rng.dirichlet(np.ones(count), size=draws)
    return np.asarray(shares[:, members] * fit.data.weights)


def _units(fit: Fit, unit: str) -> NDArray[np.intp]:
    if unit == "row":
        return np.arange(len(fit.data))
    if unit == "run":
        return np.unique(fit.data.run_ids, return_inverse=True)[1]
    raise InputError(f"Resample by 'run' or by 'row', not by '{unit}'.")


def _refit(problem: Problem, fit: Fit, weights: Array) -> Minima:
    """The lower of two searches for each resample."""
    here = problem.inward(np.array([fit.coefficients[name] for name in fit.law.names]))
    tried = candidates(problem, fit.data.weights, fit.seed)
    others = tried[np.argmin(problem.penalties(tried) @ weights.T, axis=0)]
    starts = np.concatenate([np.broadcast_to(here, others.shape), others])
    return lower_half(minimise(problem, starts, np.concatenate([weights, weights])))


def lower_half(both: Minima) -> Minima:
    """Of searches that come in two halves, the better one of each pair."""
    half = len(both.value) // 2
    second = both.value[half:] < both.value[:half]
    rows = np.arange(half) + half * second
    return Minima(working=both.working[rows], value=both.value[rows], converged=both.converged[rows])
