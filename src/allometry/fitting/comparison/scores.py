"""How good a forecast was, against what was measured: all on the logarithm of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.prediction import noise_points
from allometry.fitting.result import Fit, tails
from allometry.fitting.scales import invert, transform

Array = NDArray[np.float64]

POINTS = 40  # equally likely values that stand for one predictive distribution
MIDDLES = (np.arange(POINTS) + 0.5) / POINTS  # the probability below each of them
_NOISES = 50  # of single runs, added to each draw: as many as the spread of a t needs
_RUNS_AT_ONCE = 128  # so that draws x noises x runs stay within a hundred megabytes


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictive:
    """What a law expected of some runs.

    Attributes:
        points: Equally likely values of the log of the output, ascending: its quantiles at `MIDDLES`; of
            shape (runs, POINTS).
        median, low, high: Of the log of the output, of shape (runs,); low and high are NaN for a forecast
            that states no interval.
    """

    points: Array
    median: Array
    low: Array
    high: Array


def predictive(fit: Fit, inputs: Mapping[str, Array], level: float) -> Predictive:
    """The forecasts that `Fit.predict` would state for many runs, all at once.

    Args:
        inputs: The law's own input name to values, of shape (runs,).
        level: Of the interval.
    """
    count = len(next(iter(inputs.values())))
    asked = np.array([*MIDDLES, *tails(level), 0.5])
    rows = [
        _quantiles(fit, {name: x[at : at + _RUNS_AT_ONCE] for name, x in inputs.items()}, asked)
        for at in range(0, count, _RUNS_AT_ONCE)
    ]
    found = np.concatenate(rows)
    low, high, median = found[:, POINTS:].T
    return Predictive(points=found[:, :POINTS], median=median, low=low, high=high)


def exactly(value: float, count: int) -> Predictive:
    """A forecast of one value for all runs, without an interval."""
    same, none = np.full(count, np.log(value)), np.full(count, np.nan)
    return Predictive(points=np.tile(same[:, None], POINTS), median=same, low=none, high=none)


def crps(quantiles_rm: Array, probabilities: Array, measured_r: Array) -> Array:
    """Continuous ranked probability score of each run, in the unit of the forecast; 0 is perfect.

    CRPS = 2 ∫ ρ_p(y − q_p) dp over p from 0 to 1, with the pinball loss ρ_p(u) = u (p − [u < 0]). Each
    quantile stands for the probabilities nearer to its own than to the others. Quantiles at (i + ½) / m are m
    equally likely draws X, and the score is E|X − y| − E|X − X'| / 2. For a forecast of one value it is the
    absolute error, so that it compares forecasts with and without an interval.

    Args:
        quantiles_rm: Ascending along each row, of shape (runs, quantiles).
        probabilities: Ascending, between 0 and 1; of shape (quantiles,).

    Returns:
        Of shape (runs,).

    Source:
        Laio and Tamea 2007, eq. 9, doi:10.5194/hess-11-1267-2007; Gneiting and Raftery 2007, eq. 21,
        doi:10.1198/016214506000001437.

    >>> crps(np.array([[1.0, 3.0]]), np.array([0.25, 0.75]), np.array([2.0])).tolist()
    [0.5]
    """
    edges = np.concatenate([[0.0], (probabilities[1:] + probabilities[:-1]) / 2, [1.0]])
    ahead = measured_r[:, None] - quantiles_rm
    return np.asarray(2 * np.sum(np.diff(edges) * ahead * (probabilities - (ahead < 0)), axis=1))


def apart(one_rm: Array, other_rm: Array) -> Array:
    """Mean distance of a draw from one forecast to a draw from another, of shape (runs,)."""
    return np.asarray(np.abs(one_rm[:, :, None] - other_rm[:, None, :]).mean(axis=(1, 2)))


def interval_score(low: Array, high: Array, measured: Array, level: float) -> Array:
    """Width of the interval plus a fine for a miss: 2 / (1 − level) times the distance to the nearer end.

    Source:
        Gneiting and Raftery 2007, eq. 43, doi:10.1198/016214506000001437.

    >>> interval_score(np.array([1.0]), np.array([2.0]), np.array([2.5]), 0.9).round(6).tolist()
    [11.0]
    """
    miss = np.maximum(low - measured, 0) + np.maximum(measured - high, 0)
    return np.asarray(high - low + 2 / (1 - level) * miss)


def _quantiles(fit: Fit, inputs: Mapping[str, Array], probabilities: Array) -> Array:
    """Quantiles of the log of one new run at each place, of shape (runs, probabilities)."""
    assert fit.draws is not None
    drawn = {name: fit.draws[name].to_numpy(dtype=np.float64)[:, None] for name in fit.law.names}
    count = len(next(iter(inputs.values())))
    curve = np.broadcast_to(transform(fit.on, fit.law.evaluate(inputs, drawn)), (len(fit.draws), count))
    noise = noise_points(fit).reshape(_NOISES, -1).mean(axis=1)
    outcomes = (curve.T[:, :, None] + noise).reshape(count, -1)
    values = invert(fit.on, np.quantile(outcomes, probabilities, axis=1).T)
    return np.asarray(np.log(np.maximum(values, 1e-300)))  # a raw scale may reach below zero
