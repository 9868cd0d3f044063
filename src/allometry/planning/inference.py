"""The model that costs least over its life: trained once, served for so many tokens.

A smaller model that was trained for longer reaches the same loss and is cheaper to serve. At the least total
cost, what one more FLOP of size gains exceeds what one of data gains by the factor 1 + S / (3 D), where D are
the tokens trained on and S the tokens served, each weighted by what its FLOP costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allometry.errors import InputError
from allometry.fitting.result import Estimate, Fit
from allometry.planning.numbers import require_number
from allometry.planning.quantities import Quantity, ranged
from allometry.planning.rates import Rate
from allometry.planning.surfaces import (
    Array,
    Surface,
    by_the_draws,
    estimate_of,
    probability,
    reachable,
)
from allometry.units import show_count, show_power

_HALVINGS = 100  # of a bracket on the logit scale: to rounding from any width that doubles can hold


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a model will be asked over its life, and what a FLOP of it costs.

    Attributes:
        prompt_tokens: Tokens read, after any compression of prompts.
        generated_tokens: Tokens written in one attempt each.
        attempts: Attempts for one question: all that is written is written so many times.
        prefill_cost, decode_cost: Cost of one FLOP over that of one FLOP of training; see `relative_cost`.
            Decoding is the dearer one: it reads all weights for each step and uses few of the device's FLOP.
    """

    prompt_tokens: float = 0.0
    generated_tokens: float = 0.0
    attempts: float = 1.0
    prefill_cost: float = 1.0
    decode_cost: float = 1.0

    def __post_init__(self) -> None:
        require_number(**vars(self))
        counts = (self.prompt_tokens, self.generated_tokens)
        costs = (self.attempts, self.prefill_cost, self.decode_cost)
        sound = all(math.isfinite(one) for one in (*counts, *costs))
        if not (sound and min(counts) >= 0 and min(costs) > 0):
            raise InputError(
                f"A demand has tokens of zero or more, and attempts and costs above zero; not {self}."
            )

    @property
    def tokens(self) -> float:
        """Tokens served, as they come."""
        return self.prompt_tokens + self.attempts * self.generated_tokens

    @property
    def weighted_tokens(self) -> float:
        """Tokens served, counted as what they cost against a FLOP of training."""
        written = self.attempts * self.generated_tokens
        return self.prefill_cost * self.prompt_tokens + self.decode_cost * written


@dataclass(frozen=True, kw_only=True)
class LifetimePlan:
    """The model of least cost over its life at a loss, against the one of least training compute.

    Attributes:
        loss: What both reach.
        params, tokens: What to train.
        training_flops: 6 · params · tokens.
        serving_flops: 2 · params for each token served, unweighted.
        total_flops: Training and weighted serving, in FLOP of training.
        params_ratio, tokens_ratio, cost_ratio: Over the same of the training-optimal model.
        demand: What is served.
        reachable: Probability that the loss can be reached at all, by the draws.
        level: Share the ranges are meant to contain.
    """

    loss: Estimate
    params: Estimate
    tokens: Estimate
    training_flops: Estimate
    serving_flops: Estimate
    total_flops: Estimate
    params_ratio: Estimate
    tokens_ratio: Estimate
    cost_ratio: Estimate
    demand: Demand
    reachable: float
    level: float

    def summary(self) -> str:
        """The plan in plain words."""
        return "\n".join(_sentences(self))


def relative_cost(serving: Rate, training: Rate) -> Quantity:
    """Cost of one FLOP in serving over that of one in training.

    Args:
        serving: With the utilisation of prefill (about that of training) or of decoding (far below).

    Raises:
        InputError: If a price is not known.

    Decoding at 2% of the peak of the device that trains at 40%:

    >>> from allometry.planning.rates import training_rate
    >>> serving = training_rate("h100-sxm", utilisation=0.02, usd_per_hour=2.0, price_as_of="2026-05")
    >>> training = training_rate("h100-sxm", utilisation=0.40, usd_per_hour=2.0, price_as_of="2026-05")
    >>> round(relative_cost(serving, training).value, 6)
    20.0
    """
    one, other = (rate.price or rate.device.rental() for rate in (serving, training))
    dearer = one.over(other, "1")
    return dearer.times(training.flops_per_hour.over(serving.flops_per_hour, "1"), "1")


def lifetime_optimum(
    fit: Fit | Surface,
    demand: Demand,
    *,
    loss: float | None = None,
    flops: float | None = None,
    level: float = 0.9,
) -> LifetimePlan:
    """The size and tokens of least cost for training and serving together.

    Give the loss to reach, or the whole budget, which is then spent on training and serving.

    Args:
        fit: A fit of `chinchilla` or a law of its shape, or its surface.
        demand: What will be served.
        loss: Target.
        flops: Budget for training and weighted serving together, in FLOP of training.
        level: Share the ranges are meant to contain.

    Raises:
        InputError: If the target is under the floor, or not exactly one of loss and flops is given.

    Source:
        Sardana et al. 2024, eq. 1 and section 2, arXiv:2401.00448.

    >>> law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283}
    >>> demand = Demand(generated_tokens=2e12)
    >>> plan = lifetime_optimum(Surface.from_coefficients(law), demand, loss=1.947)
    >>> print(f"{plan.params_ratio.value:.4f} {plan.tokens_ratio.value:.4f} {plan.cost_ratio.value:.4f}")
    0.7096 1.4677 0.9522
    """
    surface = fit if isinstance(fit, Surface) else Surface.of(fit)
    if (loss is None) == (flops is None):
        raise InputError("Give a loss to reach or a budget in flops, one of the two.")
    if loss is not None:
        reachable(surface, loss)
        params, tokens = cheapest_to_own(surface, loss, demand.weighted_tokens)
        reached = np.full_like(params, loss)
        plain_params, plain_tokens = surface.cheapest(loss)
    else:
        params, tokens = best_to_own(surface, _budget(flops), demand.weighted_tokens)
        reached = surface.loss(params, tokens)
        plain_params, plain_tokens = cheapest_each(surface, reached)
    chosen, plain = (params, tokens), (plain_params, plain_tokens)
    return lifetime_plan(demand, reached, chosen, plain, unit=surface.unit, level=level)


