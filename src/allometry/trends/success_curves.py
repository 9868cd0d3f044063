"""Many logistic curves of success against the log of task length at once: arrays in, arrays out.

Legend: b agents or draws of them (problems that are solved together), t tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Penalty = Literal["firth", "none", "published"]

# The penalty of the published horizons on the squared slope, where the weights of an agent sum to 1.
PUBLISHED_STRENGTH = 0.1
_CELLS_AT_ONCE = 51_200  # problems x tasks: tables of so many stay in the processor's cache
_MOST_STEPS = 80
_LONGEST_STEP = 3.0  # of the log-odds; a longer one would leave the region where the quadratic holds
_CLOSE = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """Log-odds of success = intercept + slope · log2(minutes), each of shape (b,); NaN where there is none.

    Attributes:
        separated: Successes and failures do not overlap in length, or there is one kind only: without a
            penalty the curve is a step, and its slope has no end.
    """

    intercept: Array
    slope: Array
    separated: Flags

    def log2_horizon(self, share: float = 0.5) -> Array:
        """Log2 of the minutes at which this share succeeds; NaN where success does not fall with length."""
        falling = np.where(self.slope < 0, self.slope, np.nan)
        return np.asarray((np.log(share / (1 - share)) - self.intercept) / falling)


def success_curves(x_t: Array, weights_bt: Array, shares_bt: Array, *, penalty: Penalty = "firth") -> Curves:
    """Fit a logistic curve to each row of shares, by Newton's method on all of them together.

    Args:
        x_t: Log2 of task lengths.
        weights_bt: Of the cells; 0 where a task was not tried. "published" expects rows of sum near 1,
            "firth" rows that sum to the number of independent trials they are worth.
        shares_bt: Succeeded, from 0 to 1. A share of 0.3 counts as 0.3 of a success and 0.7 of a failure.
        penalty: "none" maximises the likelihood; "firth" adds half the log determinant of the information,
            which removes the first order of its bias and keeps separated data finite; "published" takes
            off 0.1/2 times the squared slope, which shrinks it.

    Source:
        Kwa et al. 2025, arXiv:2503.14499, section 3.2 ("published"). Firth 1993, Biometrika 80(1), with the
        estimating equations of Heinze and Schemper 2002, doi:10.1002/sim.1047.

    >>> x, shares = np.array([0.0, 2.0, 4.0, 6.0]), np.array([[0.9, 0.7, 0.3, 0.1]])
    >>> curves = success_curves(x, np.full((1, 4), 1.0), shares, penalty="none")
    >>> curves.log2_horizon().round(2).tolist()
    [3.0]
    """
    found = np.full((len(weights_bt), 2), np.nan)
    separated = _separated(x_t, weights_bt, shares_bt)
    solvable = _spread(x_t, weights_bt) > 0
    rows = np.flatnonzero(solvable & ~separated if penalty == "none" else solvable)
    size = max(1, _CELLS_AT_ONCE // len(x_t))
    for at in range(0, len(rows), size):
        block = rows[at : at + size]
        found[block] = _solve(x_t, weights_bt[block], shares_bt[block], penalty)
    return Curves(intercept=found[:, 0], slope=found[:, 1], separated=separated)


def _spread(x_t: Array, weights_bt: Array) -> Array:
    tried = weights_bt > 0
    return np.asarray(np.where(tried, x_t, -np.inf).max(axis=1) - np.where(tried, x_t, np.inf).min(axis=1))


def _separated(x_t: Array, weights_bt: Array, shares_bt: Array) -> Flags:
    """In one dimension: no success is longer than a failure, or none shorter, or one kind is missing."""
    won, lost = (weights_bt > 0) & (shares_bt > 0), (weights_bt > 0) & (shares_bt < 1)
    longest_won, longest_lost = (np.where(kind, x_t, -np.inf).max(axis=1) for kind in (won, lost))
    shortest_won, shortest_lost = (np.where(kind, x_t, np.inf).min(axis=1) for kind in (won, lost))
    return np.asarray((longest_won <= shortest_lost) | (longest_lost <= shortest_won))


def _solve(x_t: Array, weights_bt: Array, shares_bt: Array, penalty: Penalty) -> Array:
    """Intercepts and slopes, of shape (b, 2).

    Lengths are counted from the weighted mean, where intercept and slope hardly depend on each other. A step
    that lowers the objective is halved; solved problems leave the batch.
    """
    total = weights_bt.sum(axis=1)
    centre = (weights_bt @ x_t) / total
    z_bt = x_t - centre[:, None]
    mean = np.clip((weights_bt * shares_bt).sum(axis=1) / total, 0.02, 0.98)
    at = np.stack([np.log(mean / (1 - mean)), np.zeros(len(mean))], axis=1)
    value, step = _expand(at, z_bt, weights_bt, shares_bt, penalty)
    active = np.arange(len(at))
    for _ in range(_MOST_STEPS):
        tried = at[active] + step[active]
        data = (z_bt[active], weights_bt[active], shares_bt[active])
        reached, onward = _expand(tried, *data, penalty)
        better = reached >= value[active] - 1e-12 * np.abs(value[active])
        moved = np.abs(step[active]).max(axis=1)
        at[active] = np.where(better[:, None], tried, at[active])
        value[active] = np.where(better, reached, value[active])
        step[active] = np.where(better[:, None], onward, step[active] / 2)
        active = active[moved > _CLOSE]
        if not active.size:
            break
    return np.stack([at[:, 0] - at[:, 1] * centre, at[:, 1]], axis=1)


def _expand(at: Array, z_bt: Array, w_bt: Array, y_bt: Array, penalty: Penalty) -> tuple[Array, Array]:
    """The penalised log-likelihood, of shape (b,), and Newton's step from there, of shape (b, 2)."""
    eta = at[:, :1] + at[:, 1:] * z_bt
    tail = np.exp(-np.abs(eta))
    p = np.where(eta >= 0, 1.0, tail) / (1 + tail)
    v = w_bt * tail / (1 + tail) ** 2
    value = np.einsum("bt,bt->b", w_bt, y_bt * eta - np.maximum(eta, 0) - np.log1p(tail))
    pull = w_bt * (y_bt - p)
    vz = v * z_bt
    i_aa, i_as, i_ss = v.sum(axis=1), vz.sum(axis=1), np.einsum("bt,bt->b", vz, z_bt)
    if penalty == "published":
        value = value - PUBLISHED_STRENGTH / 2 * at[:, 1] ** 2
        i_ss = i_ss + PUBLISHED_STRENGTH
    if penalty == "firth":
        det = _determinant(i_aa, i_as, i_ss)
        value = value + 0.5 * np.log(det)
        leverage = v * (i_ss[:, None] - 2 * i_as[:, None] * z_bt + i_aa[:, None] * z_bt**2) / det[:, None]
        pull = pull + leverage * (0.5 - p)
    g_a, g_s = pull.sum(axis=1), np.einsum("bt,bt->b", pull, z_bt)
    if penalty == "published":
        g_s = g_s - PUBLISHED_STRENGTH * at[:, 1]
    det = _determinant(i_aa, i_as, i_ss)
    step = np.stack([i_ss * g_a - i_as * g_s, i_aa * g_s - i_as * g_a], axis=1) / det[:, None]
    length = np.abs(step).max(axis=1, keepdims=True)
    return value, step * np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-300))


def _determinant(i_aa: Array, i_as: Array, i_ss: Array) -> Array:
    return np.maximum(i_aa * i_ss - i_as**2, 1e-300)
