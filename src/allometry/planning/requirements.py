"""What a target loss takes at the least, and whether it can be reached at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Fit
from allometry.laws import data_constrained
from allometry.planning.basis import Basis, basis_of
from allometry.planning.numbers import require_above_zero
from allometry.planning.published import PublishedFit
from allometry.planning.result import Requirements
from allometry.planning.surfaces import by_the_draws, estimate_of, probability, reachable
from allometry.planning.triangle import floors
from allometry.units import show_count

Array = NDArray[np.float64]

_WITHOUT_END = 1e60  # of size and data: what is left of the loss is what a stock of unique tokens leaves


def require(
    fit: Fit | PublishedFit | str, *, loss: float, unique_tokens: float | None = None, level: float = 0.9
) -> Requirements:
    """What a target loss takes: least compute, and what each constraint alone forces.

    Args:
        fit: A fit of a floor plus a power of params plus a power of tokens, a published one, or its name.
        unique_tokens: Distinct tokens there are.
        level: Share the ranges are meant to contain.

    Raises:
        InputError: If the target is under the floor, or under what the data allows.
        FitError: If the law has another shape.

    >>> needs = require("besiroglu_2024", loss=2.0)
    >>> print(f"{needs.floors.params.value:.2g} params, {needs.floors.tokens.value:.2g} tokens at the least")
    6.8e+09 params, 1.2e+11 tokens at the least
    >>> require("besiroglu_2024", loss=2.0, unique_tokens=1e9)
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: A loss of 2 cannot be reached with 1B unique tokens: ...
    """
    require_above_zero(unique_tokens=unique_tokens)
    basis = basis_of(fit)
    return requirements(
        basis if unique_tokens is None else basis.with_repeats(unique_tokens), loss, unique_tokens, level
    )


def requirements(basis: Basis, loss: float, stock: float | None, level: float) -> Requirements:
    """As `require`, for a basis that knows repeats where there is a stock."""
    surface = basis.surface()
    reachable(surface, loss)
    least = None if stock is None else _least_loss(basis, stock)
    above_floor = loss > surface.E
    can = above_floor if least is None else above_floor & (least < loss)
    if least is not None and stock is not None and not can[0]:
        raise InputError(
            f"A loss of {loss:g} cannot be reached with {show_count(stock)} unique tokens: the least they "
            f"allow at any compute is {least[0]:.4g} (that it can: {by_the_draws(probability(can))}). "
            "Ask for a loss above that, or find more data."
        )
    return Requirements(
        loss=loss,
        floors=floors(surface, loss=loss, level=level),
        data_floor=None if least is None else estimate_of(least, basis.unit, level),
        reachable=probability(can),
    )


def _least_loss(basis: Basis, stock: float) -> Array | None:
    """The loss that a stock allows at any compute, for each set; None for a law in which repeats can hurt."""
    if basis.law.name != data_constrained.name:
        return None
    endless = np.full(basis.sets, _WITHOUT_END)
    return basis.loss(endless, endless, stock)