def cheapest_to_own(surface: Surface, loss: float, served: float) -> tuple[Array, Array]:
    """Size and tokens of least 6 N D + 2 N S at a loss, for each set; NaN where it cannot be reached.

    With s the share of the reducible loss that size owes, the condition (alpha s) / (beta (1 - s)) =
    1 + S / (3 D(s)) has its left side rising and its right side falling in s: one root, above the share that
    is optimal for training alone.
    """
    above = surface.reducible(loss)
    balance = surface.alpha / surface.beta

    def owing(odds: Array) -> tuple[Array, Array]:
        size, data = odds / (1 + odds), 1 / (1 + odds)
        return surface.params_owing(above * size), surface.tokens_owing(above * data)

    def excess(log_odds: Array) -> Array:
        tokens = owing(np.exp(log_odds))[1]
        return log_odds + np.log(balance) - np.log1p(served / (3 * tokens))

    low = -np.log(balance)  # the root with nothing to serve
    high = low + np.log1p(served / (3 * owing(np.exp(low))[1]))  # the right side is never larger than here
    return owing(np.exp(_bisect(excess, low, high)))


def best_to_own(surface: Surface, flops: float, served: float) -> tuple[Array, Array]:
    """Size and tokens of least loss where 6 N D + 2 N S is the budget, for each set."""

    def tokens_of(log_params: Array) -> Array:
        return flops / 6 * np.exp(-log_params) - served / 3

    def shortage(log_params: Array) -> Array:
        tokens = np.maximum(tokens_of(log_params), 1e-300)
        by_size = np.log(surface.alpha * surface.A) - surface.alpha * log_params
        by_data = np.log(surface.beta * surface.B) - surface.beta * np.log(tokens)
        return by_data - by_size + np.log1p(served / (3 * tokens))

    high = np.log(surface.best(flops)[0])  # serving can only make the best size smaller
    if served > 0:
        high = np.minimum(high, math.log(flops / 2 / served) - 1e-12)  # with no token left to train on
    low = np.minimum(high, 0.0) - 1
    params = _bisect(shortage, low, high)
    return np.exp(params), tokens_of(params)


def _bisect(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where a rising function passes zero, one for each set."""
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        below = function(half) < 0
        low, high = np.where(below, half, low), np.where(below, high, half)
    return np.asarray((low + high) / 2)


def cheapest_each(surface: Surface, losses: Array) -> tuple[Array, Array]:
    """Size and tokens of least training compute at a loss of its own for each set."""
    above, share = losses - surface.E, surface.size_share
    return surface.params_owing(above * share), surface.tokens_owing(above * (1 - share))


def _budget(flops: float | None) -> float:
    require_number(flops=flops)
    if flops is None or not (flops >= 6 and math.isfinite(flops)):
        raise InputError(f"A budget of {flops} FLOP buys no training; write it like 1e21.")
    return flops


def lifetime_plan(
    demand: Demand,
    loss: Array,
    chosen: tuple[Array, Array],
    plain: tuple[Array, Array],
    *,
    unit: str,
    level: float,
) -> LifetimePlan:
    """A model over its life beside the training-optimal one of equal loss; all of shape (sets,).

    Args:
        chosen, plain: Size and tokens of the one and of the other.
        unit: Of the loss.
    """
    params, tokens = chosen
    totals = [6 * n * d + 2 * n * demand.weighted_tokens for n, d in (chosen, plain)]

    def estimate(sets: Array, unit: str) -> Estimate:
        return estimate_of(sets, unit, level)

    return LifetimePlan(
        loss=estimate(loss, unit),
        params=estimate(params, "1"),
        tokens=estimate(tokens, "token"),
        training_flops=estimate(6 * params * tokens, "FLOP"),
        serving_flops=estimate(2 * params * demand.tokens, "FLOP"),
        total_flops=estimate(totals[0], "FLOP"),
        params_ratio=estimate(params / plain[0], "1"),
        tokens_ratio=estimate(tokens / plain[1], "1"),
        cost_ratio=estimate(totals[0] / totals[1], "1"),
        demand=demand,
        reachable=probability(~np.isnan(params)),
        level=level,
    )


def _sentences(plan: LifetimePlan) -> list[str]:
    saved = 100 * (1 - plan.cost_ratio.value)
    return [
        f"Least cost of training and serving {show_count(plan.demand.tokens)} tokens",
        f"  params   {ranged(plan.params, show_count)}, {plan.params_ratio.value:.3g} of training's best",
        f"  tokens   {ranged(plan.tokens, show_count)}, {plan.tokens_ratio.value:.3g} of training's best",
        f"  loss     {ranged(plan.loss, '{:.4g}'.format)} {plan.loss.unit}",
        f"  training {ranged(plan.training_flops, show_power)} FLOP",
        f"  serving  {ranged(plan.serving_flops, show_power)} FLOP",
        f"  saved    {saved:.3g}% of the training-optimal model's whole cost at the same loss",
        f"  that the loss can be reached at all: {by_the_draws(plan.reachable)}",
    ]
