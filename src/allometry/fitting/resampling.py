"""Other tables of runs that could have been measured: the samples of a bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError, did_you_mean
from allometry.fitting.engine import Samples
from allometry.fitting.noise import noise_is_ordinary, residual_noise
from allometry.fitting.result import Fit, Resampling
from allometry.fitting.scales import transform

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_UNITS_FOR_PAIRS = 40  # per open coefficient: with fewer, intervals from drawn runs hold too little or much
_SAME_GROUP = 0.05  # relative difference between neighbours within one stratum of numbers
RESAMPLINGS: tuple[Resampling, ...] = ("bayesian", "pairs", "residuals", "wild")


def suited(fit: Fit, unit: str) -> Resampling:
    """The resampling whose intervals cover: docs/decisions/0003-bootstrap-for-small-ladders.md."""
    # Noise around a lower envelope is not symmetric, so only the runs themselves can say how it is spread.
    if fit.objective == "lower_envelope":
        return "pairs"
    many = len(np.unique(units(fit, unit))) >= _UNITS_FOR_PAIRS * len(fit.open)
    return "pairs" if many and not noise_is_ordinary(fit) else "residuals"


def units(fit: Fit, unit: str) -> Index:
    """Which unit each row belongs to, as a number from 0; rows of one unit share their luck.

    Raises:
        InputError: If there is no such unit in the data.
    """
    if unit == "row":
        return np.arange(len(fit.data))
    if unit == "run":
        return _numbered(fit.data.run_ids)
    if unit == "trunk":
        return _numbered(fit.data.trunks)
    if unit == "setting":
        return fit.data.settings
    return _numbered(fit.data.column(unit))


def resamples(
    fit: Fit, count: int, unit: str, strata: str | None, how: Resampling, rng: np.random.Generator
) -> Samples:
    """`count` samples of a fit's runs, drawn anew."""
    shape = (count, len(fit.data))
    target = transform(fit.on, fit.data.output)
    if how in ("residuals", "wild"):
        simulate = _simulated if how == "residuals" else _wild
        target = simulate(fit, _of_noise(fit, unit), count, rng)
        return Samples(weights=np.broadcast_to(fit.data.weights, shape), target=target)
    held = _times_held(fit, count, unit, strata, how, rng)
    return Samples(weights=held * fit.data.weights, target=np.broadcast_to(target, shape))


def refuse_unknown(how: str) -> None:
    """Refuse a resampling that is none."""
    if how not in RESAMPLINGS:
        raise InputError(
            f"There is no resampling '{how}'.{did_you_mean(how, RESAMPLINGS)} "
            f"There are: {', '.join(RESAMPLINGS)}."
        )


def _of_noise(fit: Fit, unit: str) -> Index:
    # Seeds of one setting have noise of their own: what they share is the law, not their luck.
    return units(fit, "run" if unit == "setting" else unit)


def _simulated(fit: Fit, members: Index, draws: int, rng: np.random.Generator) -> Array:
    """The same designs measured again, if the fit were the truth; of shape (draws, runs)."""
    freedom = max(len(fit.data) - len(fit.open), 1)
    # The size of the noise is itself estimated from few runs: each draw takes another one.
    size = residual_noise(fit).scale * np.sqrt(freedom / rng.chisquare(freedom, size=(draws, 1)))
    noise = size * rng.standard_normal((draws, int(members.max()) + 1))[:, members]
    return np.asarray(fit.fitted() + noise * np.sqrt(fit.data.weights.mean() / fit.data.weights))


def _wild(fit: Fit, members: Index, draws: int, rng: np.random.Generator) -> Array:
    """Each unit's own residuals with a random sign (Wu 1986; Rademacher's two-point law of Liu 1988).

    Noise may then differ between runs: small models noisier than large ones.
    """
    freedom = max(len(fit.data) - len(fit.open), 1)
    signs = rng.choice((-1.0, 1.0), size=(draws, int(members.max()) + 1))[:, members]
    return np.asarray(fit.fitted() + signs * fit.residuals() * np.sqrt(len(fit.data) / freedom))


def _times_held(
    fit: Fit, draws: int, unit: str, strata: str | None, how: Resampling, rng: np.random.Generator
) -> Array:
    """How often each resample holds each row; of shape (draws, runs)."""
    members = units(fit, unit)
    stratum = np.zeros(len(members), dtype=np.intp) if strata is None else _strata(fit, strata)
    if strata is not None:
        _refuse_across(members, stratum, unit, strata)
    held = np.zeros((draws, int(members.max()) + 1))
    for one in range(int(stratum.max()) + 1):
        inside = np.unique(members[stratum == one])
        held[:, inside] += _drawn(len(inside), draws, how, rng)
    return _within_settings(members, held, how, rng) if unit == "setting" else held[:, members]


def _refuse_across(members: Index, stratum: Index, unit: str, strata: str) -> None:
    """A unit that lies in two strata would be drawn twice as often as the others."""
    pairs = np.unique(np.column_stack([members, stratum]), axis=0)
    across = int(np.sum(np.bincount(pairs[:, 0]) > 1))
    if across:
        raise InputError(
            f"Units drawn within '{strata}' must each lie in one of its groups, and {across} of "
            f"{int(members.max()) + 1} (unit: {unit}) lie in several. Draw by another unit, or without "
            "strata."
        )


def _strata(fit: Fit, column: str) -> Index:
    """Which group each row is drawn within; numbers close to each other, such as rounded budgets, are one.

    Raises:
        InputError: If most groups hold one run, which would then be drawn every time.
    """
    values = np.asarray(fit.data.column(column))
    number = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=np.float64)
    group = _close(number) if (number > 0).all() else _numbered(values)
    alone = int(np.sum(np.bincount(group) == 1))
    if 2 * alone > int(group.max()) + 1:
        raise InputError(
            f"'{column}' puts {alone} of {len(group)} runs in a group of their own, and a run alone in its "
            "group is drawn every time: intervals would be too narrow. Draw without strata, or within "
            "groups of several runs."
        )
    return group


def _close(values: Array) -> Index:
    order = np.argsort(values, kind="stable")
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.cumsum(np.append(0, np.diff(np.log(values[order])) > _SAME_GROUP))
    return group


def _drawn(count: int, draws: int, how: Resampling, rng: np.random.Generator) -> Array:
    if how == "bayesian":
        return np.asarray(count * rng.dirichlet(np.ones(count), size=draws))
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)


def _within_settings(members: Index, held: Array, how: Resampling, rng: np.random.Generator) -> Array:
    """Seeds nested in settings: of each setting that was drawn, its seeds are drawn again."""
    times = np.empty((len(held), len(members)))
    for setting in range(held.shape[1]):
        rows = np.flatnonzero(members == setting)
        if how == "bayesian":
            times[:, rows] = held[:, setting, None] * _drawn(len(rows), len(held), how, rng)
            continue
        chance = np.full(len(rows), 1 / len(rows))
        times[:, rows] = rng.multinomial((held[:, setting] * len(rows)).astype(np.int64), chance)
    return times


def _numbered(values: object) -> Index:
    return np.asarray(np.unique(np.asarray(values), return_inverse=True)[1], dtype=np.intp)
