"""Size and tokens that answer a question, for the fitted coefficients and for each draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.allocation import optimal_params
from allometry.planning.basis import Basis
from allometry.planning.inference import cheapest_to_own
from allometry.planning.questions import Question
from allometry.planning.splits import best_split, tokens_of_life, tokens_to_reach, tokens_within

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Division:
    """Size and tokens, of shape (sets,); NaN for draws without an answer."""

    params: Array
    tokens: Array

    @property
    def flops(self) -> Array:
        """Training compute, counted as 6 · params · tokens."""
        return 6 * self.params * self.tokens


def divided(basis: Basis, question: Question, budget: float) -> Division:
    """How a budget in FLOP is best divided, or what reaches the target of the question.

    Raises:
        FitError: If the fitted coefficients have no best point inside the budget.
        InputError: If it buys less than one parameter or token.
    """
    if question.kind != "loss" and budget < 6:
        raise InputError(f"A budget of {budget:g} FLOP buys no training; write it like 1e21.")
    if question.pays_for == "life" and budget < 2 * served_tokens(question):
        raise InputError(
            f"{budget:g} FLOP cannot even serve a model of one parameter for so many tokens; give more, or "
            "let the budget pay for training alone."
        )
    found = _to_reach(basis, question) if question.kind == "loss" else _to_spend(basis, question, budget)
    _refuse_edges(basis, question, found, budget)
    return found


def training_optimal(basis: Basis, flops: float, stock: float) -> Array:
    """Size of least loss for a training budget, for each set; in closed form where the law has one."""
    if set(basis.names) == {"params", "tokens"}:
        return optimal_params(basis.law, basis.names, basis.coefficients, flops)
    return best_split(basis, tokens_within(flops), most=math.log(flops / 6), stock=stock)


def _to_spend(basis: Basis, question: Question, budget: float) -> Division:
    served, stock = served_tokens(question), stock_of(question)
    if question.pays_for == "life":
        tokens_of, most = tokens_of_life(budget, served), math.log(budget / (2 * served)) - 1e-12
    elif served:
        tokens_of, most = tokens_within(budget), math.log(budget / 6)
    else:
        params = training_optimal(basis, budget, stock)
        return Division(params=params, tokens=budget / 6 / params)
    params = best_split(basis, tokens_of, most=most, served=served, stock=stock)
    return Division(params=params, tokens=tokens_of(params))


def _to_reach(basis: Basis, question: Question) -> Division:
    served, loss = served_tokens(question), question.amount
    if question.unique_tokens is None:
        params, tokens = cheapest_to_own(basis.surface(), loss, served)
        return Division(params=params, tokens=tokens)
    tokens_of = tokens_to_reach(basis, loss, question.unique_tokens)
    params = best_split(basis, tokens_of, served=served, stock=question.unique_tokens)
    return Division(params=params, tokens=tokens_of(params))


def served_tokens(question: Question) -> float:
    """Tokens served, weighted by what they cost; 0 for none."""
    return 0.0 if question.demand is None else question.demand.weighted_tokens


def stock_of(question: Question) -> float:
    """Distinct tokens there are; infinite where they are no limit."""
    return math.inf if question.unique_tokens is None else question.unique_tokens


def _refuse_edges(basis: Basis, question: Question, found: Division, budget: float) -> None:
    size, data = found.params[0], found.tokens[0]
    if not (np.isfinite(size) and np.isfinite(data)):
        raise FitError(
            f"Law '{basis.law.name}' has no best point for {question.asked()}: its least loss is at the edge."
        )
    if question.kind == "loss" and not min(size, data) >= 1:
        raise InputError(
            f"A loss of {question.amount:g} takes less than one parameter or token by '{basis.law.name}'; "
            "ask for a lower one."
        )
    if min(size, data) < 1:
        raise InputError(
            f"{budget:g} FLOP buys less than one parameter or token by '{basis.law.name}'; give more."
        )
