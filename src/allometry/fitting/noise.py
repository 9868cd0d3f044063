"""How much two runs of the same setting differ: what a forecast of one run must allow for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from allometry.fitting.result import Fit, FitData
from allometry.fitting.scales import transform
from allometry.laws import Scale

Array = NDArray[np.float64]

_UNLIKELY = 0.01  # chance at which a test calls ordinary noise something else


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The spread of single runs.

    Attributes:
        scale: Standard deviation of a run of mean weight, on the scale of the fit.
        freedom: Degrees of freedom it was estimated with.
        found: What it was estimated from, in words.
    """

    scale: float
    freedom: int
    found: str


def noise_of(fit: Fit) -> Noise:
    """The noise of one new run around the law.

    Repeated seeds measure run-to-run noise itself. What the residuals hold above that is the law's own
    misfit, and a new run will not be spared it either: the larger of the two is taken. Without repeats the
    residuals are all there is, and they hide the part of the noise that the law has bent towards.
    """
    around = residual_noise(fit)
    again = repeat_noise(fit.data, fit.on)
    if again is None:
        return around
    return (
        again
        if again.scale >= around.scale
        else Noise(
            scale=around.scale,
            freedom=around.freedom,
            found=f"{around.found}; {again.found} alone differ by {again.scale:.2g}",
        )
    )


def residual_noise(fit: Fit) -> Noise:
    """The residuals around the law.

    Those of n runs around p open coefficients are too small by sqrt((n - p) / n), as the law has bent towards
    them, and are scaled up by that.
    """
    freedom = max(len(fit.data) - len(fit.open), 1)
    weights = fit.data.weights / fit.data.weights.mean()
    size = float(np.sqrt(np.sum(weights * fit.residuals() ** 2) / freedom))
    repeated = len(np.unique(fit.data.settings)) < len(fit.data)
    return Noise(
        scale=size,
        freedom=freedom,
        found="residuals of the law" if repeated else "residuals of the law, as no setting was repeated",
    )


def noise_is_ordinary(fit: Fit) -> bool:
    """Whether nothing in the residuals speaks against noise that is normal and alike at all inputs.

    Two tests at 1% each: Jarque and Bera (1980) on skewness and kurtosis, and Koenker's (1981) form of that
    of Breusch and Pagan (1979), which asks whether squared residuals rise or fall with the inputs. They rest
    on many runs: forty a coefficient, say.
    """
    residuals = fit.residuals() * np.sqrt(fit.data.weights / fit.data.weights.mean())
    deviations = residuals - residuals.mean()
    size = float(np.mean(deviations**2)) ** 0.5
    if size == 0:
        return True
    skewness, kurtosis = (float(np.mean((deviations / size) ** power)) for power in (3, 4))
    shape = len(residuals) * (skewness**2 / 6 + (kurtosis - 3) ** 2 / 24)
    return shape < float(chdtri(2, _UNLIKELY)) and not _spread_changes(fit, residuals)


def _spread_changes(fit: Fit, residuals: Array) -> bool:
    known = [np.log(column) if (column > 0).all() else column for column in fit.data.inputs.values()]
    read = np.column_stack([np.ones(len(residuals)), *known])
    squares = residuals**2
    explained = read @ np.linalg.lstsq(read, squares, rcond=None)[0]
    total = float(np.var(squares))
    share = float(np.var(explained)) / total if total > 0 else 0.0
    return len(residuals) * share > float(chdtri(len(known), _UNLIKELY))


def repeat_noise(data: FitData, on: Scale) -> Noise | None:
    """The pooled standard deviation of runs with the same inputs; None if no setting was repeated."""
    measured, setting = transform(on, data.output), data.settings
    freedom = len(measured) - int(setting.max()) - 1
    if freedom < 1:
        return None
    weights = data.weights / data.weights.mean()
    total = np.bincount(setting, weights)
    mean = np.bincount(setting, weights * measured) / total
    size = float(np.sqrt(np.sum(weights * (measured - mean[setting]) ** 2) / freedom))
    return Noise(scale=size, freedom=freedom, found=_words(setting))


def _words(setting: NDArray[np.intp]) -> str:
    times = np.bincount(setting)
    repeated = int((times > 1).sum())
    return f"{int(times[times > 1].sum())} runs of {repeated} repeated setting{'s' if repeated > 1 else ''}"
