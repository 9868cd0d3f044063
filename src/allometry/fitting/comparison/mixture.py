"""One forecast from several laws: a mixture of what each of them says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError, did_you_mean
from allometry.fitting.prediction import PROBABILITIES
from allometry.fitting.result import Fit, Forecast, tails

Array = NDArray[np.float64]

_POINTS = 400  # equally likely values that stand for one law's forecast


def mixed_forecast(
    fits: Mapping[str, Fit],
    weights: Mapping[str, float],
    groups: Mapping[str, str],
    level: float,
    inputs: Mapping[str, float],
) -> Forecast:
    """The forecast in which each law has its say with the probability that is its weight.

    The width is split by squares: what coefficients and noise do within the laws, and how far the laws'
    medians lie apart, each brought to the width that a normal distribution of that spread would have at this
    level. Laws without weight are not counted: where weights are uncertain, the share of "law" is too low.

    Args:
        groups: Name to law, where several names are one law with different objectives.
        inputs: Column to value: those that the laws with weight read.

    Raises:
        InputError: If an input is missing, or no law reads it.
    """
    held = {name: weight for name, weight in weights.items() if weight > 0}
    _refuse_unread({name: fits[name] for name in held}, inputs)
    stated = {name: _ask(fits[name], level, inputs) for name in held}
    low, high = tails(level)
    asked = (low, 0.5, high, *PROBABILITIES)
    values = np.exp(_mixed_quantiles([stated[name] for name in held], list(held.values()), asked))
    one = next(iter(stated.values()))
    return Forecast(
        inputs=dict(inputs),
        output=one.output,
        unit=one.unit,
        median=float(values[1]),
        low=float(values[0]),
        high=float(values[2]),
        level=level,
        quantiles=dict(zip(PROBABILITIES, map(float, values[3:]), strict=True)),
        beyond={column: far for forecast in stated.values() for column, far in forecast.beyond.items()},
        width=_shares(stated, held, groups, level),
        law=" + ".join(f"{weight:.2f} {name}" for name, weight in held.items()),
        fit_hash=_hash(*(f"{fits[name].fit_hash} {weight.hex()}" for name, weight in held.items())),
        data_hash=_hash(*(fits[name].data_hash for name in held)),
        noise_from=one.noise_from,
    )


def _refuse_unread(fits: Mapping[str, Fit], inputs: Mapping[str, float]) -> None:
    read = {column: name for name, fit in fits.items() for column in fit.inputs.values()}
    for column in inputs:
        if column not in read:
            raise InputError(
                f"None of {', '.join(fits)} reads '{column}'.{did_you_mean(column, read)} "
                f"They read: {', '.join(read)}."
            )
    missing = [column for column in read if column not in inputs]
    if missing:
        raise InputError(f"'{read[missing[0]]}' also needs {', '.join(missing)} to predict.")


def _ask(fit: Fit, level: float, inputs: Mapping[str, float]) -> Forecast:
    return fit.predict(level, **{name: inputs[column] for name, column in fit.inputs.items()})


def _mixed_quantiles(stated: list[Forecast], weights: list[float], asked: tuple[float, ...]) -> Array:
    """Quantiles of the log of the mixture."""
    points = np.concatenate([_points(forecast) for forecast in stated])
    mass = np.repeat(np.array(weights) / _POINTS, _POINTS)
    order = np.argsort(points)
    below = np.cumsum(mass[order]) - mass[order] / 2
    return np.asarray(np.interp(asked, below, points[order]))


def _points(forecast: Forecast) -> Array:
    """Equally likely values of the log: linear between the quantiles that were stated."""
    low, high = tails(forecast.level)
    known = {**forecast.quantiles, low: forecast.low, high: forecast.high}
    at = np.array(sorted(known))
    return np.interp((np.arange(_POINTS) + 0.5) / _POINTS, at, np.log([known[p] for p in at]))


def _shares(
    stated: Mapping[str, Forecast], weights: Mapping[str, float], groups: Mapping[str, str], level: float
) -> dict[str, float]:
    squares: dict[str, float] = {}
    for name, forecast in stated.items():
        square = np.log(forecast.high / forecast.low) ** 2
        for source, share in forecast.width.items():
            squares[source] = squares.get(source, 0.0) + weights[name] * share * square
    normal = (2 * NormalDist().inv_cdf(tails(level)[1])) ** 2
    between, within = _spread({name: np.log(f.median) for name, f in stated.items()}, weights, groups)
    squares["law"] = normal * between
    if len(set(groups.values())) < len(groups):
        squares["objective"] = normal * within
    total = sum(squares.values()) or 1.0
    return {source: float(square / total) for source, square in squares.items()}


def _spread(
    medians: Mapping[str, float], weights: Mapping[str, float], groups: Mapping[str, str]
) -> tuple[float, float]:
    """Variance between the laws, and between the objectives of one law."""
    mass: dict[str, float] = {}
    centre: dict[str, float] = {}
    for name, weight in weights.items():
        mass[groups[name]] = mass.get(groups[name], 0.0) + weight
        centre[groups[name]] = centre.get(groups[name], 0.0) + weight * medians[name]
    centre = {group: total / mass[group] for group, total in centre.items()}
    middle = sum(mass[group] * centre[group] for group in mass)
    between = sum(mass[group] * (centre[group] - middle) ** 2 for group in mass)
    within = sum(weight * (medians[name] - centre[groups[name]]) ** 2 for name, weight in weights.items())
    return between, within


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
