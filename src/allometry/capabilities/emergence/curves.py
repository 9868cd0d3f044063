"""Curves of one metric along log scale, fitted many at once by iteratively reweighted least squares.

Shapes in names: G curves, n points, K coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 15
_NEAREST = 1e-6  # to an end of the curve, as a share of its height: likelihoods stay finite
_RIDGE = 1e-9
_FAR = 30.0  # index beyond which every form has reached its end


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How an index that is linear in log scale becomes a share between 0 and 1.

    Attributes:
        name: In words.
        share: Index to share.
        slope: Derivative of the share by the index, from index and share.
        index: Share to index.
    """

    name: str
    share: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    index: Callable[[Array], Array]


SIGMOID = Form(
    name="sigmoid",
    share=lambda eta: np.asarray(0.5 + 0.5 * np.tanh(eta / 2)),
    slope=lambda _, share: share * (1 - share),
    index=lambda share: np.log(share / (1 - share)),
)
POWER_OF_SURPRISE = Form(
    name="power law of -ln p",
    share=lambda eta: np.exp(-np.exp(-eta)),
    slope=lambda eta, share: share * np.exp(-eta),
    index=lambda share: -np.log(-np.log(share)),
)
POWER_OF_CHANCE = Form(
    name="power law of -ln(1 - p)",
    share=lambda eta: -np.expm1(-np.exp(eta)),
    slope=lambda eta, share: (1 - share) * np.exp(eta),
    index=lambda share: np.log(-np.log1p(-share)),
)
FORMS = (SIGMOID, POWER_OF_SURPRISE, POWER_OF_CHANCE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """Fitted curves.

    Attributes:
        coefficients: Shape (G, K).
        covariances: Of the coefficients, for a dispersion of 1; shape (G, K, K).
        misfits: Deviance of each, shape (G,): chi-square for a dispersion of 1.
    """

    coefficients: Array
    covariances: Array
    misfits: Array

    def repeated(self, times: int) -> Curves:
        """Each curve so many times in a row."""
        parts = (np.repeat(one, times, axis=0) for one in (self.coefficients, self.covariances, self.misfits))
        coefficients, covariances, misfits = parts
        return Curves(coefficients=coefficients, covariances=covariances, misfits=misfits)


def height(form: Form, index: Array, low: Array | float, high: Array | float) -> Array:
    """The curve's value, between its ends."""
    return np.asarray(low + (high - low) * form.share(np.clip(index, -_FAR, _FAR)))


def fit_curves(
    form: Form, designs_GnK: Array, shares_n: Array, counts_Gn: Array, low_G: Array, high_G: Array
) -> Curves:
    """Fit low + (high - low) · form(design · coefficients) to binomial shares by maximum likelihood.

    Args:
        designs_GnK: One design a curve.
        shares_n: Measured, in [0, 1].
        counts_Gn: Items behind each share; 0 leaves a point out.
        low_G, high_G: Ends of each curve.

    Source:
        McCullagh and Nelder 1989, Generalized Linear Models, section 2.5.
    """
    low, high = low_G[:, None], high_G[:, None]
    index = form.index(_inside(shares_n, counts_Gn, low, high))
    kept: Curves | None = None
    for _ in range(_ROUNDS):
        found = _round(form, designs_GnK, shares_n, counts_Gn, low, high, index)
        kept = found if kept is None else _better(kept, found)
        index = np.clip(np.einsum("gnk,gk->gn", designs_GnK, found.coefficients), -_FAR, _FAR)
    assert kept is not None
    return kept


def deviance(shares: Array, means: Array, counts: Array) -> Array:
    """Twice the log likelihood lost against the shares themselves, point by point; any shape.

    >>> deviance(np.array([0.5]), np.array([0.5]), np.array([100.0])).round(6)
    array([0.])
    """
    mu = np.clip(means, _NEAREST, 1 - _NEAREST)
    right = shares * np.log(np.maximum(shares, 1e-300) / mu)
    wrong = (1 - shares) * np.log(np.maximum(1 - shares, 1e-300) / (1 - mu))
    return np.asarray(2 * counts * (right + wrong))


def _inside(shares: Array, counts: Array, low: Array, high: Array) -> Array:
    """Measured shares between the ends, moved off them by half an item."""
    room = 0.5 / np.maximum(counts, 1.0)
    return np.clip((shares - low) / (high - low), np.minimum(room, 0.25), 1 - np.minimum(room, 0.25))


def _round(
    form: Form, designs: Array, shares: Array, counts: Array, low: Array, high: Array, index: Array
) -> Curves:
    """One weighted least squares; the misfit is that of the new coefficients."""
    part = np.clip(form.share(index), _NEAREST, 1 - _NEAREST)
    mean = low + (high - low) * part
    slope = np.maximum((high - low) * form.slope(index, part), 1e-12)
    weights = counts * slope**2 / np.maximum(mean * (1 - mean), 1e-12)
    working = index + np.clip((shares - mean) / slope, -5, 5)
    weighted = designs * weights[..., None]
    information = np.einsum("gnk,gnl->gkl", weighted, designs)
    ridge = _RIDGE * np.maximum(np.trace(information, axis1=1, axis2=2), 1e-9)
    covariances = np.linalg.inv(information + ridge[:, None, None] * np.eye(designs.shape[2]))
    coefficients = np.einsum("gkl,gl->gk", covariances, np.einsum("gnk,gn->gk", weighted, working))
    means = height(form, np.einsum("gnk,gk->gn", designs, coefficients), low, high)
    return Curves(
        coefficients=coefficients, covariances=covariances,
        misfits=deviance(shares, means, counts).sum(axis=1),
    )  # fmt: skip


def _better(one: Curves, other: Curves) -> Curves:
    """Curve by curve the one with less misfit: a step that overshoots is not kept."""
    wins = other.misfits < one.misfits
    return Curves(
        coefficients=np.where(wins[:, None], other.coefficients, one.coefficients),
        covariances=np.where(wins[:, None, None], other.covariances, one.covariances),
        misfits=np.where(wins, other.misfits, one.misfits),
    )
