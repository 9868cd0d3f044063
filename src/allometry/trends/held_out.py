"""Runs held out in turn, and what a fitted law says of each when it has not seen it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from allometry.fitting.engine import Problem, Samples, minimise
from allometry.fitting.problems import one_sample, pose, working_point
from allometry.fitting.result import Fit
from allometry.fitting.scales import transform
from allometry.fitting.starting import candidates

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_RIVALS = 2  # searches of each fold: from the fit to all runs, and from the best of many other places
_MIDDLES = (np.arange(40) + 0.5) / 40


def held_out_forecasts(made: Fit, fold: Index) -> Array:
    """What the law says of each run when fitted to the runs of all other folds, of shape (runs, points).

    The points are equally likely outcomes, on the scale of the fit: the forecast with the scatter that the
    other folds show. All folds are refitted together.

    Args:
        fold: The number of each run's fold, from 0.
    """
    problem = pose(made.law, made.data, made.goal, made.held)
    target = transform(made.on, made.data.output)
    said = transform(made.on, problem.predicted(_folds_refitted(made, problem, fold)))  # (folds, runs)
    learnt = fold != np.arange(len(said))[:, None]
    freedom = np.maximum(learnt.sum(axis=1) - len(made.open), 1)
    noise = np.sqrt((np.where(learnt, said - target, 0.0) ** 2).sum(axis=1) / freedom)
    central = said[fold, np.arange(len(target))]
    return np.asarray(central[:, None] + noise[fold][:, None] * ndtri(_MIDDLES))


def _folds_refitted(made: Fit, problem: Problem, fold: Index) -> Array:
    """Coefficients without each fold, of shape (folds, p)."""
    whole = one_sample(made.data, made.goal)
    kept = (fold != np.arange(fold.max() + 1)[:, None]).astype(np.float64)
    samples = Samples(weights=whole.weights * kept, target=np.broadcast_to(whole.target, kept.shape))
    begun = [working_point(problem, made.coefficients), *candidates(problem, whole, made.seed, _RIVALS - 1)]
    ends = minimise(problem, np.tile(begun, (len(kept), 1)), samples.repeated(_RIVALS), rivals=_RIVALS)
    lower = ends.value.reshape(-1, _RIVALS).argmin(axis=1)
    return np.asarray(ends.working[_RIVALS * np.arange(len(kept)) + lower])
