"""The triangle of model, data and compute at equal loss: what each can be traded for, and where it ends.

Measured against the compute-optimal point of the same loss the trade has no scale. There size owes the share
v = beta / (alpha + beta) of the reducible loss. With x = N / N*, the tokens needed are
D / D* = ((1 - v x^-alpha) / (1 - v))^(-1 / beta), and the compute is C / C* = x · D / D*. Below
x = v^(1 / alpha) no amount of data is enough; for data the same holds with the letters exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import Estimate, Fit, middle
from allometry.planning.basis import basis_of
from allometry.planning.numbers import require_above_zero
from allometry.planning.published import PublishedFit
from allometry.planning.surfaces import Array, Surface, probability, reachable


@dataclass(frozen=True, kw_only=True)
class Floors:
    """What a loss takes at the very least of each, with unlimited amounts of the others.

    Attributes:
        params, tokens, flops: Least size; least data; least compute.
        optimal_params, optimal_tokens: Those of least compute.
        reachable: Probability that the loss can be reached at all, by the draws.
    """

    loss: float
    params: Estimate
    tokens: Estimate
    flops: Estimate
    optimal_params: Estimate
    optimal_tokens: Estimate
    reachable: float
    level: float


@dataclass(frozen=True, kw_only=True, eq=False)
class EqualLoss:
    """Ways to reach one loss: the more of one, the less of another.

    Attributes:
        loss: What all of them reach.
        params: Sizes, of shape (sizes,).
        tokens, flops: What each size needs; infinite below the least size. Of shape (sizes,).
        tokens_low, tokens_high, flops_low, flops_high: Their ranges, of the same shape.
        share_of_draws: Probability that a size can reach the loss at all.
    """

    loss: float
    params: Array
    tokens: Array
    tokens_low: Array
    tokens_high: Array
    flops: Array
    flops_low: Array
    flops_high: Array
    share_of_draws: Array
    level: float


def tokens_ratio(x: float | Array, alpha: float | Array, beta: float | Array) -> Array:
    """Tokens over those of the compute-optimal run of equal loss, for a size of x times its size.

    Returns:
        Infinite at and below the least size.

    Half the size needs 2.5 times the tokens, 1.26 times the compute:

    >>> ratio = tokens_ratio(0.5, alpha=0.3478, beta=0.3658)
    >>> print(f"{ratio:.2f} {0.5 * ratio:.2f}")
    2.52 1.26
    """
    share = np.asarray(beta / (np.asarray(alpha) + beta))
    left = (1 - share * np.asarray(x, dtype=np.float64) ** -alpha) / (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, left ** (-1 / np.asarray(beta)), np.inf)


def least_size_ratio(alpha: float | Array, beta: float | Array) -> Array:
    """Size over that of the compute-optimal run of equal loss, below which no data is enough.

    >>> print(f"{least_size_ratio(alpha=0.3478, beta=0.3658):.3f}")
    0.146
    """
    return np.asarray((beta / (np.asarray(alpha) + beta)) ** (1 / np.asarray(alpha)))


def _surface(fit: Fit | PublishedFit | str | Surface) -> Surface:
    return fit if isinstance(fit, Surface) else basis_of(fit).surface()


def floors(fit: Fit | PublishedFit | str | Surface, *, loss: float, level: float = 0.9) -> Floors:
    """What a loss takes at the very least of size, of data and of compute.

    Raises:
        InputError: If the loss is not above the floor of the law.
        FitError: If the law has no such surface.

    >>> law = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> least = floors(Surface.from_coefficients(law), loss=2.0)
    >>> print(f"{least.params.value:.2g} params, {least.tokens.value:.2g} tokens")
    6.9e+09 params, 1.2e+11 tokens
    """
    surface = _surface(fit)
    reachable(surface, loss)
    above = surface.reducible(loss)
    params, tokens = surface.cheapest(loss)

    def estimate(sets: Array, unit: str) -> Estimate:
        return surface.estimate(sets, unit, level)

    return Floors(
        loss=loss,
        params=estimate(surface.params_owing(above), "1"),
        tokens=estimate(surface.tokens_owing(above), "token"),
        flops=estimate(6 * params * tokens, "FLOP"),
        optimal_params=estimate(params, "1"),
        optimal_tokens=estimate(tokens, "token"),
        reachable=probability(~np.isnan(above)),
        level=level,
    )


def equal_loss(
    fit: Fit | PublishedFit | str | Surface, *, loss: float, params: NDArray[np.float64], level: float = 0.9
) -> EqualLoss:
    """Tokens and compute with which each of some sizes reaches a loss.

    A draw in which a size cannot reach the loss counts as endless tokens, so that the upper end of a range is
    infinite near the least size.

    Args:
        params: Sizes, of shape (sizes,).

    Raises:
        InputError: If the loss is not above the floor, or a size is not above zero.
    """
    surface = _surface(fit)
    reachable(surface, loss)
    for size in np.atleast_1d(params).tolist():
        require_above_zero(params=size)
    sizes = np.atleast_1d(np.asarray(params, dtype=np.float64))
    needed = np.stack([_endless(surface.tokens_for(loss, float(size))) for size in sizes])
    tokens = needed[:, 0]
    low, high = _ends(needed[:, 1:], level)
    return EqualLoss(
        loss=loss,
        params=sizes,
        tokens=tokens,
        tokens_low=low,
        tokens_high=high,
        flops=6 * sizes * tokens,
        flops_low=6 * sizes * low,
        flops_high=6 * sizes * high,
        share_of_draws=np.array([probability(np.isfinite(one)) for one in needed]),
        level=level,
    )


def _endless(tokens: Array) -> Array:
    return np.where(np.isnan(tokens), np.inf, tokens)


def _ends(draws: Array, level: float) -> tuple[Array, Array]:
    """Ends of the middle `level` along the last axis, where endless values count as the largest."""
    if draws.shape[1] == 0:
        none = np.full(len(draws), np.nan)
        return none, none
    # A quantile between a finite and an infinite draw is infinite; huge stands in for it meanwhile.
    huge = np.finfo(np.float64).max / 4
    low, high = middle(np.minimum(draws, huge), level, axis=1)
    return np.where(low >= huge / 1e6, np.inf, low), np.where(high >= huge / 1e6, np.inf, high)
