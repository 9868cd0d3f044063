"""The fitting procedure as it was published, written from its description; SciPy's defaults are kept.

The fit: a grid of 4,500 starts, L-BFGS-B, differences for derivatives (Hoffmann et al. 2022, section D.2,
arXiv:2203.15556; Besiroglu et al. 2024, arXiv:2404.10102, who sum where the first took a mean). The bootstrap
of the latter: one search a resample, by BFGS with exact derivatives, from the coefficients of the former.

The objective below does only what it must, which makes this baseline faster than the published notebook:
that one takes the logarithms of the data anew each time, through the tracing arrays of `autograd`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

DELTA = 1e-3
NAMES = ("A", "B", "E", "alpha", "beta")  # the first three are searched for as logarithms
HOFFMANN = np.array([np.log(406.4), np.log(410.7), np.log(1.69), 0.34, 0.28])
_SCALES = np.arange(0, 26, 5.0)
_FLOORS = np.arange(-1, 1.25, 0.5)
_EXPONENTS = np.arange(0, 2.25, 0.5)


class Data(NamedTuple):
    """Logarithms of the runs, and how often a resample holds each; of shape (runs,)."""

    log_params: Array
    log_tokens: Array
    log_loss: Array
    counts: Array

    @classmethod
    def of(cls, params: Array, tokens: Array, loss: Array, counts: Array | None = None) -> Data:
        """From the runs themselves, each held once unless counts say otherwise."""
        held = np.ones(len(loss)) if counts is None else counts
        return cls(np.log(params), np.log(tokens), np.log(loss), held)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a search ended.

    Attributes:
        at: As searched for: log A, log B, log E, alpha, beta.
        value: The objective there.
    """

    at: Array
    value: float

    @property
    def coefficients(self) -> dict[str, float]:
        """As a user knows them."""
        return dict(zip(NAMES, map(float, [*np.exp(self.at[:3]), *self.at[3:]]), strict=True))


def grid() -> Array:
    """The 4,500 published starts, of shape (4500, 5)."""
    return np.array(list(product(_SCALES, _SCALES, _FLOORS, _EXPONENTS, _EXPONENTS)))


def objective(at: Array, *data: Array) -> float:
    """Sum over runs of Huber's penalty of the log residual."""
    runs, (a, b, e, alpha, beta) = Data(*data), at
    terms = np.logaddexp(a - alpha * runs.log_params, b - beta * runs.log_tokens)
    size = np.abs(np.logaddexp(terms, e) - runs.log_loss)
    return float(runs.counts @ np.where(size <= DELTA, 0.5 * size**2, DELTA * (size - 0.5 * DELTA)))


def gradient(at: Array, *data: Array) -> Array:
    """Exact derivatives of the objective, of shape (5,)."""
    runs, (a, b, e, alpha, beta) = Data(*data), at
    first, second = a - alpha * runs.log_params, b - beta * runs.log_tokens
    predicted = np.logaddexp(np.logaddexp(first, second), e)
    pull = runs.counts * np.clip(predicted - runs.log_loss, -DELTA, DELTA)
    first, second, third = (pull * np.exp(term - predicted) for term in (first, second, e))
    sums = [first.sum(), second.sum(), third.sum()]
    return np.array([*sums, -first @ runs.log_params, -second @ runs.log_tokens])


def fit(start: Array, data: Data) -> Found:
    """One search of the point fit."""
    with np.errstate(all="ignore"):  # some of the grid's starts overflow, in the published procedure too
        end = minimize(objective, start, args=tuple(data), method="L-BFGS-B")
    return Found(at=np.asarray(end.x), value=float(end.fun))


def refit(data: Data) -> Found:
    """One search of the bootstrap."""
    end = minimize(objective, HOFFMANN, args=tuple(data), method="BFGS", jac=gradient)
    return Found(at=np.asarray(end.x), value=float(end.fun))


def best_of(starts: Array, data: Data) -> Found:
    """The lowest end of several searches."""
    found = [fit(start, data) for start in starts]
    return min(found, key=lambda one: one.value if np.isfinite(one.value) else np.inf)
