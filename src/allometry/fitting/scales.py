"""The scale on which a law and its runs are compared: "log", "raw" or "logit".

Differences of logarithms are relative errors, what a loss wants. Differences of logits are what a bounded
score wants: near 0 and near 1 it has no room left, and neither raw nor log differences know that.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from allometry.laws import Scale

Array = NDArray[np.float64]
SCALES: tuple[Scale, ...] = get_args(Scale)


def transform(scale: Scale, values: Array) -> Array:
    """Values on the scale; NaN or infinite where they lie outside its domain.

    >>> float(transform("logit", np.array(0.5)))
    0.0
    """
    with np.errstate(all="ignore"):
        if scale == "log":
            return np.asarray(np.log(values))
        return np.asarray(np.log(values / (1 - values))) if scale == "logit" else np.asarray(values)


def invert(scale: Scale, on_scale: Array) -> Array:
    """From the scale back to values: the inverse of `transform`.

    >>> float(invert("logit", np.array(0.0))), float(invert("log", np.array(0.0)))
    (0.5, 1.0)
    """
    if scale == "log":
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(on_scale))
    return np.asarray(0.5 + 0.5 * np.tanh(on_scale / 2)) if scale == "logit" else np.asarray(on_scale)


def derivatives(scale: Scale, f: Array) -> tuple[Array, Array | float]:
    """The transform's first derivative g' at f, and its second as a multiple of the square: g'' / g'²."""
    if scale == "log":
        return 1 / f, -1.0
    if scale == "logit":
        return 1 / (f * (1 - f)), 2 * f - 1
    return np.ones_like(f), 0.0


def inside(scale: Scale, values: Array) -> NDArray[np.bool_]:
    """Which values the scale has a place for."""
    finite = np.isfinite(values)
    if scale == "raw":
        return finite
    return finite & (values > 0) & ((values < 1) if scale == "logit" else True)
