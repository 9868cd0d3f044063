"""What a fit says about a run that has not been made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.arguments import is_number
from allometry.fitting.noise import noise_of
from allometry.fitting.result import Fit, Forecast, tails
from allometry.fitting.scales import invert, transform

Array = NDArray[np.float64]

PROBABILITIES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
NO_DRAWS = "the fit has no draws; make them with bootstrap(fit)"
_NOISE_POINTS = 200  # equally likely noises added to each draw: no random numbers, so no seed


def forecast(fit: Fit, level: float, inputs: Mapping[str, float]) -> Forecast:
    """Forecast one new run; `Fit.predict` is the front of this."""
    at = by_law(fit, inputs)
    ends = tails(level)
    point = _point(fit, at)
    curve, noise = _curve_draws(fit, at), noise_points(fit)
    outcomes = invert(fit.on, curve[:, None] + noise[None, :])
    missing = _why_no_interval(curve, outcomes)
    low, median, high = _quantiles(np.empty(0) if missing else outcomes, (ends[0], 0.5, ends[1]))
    values = _quantiles(outcomes, PROBABILITIES) if not missing else ()
    return Forecast(
        inputs={fit.inputs[name]: value for name, value in at.items()},
        output=fit.output,
        unit=fit.unit,
        median=point if missing else median,
        low=low,
        high=high,
        level=level,
        quantiles=dict(zip(PROBABILITIES, values, strict=False)),
        beyond=beyond(fit, at),
        width={} if missing else _shares(curve, noise, ends),
        law=fit.law.name,
        fit_hash=fit.fit_hash,
        data_hash=fit.data_hash,
        no_interval_because=missing,
        noise_from=noise_of(fit).found,
    )


def beyond(fit: Fit, at: Mapping[str, float]) -> dict[str, float]:
    """Column to the factor by which an input exceeds the largest fitted run; of inputs above zero only.

    For a law of params and tokens also "flops", counted as 6 · params · tokens in both.
    """
    data = {fit.inputs[name]: values for name, values in fit.data.inputs.items()}
    asked = {fit.inputs[name]: value for name, value in at.items()}
    if {"params", "tokens"} <= data.keys() and "flops" not in data:
        data["flops"] = 6 * data["params"] * data["tokens"]
        asked["flops"] = 6 * asked["params"] * asked["tokens"]
    return {
        column: float(asked[column] / values.max()) for column, values in data.items() if values.min() > 0
    }


def noise_points(fit: Fit) -> Array:
    """Equally likely differences of one new run from the law, on the scale of the fit.

    Spread as Student's t, because with few runs the size of the noise is itself uncertain. Around a lower
    envelope the residuals themselves are the noise.
    """
    from scipy.special import stdtrit  # Student's t, in a tenth of the time that scipy.stats takes to import

    middles: Array = (np.arange(_NOISE_POINTS) + 0.5) / _NOISE_POINTS
    if fit.objective == "lower_envelope":
        return np.asarray(np.quantile(fit.residuals(), middles))
    noise = noise_of(fit)
    return np.asarray(noise.scale * stdtrit(noise.freedom, middles))


def _point(fit: Fit, at: Mapping[str, float]) -> float:
    point = float(fit.law.evaluate(at, fit.coefficients))
    if not np.isfinite(point):
        place = ", ".join(f"{fit.inputs[name]} = {value:g}" for name, value in at.items())
        raise FitError(
            f"Law '{fit.law.name}' as fitted has no finite value at {place}; ask for a place nearer the runs."
        )
    return point


def _why_no_interval(curve: Array, outcomes_cn: Array) -> str:
    """Why there is none, in words; empty where there is one."""
    if not curve.size:
        return NO_DRAWS
    lost = int(np.sum(~(np.isfinite(curve) & np.isfinite(outcomes_cn).all(axis=1))))
    return f"{lost} of {curve.size} draws have no finite value there" if lost else ""


def _curve_draws(fit: Fit, at: Mapping[str, float]) -> Array:
    """The law at one place by each draw, on the scale of the fit; empty without draws."""
    if fit.draws is None:
        return np.empty(0)
    drawn = {name: fit.draws[name].to_numpy(dtype=np.float64) for name in fit.law.names}
    value = np.broadcast_to(fit.law.evaluate(at, drawn), (len(fit.draws),))
    return transform(fit.on, value)


def _quantiles(values: Array, probabilities: tuple[float, ...]) -> tuple[float, ...]:
    if not values.size:
        return (float("nan"),) * len(probabilities)
    return tuple(float(value) for value in np.quantile(values, probabilities))


def _shares(curve: Array, noise: Array, ends: tuple[float, float]) -> dict[str, float]:
    """Each source's share of the squared width; by widths, not variances, so that a wild draw counts once."""
    widths = np.array([np.diff(np.quantile(part, ends))[0] for part in (curve, noise)])
    squares = (widths / (widths.max() or 1.0)) ** 2  # in units of the wider: its own may overflow
    of_coefficients, of_noise = squares / (squares.sum() or 1.0)
    return {"coefficients": float(of_coefficients), "noise": float(of_noise)}


def by_law(fit: Fit, inputs: Mapping[str, float]) -> dict[str, float]:
    """Inputs by the law's own names, whichever names they were given by.

    Raises:
        InputError: If one is missing, unknown, or no number that the law can read.
    """
    known = {**{column: name for name, column in fit.inputs.items()}, **{name: name for name in fit.inputs}}
    columns = tuple(fit.inputs.values())
    for name, value in inputs.items():
        if name not in known:
            raise InputError(
                f"This fit of '{fit.law.name}' predicts from {', '.join(columns)}, not from '{name}'."
                f"{did_you_mean(name, columns)}"
            )
        kind = fit.law.inputs[fit.law.reads.index(known[name])]
        if not is_number(value) or (kind.positive and value <= 0):
            above = " above zero" if kind.positive else ""
            raise InputError(f"'{name}' must be a number{above} to predict from, not {value!r}.")
    given = {known[name]: float(value) for name, value in inputs.items()}
    missing = [column for name, column in fit.inputs.items() if name not in given]
    if missing:
        raise InputError(f"This fit of '{fit.law.name}' also needs {', '.join(missing)} to predict.")
    return {name: given[name] for name in fit.inputs}
