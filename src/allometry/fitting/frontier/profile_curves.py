"""The curve through one IsoFLOP profile and its minimum: arrays in, arrays out, many noisy copies at once.

"parabola"  loss as a parabola of the log input, by least squares (Hoffmann et al. 2022, approach 2)
"robust"    the same parabola by Huber's reweighting, so that single bad runs pull less
"akima"     log loss through all points, local cubics (Porian et al. 2024, arXiv:2406.19146, appendix)
"spline"    log loss through all points, one cubic spline
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from scipy.interpolate import Akima1DInterpolator, CubicSpline

Array = NDArray[np.float64]
Curve = Literal["parabola", "robust", "spline", "akima"]

CURVES: tuple[Curve, ...] = ("parabola", "robust", "spline", "akima")
PARABOLAS = ("parabola", "robust")
SAME_SIZE = 0.01  # relative: sizes closer than this are one size; a curve through both would leap
NORMAL_MAD = 1.4826  # standard deviation of a normal sample over its median absolute deviation
_HUBER = 1.345  # in standard deviations: 95% efficient under normal noise (Huber 1981, section 4)
_REWEIGHTINGS = 30
_LEAST_SCALE = 1e-12  # relative to the losses: noiseless profiles have residuals of rounding size


@dataclass(frozen=True, kw_only=True)
class Minima:
    """Where curves are least, each of shape (copies,).

    Attributes:
        place: Log input at the minimum. A parabola's vertex may lie outside the points; NaN where it opens
            downward. An interpolating curve has its least value at one end if it has no bowl.
        value: Loss there.
    """

    place: Array
    value: Array


def require_curve(curve: str) -> None:
    """Refuse a name that is no curve."""
    if curve not in CURVES:
        raise InputError(
            f"There is no curve '{curve}'.{did_you_mean(curve, CURVES)} There are: {', '.join(CURVES)}."
        )


def minima(curve: Curve, x: Array, y: Array) -> Minima:
    """The least point of the curve through each copy of a profile.

    Args:
        x: Log inputs, rising, of shape (points,).
        y: Losses, of shape (copies, points).

    >>> x = np.arange(5.0)
    >>> found = minima("parabola", x, 2 + 0.1 * (x[None, :] - 1.5) ** 2)
    >>> round(float(found.place[0]), 6), round(float(found.value[0]), 6)
    (1.5, 2.0)
    """
    if curve in PARABOLAS:
        middle, coefficients = _parabolas(curve, x, y)
        return _vertices(middle, coefficients)
    knots, values = _distinct(x, y)
    return _piecewise_minima(_interpolant(curve, knots, values))


def values(curve: Curve, x: Array, y: Array, at: Array) -> Array:
    """The curve through each copy at other log inputs; of shape (copies, places)."""
    if curve in PARABOLAS:
        middle, coefficients = _parabolas(curve, x, y)
        return np.asarray(coefficients @ _powers(at - middle))
    knots, through = _distinct(x, y)
    return np.asarray(np.exp(_interpolant(curve, knots, through)(at)).T)


def distinct_sizes(x: Array) -> NDArray[np.intp]:
    """Which of the distinct sizes each rising log input belongs to.

    >>> distinct_sizes(np.log([1e6, 1.001e6, 2e6]))
    array([0, 0, 1])
    """
    return np.concatenate([[0], np.cumsum(np.diff(x) > np.log1p(SAME_SIZE))]).astype(np.intp)


def _parabolas(curve: Curve, x: Array, y: Array) -> tuple[float, Array]:
    """Coefficients of 1, x, x² about the middle of the points, of shape (copies, 3)."""
    middle = float(x.mean())
    powers = _powers(x - middle)
    coefficients = y @ np.linalg.pinv(powers)
    return middle, _reweighted(powers, y, coefficients) if curve == "robust" else coefficients


def _powers(x: Array) -> Array:
    return np.stack([np.ones_like(x), x, x**2])


def _reweighted(powers: Array, y: Array, coefficients: Array) -> Array:
    pairs = (powers[:, None, :] * powers[None, :, :]).reshape(9, -1)
    for _ in range(_REWEIGHTINGS):
        residuals = np.abs(y - coefficients @ powers)
        scale = NORMAL_MAD * np.median(residuals, axis=1, keepdims=True)
        reach = _HUBER * np.maximum(scale, _LEAST_SCALE * np.abs(y).max())
        weights = reach / np.maximum(residuals, reach)
        normal, right = (weights @ pairs.T).reshape(-1, 3, 3), (weights * y) @ powers.T
        before, coefficients = coefficients, np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        if np.abs(coefficients - before).max() <= _LEAST_SCALE * np.abs(y).max():
            break
    return np.asarray(coefficients)


def _vertices(middle: float, coefficients: Array) -> Minima:
    constant, slope, bend = coefficients.T
    opens_up = bend > 0
    away = np.where(opens_up, -slope / (2 * np.where(opens_up, bend, 1.0)), np.nan)
    return Minima(place=middle + away, value=constant + slope * away / 2)


def _distinct(x: Array, y: Array) -> tuple[Array, Array]:
    """Log inputs with one point a size, and the mean log losses there."""
    groups = distinct_sizes(x)
    members = np.eye(groups[-1] + 1)[groups]
    shares = members / members.sum(axis=0)
    return np.asarray(x @ shares), np.asarray(np.log(y) @ shares)


def _interpolant(curve: Curve, x: Array, y: Array) -> CubicSpline | Akima1DInterpolator:
    from scipy.interpolate import Akima1DInterpolator, CubicSpline

    return CubicSpline(x, y.T) if curve == "spline" else Akima1DInterpolator(x, y.T)


def _piecewise_minima(through: CubicSpline | Akima1DInterpolator) -> Minima:
    """The least of all knots and all stationary points inside a piece, exactly."""
    cubic, square, slope, constant = through.c
    width = np.diff(through.x)[:, None]
    roots = _stationary(3 * cubic, 2 * square, slope)
    steps = np.stack([np.zeros_like(slope), np.broadcast_to(width, slope.shape), *roots])
    inside = np.isfinite(steps) & (steps >= 0) & (steps <= width)
    steps = np.where(inside, steps, 0.0)
    heights = ((cubic * steps + square) * steps + slope) * steps + constant
    places = through.x[:-1, None] + steps
    copies = heights.shape[-1]
    flat = heights.reshape(-1, copies)
    best = np.argmin(flat, axis=0), np.arange(copies)
    return Minima(place=places.reshape(-1, copies)[best], value=np.exp(flat[best]))


def _stationary(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Roots of a t² + b t + c without cancellation; NaN or infinite where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = -(b + np.copysign(np.sqrt(b**2 - 4 * a * c), b)) / 2
        return half / a, c / half
