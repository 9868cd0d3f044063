"""Where a run is best divided between size and data, for any law and along any constraint.

Three constraints tie the tokens D to the size N: a training budget, D = C / (6 N); a budget for training and
serving S tokens, D = B / (6 N) - S / 3; a loss, D with L(N, D) = loss. Along each of them the best point has
dL/d ln N = (1 + S / (3 D)) dL/d ln D: what one more percent of size gains, against its whole cost over life.
For a fixed training budget that is the run which, for the loss that it reaches, costs least over its life.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from allometry.planning.basis import Basis
from allometry.planning.surfaces import Surface, five_numbers

Array = NDArray[np.float64]
Tokens = Callable[[Array], Array]
Gains = Callable[[Array, Array], tuple[Array, Array]]

_HALVINGS = 60
_LARGEST = math.log(1e40)  # of sizes and tokens that are looked at
_LEAST = 1e-100  # of tokens, where a constraint leaves none


def best_split(
    basis: Basis, tokens_of: Tokens, *, most: float = _LARGEST, served: float = 0.0, stock: float = np.inf
) -> Array:
    """Size of the best point along a constraint, for each set; NaN where that is at an end.

    Args:
        tokens_of: Tokens that go with a size.
        most: Logarithm of the largest size that the constraint leaves.
        served: Tokens served, weighted by what their FLOP cost.
        stock: Distinct tokens there are.
    """

    gains = _gains(basis, stock)

    def excess(log_params: Array) -> Array:
        params = np.exp(log_params)
        tokens = np.maximum(tokens_of(params), _LEAST)
        by_size, by_data = gains(params, tokens)
        gained = by_data * (1 + served / (3 * tokens)) - by_size
        return np.where(np.isnan(gained), -1.0, gained)  # too small for the loss at any amount of data

    low, high = np.zeros(basis.sets), np.full(basis.sets, most)
    inside = (excess(low) < 0) & (excess(high) > 0)
    return np.where(inside, np.exp(_root(excess, low, high)), np.nan)


def tokens_within(flops: float | Array) -> Tokens:
    """Tokens of a size in a training budget."""
    return lambda params: flops / 6 / params


def tokens_of_life(flops: float, served: float) -> Tokens:
    """Tokens of a size in a budget that also pays for serving."""
    return lambda params: flops / 6 / params - served / 3


def tokens_to_reach(basis: Basis, loss: float | Array, stock: float = np.inf) -> Tokens:
    """Tokens with which a size reaches a loss; NaN where no amount of data is enough."""

    def tokens_of(params: Array) -> Array:
        def above(log_tokens: Array) -> Array:
            return loss - basis.loss(params, np.exp(log_tokens), stock)

        low, high = np.zeros(basis.sets), np.full(basis.sets, _LARGEST)
        return np.where(above(high) > 0, np.exp(_root(above, low, high)), np.nan)

    return tokens_of


def _gains(basis: Basis, stock: float) -> Gains:
    """What the loss falls by for a little more of size, and for as much more of data."""
    five = five_numbers(basis.coefficients, basis.law)
    if five is not None and np.isinf(stock):
        return Surface(**five, unit=basis.unit, name=basis.law.name).gains
    return lambda params, tokens: basis.gains(params, tokens, stock)


def _root(function: Tokens, low: Array, high: Array) -> Array:
    """Where a rising function passes zero, one for each set."""
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        below = function(half) < 0
        low, high = np.where(below, half, low), np.where(below, high, half)
    return np.asarray((low + high) / 2)
