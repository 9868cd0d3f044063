"""Forms of a trend, fitted to many sets of points at once by least squares of log2: arrays in, arrays out.

Legend: d sets of points (draws), n points, m dates, g places of a grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from allometry.registry import Catalog

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LOG_ROOT_TAU = 0.5 * np.log(2 * np.pi)  # of the normal density
# Doublings a year in parts of the straight line's; a curve that levels off was steeper before.
_STEEPER = np.geomspace(0.7, 12, 24)
# Doublings beyond the middle that the last point lies: far below it the curve cannot be told from the line.
_PASSED = np.linspace(-9, 7, 33)
_POLISHING = 8  # Gauss-Newton steps from the best place of the grid
_FILLING = 40  # rounds of filling in what lies beyond the ceiling


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of a trend.

    Attributes:
        solve: (x_n, y_dn, use_dn) to coefficients of shape (d, size).
        curve: (coefficients, x_m) to log2 values of shape (d, m).
    """

    name: str
    size: int
    solve: Callable[[Array, Array, Flags], Array]
    curve: Callable[[Array, Array], Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """Coefficients of shape (d, size), and the residual standard deviation of log2, of shape (d,)."""

    form: Form
    coefficients: Array
    scatter: Array


def solve(form: Form, x_n: Array, y_dn: Array, bounded_dn: Flags) -> Solved:
    """Fit a form; what is bounded from below is filled in with its expectation beyond the bound (Tobit).

    Args:
        y_dn: Log2 values; NaN where a set lacks a point.
        bounded_dn: Values that are lower bounds.

    Source:
        Tobin 1958, Econometrica 26(1); by expectation and maximisation, Dempster et al. 1977.
    """
    use = np.isfinite(y_dn)
    bound = np.where(use, y_dn, 0.0)
    filled, extra = bound, np.zeros(y_dn.shape)
    coefficients = form.solve(x_n, filled, use)
    scatter = _scatter(form, coefficients, x_n, filled, use, extra)
    for _ in range(_FILLING if bounded_dn.any() else 0):
        centre, width = form.curve(coefficients, x_n), np.maximum(scatter, 1e-6)[:, None]
        z = (bound - centre) / width
        hazard = np.exp(-(z**2) / 2 - _LOG_ROOT_TAU - log_ndtr(-z))
        filled = np.where(bounded_dn, centre + width * hazard, bound)
        extra = np.where(bounded_dn, width**2 * np.clip(1 + z * hazard - hazard**2, 0, 1), 0.0)
        coefficients = form.solve(x_n, filled, use)
        scatter = _scatter(form, coefficients, x_n, filled, use, extra)
    return Solved(form=form, coefficients=coefficients, scatter=scatter)


def _scatter(form: Form, coefficients: Array, x_n: Array, y_dn: Array, use: Flags, extra: Array) -> Array:
    left = np.where(use, (y_dn - form.curve(coefficients, x_n)) ** 2 + extra, 0.0).sum(axis=1)
    return np.asarray(np.sqrt(left / np.maximum(use.sum(axis=1) - form.size, 1)))


def _line(x_n: Array, y_dn: Array, use_dn: Flags) -> Array:
    """Value at x = 0, and doublings a year."""
    w = use_dn.astype(np.float64)
    total = w.sum(axis=1)
    x_mean, y_mean = (w @ x_n) / total, (w * y_dn).sum(axis=1) / total
    apart = x_n - x_mean[:, None]
    slope = (w * apart * y_dn).sum(axis=1) / np.maximum((w * apart**2).sum(axis=1), 1e-300)
    return np.stack([y_mean - slope * x_mean, slope], axis=1)


def _line_curve(coefficients: Array, x_m: Array) -> Array:
    return np.asarray(coefficients[:, :1] + coefficients[:, 1:] * x_m)


def _levelling(x_n: Array, y_dn: Array, use_dn: Flags) -> Array:
    """Log2 of the level it ends at, doublings a year long before, doublings passed at the last x, x there.

    A falling series levels off at a floor: it is the same curve turned over, with a negative rate.
    """
    w, last = use_dn.astype(np.float64), float(x_n.max())
    slope = float(np.median(_line(x_n, y_dn, use_dn)[:, 1]))
    turn = -1.0 if slope < 0 else 1.0
    y = turn * y_dn
    rates = max(abs(slope), 1e-3) * _STEEPER
    rate_g, passed_g = (one.ravel() for one in np.meshgrid(rates, _PASSED))
    below_gn = -_softplus2(-(passed_g[:, None] + rate_g[:, None] * (x_n - last)))
    total = w.sum(axis=1, keepdims=True)
    gap = (w * y).sum(axis=1, keepdims=True) - w @ below_gn.T
    squares = -2 * (w * y) @ below_gn.T + w @ (below_gn**2).T - gap**2 / total
    best = squares.argmin(axis=1)
    rows = np.arange(len(y))
    at = np.stack([gap[rows, best] / total[:, 0], rate_g[best], passed_g[best]], axis=1)
    at = _polished(at, x_n - last, y, w, rates)
    return np.concatenate([at * np.array([turn, turn, 1.0]), np.full((len(y), 1), last)], axis=1)


def _levelling_curve(coefficients: Array, x_m: Array) -> Array:
    level, rate, passed, last = (one[:, None] for one in coefficients.T)
    turn = np.where(rate < 0, -1.0, 1.0)
    return np.asarray(level - turn * _softplus2(-(passed + np.abs(rate) * (x_m - last))))


def _polished(at: Array, x_n: Array, y_dn: Array, w: Array, rates: Array) -> Array:
    """Damped Gauss-Newton steps inside the grid; a step that fits worse is not taken."""
    low = np.array([-np.inf, rates[0], _PASSED[0]])
    high = np.array([np.inf, rates[-1], _PASSED[-1]])
    left, jacobian = _residuals(at, x_n, y_dn, w)
    damping = np.full(len(at), 1e-2)
    for _ in range(_POLISHING):
        square = np.einsum("dni,dnj->dij", jacobian, jacobian)
        square += damping[:, None, None] * np.eye(3) * (1e-9 + np.einsum("dii->di", square)[:, None, :])
        step = np.linalg.solve(square, np.einsum("dni,dn->di", jacobian, left)[:, :, None])[:, :, 0]
        tried = np.clip(at + step, low, high)
        left_there, jacobian_there = _residuals(tried, x_n, y_dn, w)
        better = (left_there**2).sum(axis=1) <= (left**2).sum(axis=1)
        at = np.where(better[:, None], tried, at)
        left = np.where(better[:, None], left_there, left)
        jacobian = np.where(better[:, None, None], jacobian_there, jacobian)
        damping = np.where(better, damping / 5, damping * 10)
    return at


def _residuals(at: Array, x_n: Array, y_dn: Array, w: Array) -> tuple[Array, Array]:
    inside = at[:, 2:] + at[:, 1:2] * x_n
    share = 1 / (1 + np.exp2(np.clip(inside, -60, 60)))  # of the way still to go
    left = w * (y_dn - at[:, :1] + _softplus2(-inside))
    return left, w[:, :, None] * np.stack([np.ones(inside.shape), share * x_n, share], axis=2)


def _softplus2(v: Array) -> Array:
    """log2(1 + 2^v)."""
    return np.asarray(np.logaddexp2(0.0, v))


EXPONENTIAL = Form(name="exponential", size=2, solve=_line, curve=_line_curve)
LEVELLING = Form(name="levelling off", size=3, solve=_levelling, curve=_levelling_curve)
FORMS: Catalog[Form] = Catalog("form", {form.name: form for form in (EXPONENTIAL, LEVELLING)})
