"""A law where there are only so many distinct tokens: what more than those are worth, for each draw."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from allometry.planning.basis import Basis
from allometry.planning.slopes import slope, turned
from allometry.planning.splits import best_split, tokens_to_reach, tokens_within
from allometry.planning.surfaces import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Stocked:
    """The loss of sizes and tokens of which at most `stock` are distinct; answers what a `Surface` answers.

    Arguments broadcast with (sets,): one number for all draws, or many where there is one set.

    Attributes:
        basis: A law that tells repeated tokens from fresh ones, as `Basis.with_repeats` makes one.
        stock: Distinct tokens there are.
        notes: What was assumed of repeats, in sentences.
    """

    basis: Basis
    stock: float
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, basis: Basis, stock: float) -> Stocked:
        """The law of a basis, with what Muennighoff et al. found of repeats where it knows none itself.

        Raises:
            FitError: If it is of a shape that no published constants belong to.
        """
        repeating = basis.with_repeats(stock)
        return cls(basis=repeating, stock=stock, notes=repeating.notes[len(basis.notes) :])

    def fitted(self) -> Stocked:
        """The fitted coefficients alone, without the draws."""
        return replace(self, basis=self.basis.fitted())

    @property
    def E(self) -> Array:
        """Irreducible loss."""
        return self.basis.surface().E

    @property
    def unit(self) -> str:
        """Of the loss."""
        return self.basis.unit

    def loss(self, params: float | Array, tokens: float | Array) -> Array:
        """Predicted loss."""
        return self.basis.loss(np.asarray(params), np.asarray(tokens), self.stock)

    def gains(self, params: float | Array, tokens: float | Array) -> tuple[Array, Array]:
        """By how much the loss falls for each unit of the logarithm of size, and of data."""
        return self.basis.gains(np.asarray(params), np.asarray(tokens), self.stock)

    def gain_of_stock(self, params: float, tokens: float) -> Array:
        """By how much the loss falls for each unit of the logarithm of the stock."""
        columns = {"params": params, "tokens": tokens}
        stock = np.minimum(turned(np.array(self.stock)), tokens)
        read = {name: np.asarray(columns.get(column, stock)) for column, name in self.basis.names.items()}
        return -slope(self.basis.law, read, self.basis.coefficients)

    def tokens_for(self, loss: float | Array, params: float | Array) -> Array:
        """Tokens with which a size reaches a loss; infinite where no amount of them is enough."""
        tokens = tokens_to_reach(self.basis, loss, self.stock)(np.asarray(params))
        return np.where(np.isnan(tokens), np.inf, tokens)

    def cheapest(self, loss: float | Array) -> tuple[Array, Array]:
        """Size and tokens of least 6 · params · tokens at a loss."""
        tokens_of = tokens_to_reach(self.basis, loss, self.stock)
        params = best_split(self.basis, tokens_of, stock=self.stock)
        return params, tokens_of(params)

    def best(self, flops: float | Array) -> tuple[Array, Array]:
        """Size and tokens of least loss for 6 · params · tokens."""
        spent = np.asarray(flops)
        most = math.log(float(spent.max()) / 6)
        params = best_split(self.basis, tokens_within(spent), most=most, stock=self.stock)
        return params, spent / 6 / params
