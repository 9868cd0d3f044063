"""Plans where unique data runs out: size, epochs, and what one more unique token is worth in compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.result import Estimate, Fit
from allometry.laws import Law
from allometry.planning.quantities import ranged
from allometry.planning.slopes import Turned, slope, turned
from allometry.planning.surfaces import estimate_of
from allometry.units import show_count, show_power

Array = NDArray[np.float64]

_GRID = 129  # sizes looked at over the whole range; the best and its neighbours bracket the optimum
_NARROWING = 45  # golden-section steps: the bracket shrinks by 1.6 each, to rounding
_ALL = 100.0  # per cent of compute for one per cent of data: more than there is
_BEYOND = 1e200  # FLOP for a token: of a stock that is used up, where a ratio to nothing has no end


@dataclass(frozen=True, kw_only=True, eq=False)
class RepeatedLaw:
    """A law of params, tokens and unique tokens with its coefficients: fitted ones first, then the draws.

    Attributes:
        coefficients: Name to values, of shape (sets, 1).
    """

    law: Law
    coefficients: dict[str, Array]
    unit: str = "nat/token"

    @classmethod
    def of(cls, fit: Fit) -> RepeatedLaw:
        """The law of a fit with its draws.

        Raises:
            FitError: If it does not read params, tokens and unique_tokens.
        """
        if set(fit.inputs.values()) != {"params", "tokens", "unique_tokens"}:
            raise FitError(
                f"Law '{fit.law.name}' does not tell repeated tokens from fresh ones; fit 'data_constrained' "
                "to runs with a column unique_tokens, or take a published one."
            )
        drawn = {} if fit.draws is None else {name: fit.draws[name].to_numpy() for name in fit.law.names}
        sets = {n: np.append(fit.coefficients[n], drawn.get(n, [])) for n in fit.law.names}
        return cls(law=fit.law, coefficients={n: v[:, None] for n, v in sets.items()}, unit=fit.unit)

    @classmethod
    def from_coefficients(cls, law: Law, coefficients: dict[str, float]) -> RepeatedLaw:
        """The law with one set of coefficients."""
        return cls(law=law, coefficients={name: np.array([[one]]) for name, one in coefficients.items()})

    @property
    def sets(self) -> int:
        """How many sets of coefficients there are."""
        return len(next(iter(self.coefficients.values())))

    def loss(self, params: Array, tokens: Array, unique_tokens: float | Array) -> Array:
        """Predicted loss for sizes and tokens of shape (sets, sizes) or what broadcasts to it."""
        columns = {"params": params, "tokens": tokens, "unique_tokens": unique_tokens}
        return self.law.evaluate(columns, self.coefficients)


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """The run of least loss for a budget and a stock of unique tokens.

    Attributes:
        flops: Budget, 6 · params · tokens.
        unique_tokens: The stock.
        params, tokens, epochs: What to train; epochs = tokens / unique_tokens, below 1 where the stock is
            not used up.
        loss: Predicted loss.
        loss_unlimited: The same budget with as many unique tokens as its own optimum asks for.
        flops_per_token: Compute that one more unique token is worth: what the budget could shrink by for the
            same loss. 0 where the stock is not used up.
        saved_by_data: The same as an elasticity: percent of compute saved by one percent more unique tokens.
        level: Share the ranges are meant to contain.
    """

    flops: float
    unique_tokens: float
    params: Estimate
    tokens: Estimate
    epochs: Estimate
    loss: Estimate
    loss_unlimited: Estimate
    flops_per_token: Estimate
    saved_by_data: Estimate
    level: float

    @property
    def limited(self) -> bool:
        """Whether tokens are repeated at all."""
        return self.epochs.value > 1

    def summary(self) -> str:
        """The plan in plain words."""
        return "\n".join(_sentences(self))


def plan_with_data(
    fit: Fit | RepeatedLaw, *, flops: float, unique_tokens: float, level: float = 0.9
) -> DataPlan:
    """The size and epochs of least loss for a budget where unique tokens are limited.

    Args:
        fit: A fit of `data_constrained` or another law that reads unique_tokens, or `RepeatedLaw`.
        flops: Budget, counted as 6 · params · tokens, repeats included.
        unique_tokens: Distinct tokens there are.
        level: Share the ranges are meant to contain.

    Raises:
        InputError: If the budget or the stock is no number above zero.
        FitError: If the law does not read unique tokens, or its best size is at the end of all sizes.

    Source:
        Muennighoff et al. 2023, section 3.2, arXiv:2305.16264.

    9.3e21 FLOP on 25e9 unique tokens: a smaller model and more epochs than if all were fresh.

    >>> from allometry.laws import data_constrained
    >>> law = RepeatedLaw.from_coefficients(data_constrained, data_constrained.typical)
    >>> plan = plan_with_data(law, flops=9.3e21, unique_tokens=25e9)
    >>> print(f"{plan.params.value:.2e} params, {plan.epochs.value:.1f} epochs")
    6.82e+09 params, 9.1 epochs
    """
    law = fit if isinstance(fit, RepeatedLaw) else RepeatedLaw.of(fit)
    _refuse_nothing(flops, unique_tokens)
    params = best_params(law, flops, unique_tokens)
    if not np.isfinite(params[0]):
        raise FitError(
            f"Law '{law.law.name}' has no optimum for {flops:g} FLOP: its least loss is at an edge."
        )
    return data_plan(law, params, flops / 6 / params, unique_tokens, level)


def data_plan(
    law: RepeatedLaw, params: Array, tokens: Array, unique_tokens: float, level: float = 0.9
) -> DataPlan:
    """What a stock of unique tokens means for runs, of shape (sets,): one for each set of coefficients."""
    flops = 6 * params * tokens
    free = best_params(law, flops, np.inf)
    worth = token_worth(law, params, tokens, unique_tokens)

    def estimate(sets: Array, unit: str) -> Estimate:
        return estimate_of(sets, unit, level)

    return DataPlan(
        flops=float(flops[0]),
        unique_tokens=unique_tokens,
        params=estimate(params, "1"),
        tokens=estimate(tokens, "token"),
        epochs=estimate(tokens / unique_tokens, "epoch"),
        loss=estimate(_loss_of(law, params, tokens, unique_tokens), law.unit),
        loss_unlimited=estimate(_loss_of(law, free, flops / 6 / free, np.inf), law.unit),
        flops_per_token=estimate(worth, "FLOP/token"),
        saved_by_data=estimate(worth * unique_tokens / flops, "1"),
        level=level,
    )


def best_params(law: RepeatedLaw, flops: float | Array, unique_tokens: float) -> Array:
    """Size of least loss for a budget and a stock, of shape (sets,); NaN where that is at an edge."""
    spent = np.broadcast_to(flops, (law.sets,))[:, None] / 6
    sizes = np.log(spent) * np.linspace(0, 1, _GRID)

    def loss(log_params: Array) -> Array:
        params = np.exp(log_params)
        tokens = spent / params
        return law.loss(params, tokens, np.minimum(unique_tokens, tokens))

    losses = loss(sizes)
    place = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=1)
    inside = np.clip(place, 1, _GRID - 2)
    low, high = (np.take_along_axis(sizes, inside[:, None] + step, axis=1) for step in (-1, 1))
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(_NARROWING):
        left, right = high - golden * (high - low), low + golden * (high - low)
        lower = loss(left) < loss(right)
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    return np.where(place == inside, np.exp((low + high)[:, 0] / 2), np.nan)


def token_worth(law: RepeatedLaw, params: Array, tokens: Array, unique_tokens: float) -> Array:
    """FLOP that one more unique token is worth at a best point, of shape (sets,).

    At the optimum a small change of budget gains as much through tokens alone as through size and tokens, so
    that the trade is the ratio of two slopes of the law: 6 N (dL/dU) / (dL/dD).
    """
    size, data = params[:, None], tokens[:, None]

    def falls(used: Array | Turned, stock: float | Turned) -> Array:
        # A stock that is larger than what is used changes nothing, and more tokens then are all fresh.
        columns = {"params": size, "tokens": used, "unique_tokens": np.minimum(stock, used)}
        return -slope(law.law, columns, law.coefficients)[:, 0]

    by_stock, by_tokens = falls(data, turned(np.array(unique_tokens))), falls(turned(data), unique_tokens)
    # By logarithms: dL/dU = by_stock / U and dL/dD = by_tokens / D. Of a stock that is used up, dL/dD is 0.
    with np.errstate(divide="ignore"):
        return np.minimum(6 * params * (by_stock / unique_tokens) / (by_tokens / tokens), _BEYOND)


def _loss_of(law: RepeatedLaw, params: Array, tokens: Array, unique_tokens: float) -> Array:
    size, data = params[:, None], tokens[:, None]
    return law.loss(size, data, np.minimum(unique_tokens, data))[:, 0]


def _refuse_nothing(flops: float, unique_tokens: float) -> None:
    if not (np.isfinite(flops) and flops >= 6):
        raise InputError(f"A budget of {flops} FLOP buys no training; write it like 1e21.")
    if not unique_tokens >= 1:
        raise InputError(f"A stock of {unique_tokens} unique tokens holds nothing; write it like 4e11.")


def _sentences(plan: DataPlan) -> list[str]:
    gap = plan.loss.value - plan.loss_unlimited.value
    loss = ranged(plan.loss, "{:.4g}".format)
    lines = [
        f"Plan for {show_power(plan.flops)} FLOP and {show_count(plan.unique_tokens)} unique tokens",
        f"  params {ranged(plan.params, show_count)}",
        f"  tokens {ranged(plan.tokens, show_count)}, {ranged(plan.epochs)} epochs",
        f"  loss   {loss} {plan.loss.unit}, {gap:.2g} above that of unlimited data",
    ]
    if not plan.limited:
        return [*lines, "  Data is no limit here: the stock is not used up, and more of it is worth nothing."]
    worth = show_power(plan.flops_per_token.value)
    saved = plan.saved_by_data.value
    if _used_up(saved):
        return [*lines, f"  The stock is used up: {worth_of_data(saved)}."]
    return [*lines, f"  One more unique token is worth {worth} FLOP: {worth_of_data(saved)}."]


def worth_of_data(saved: float, what: str = "unique tokens") -> str:
    """What more of the stock saves, in words.

    Args:
        saved: Share of compute for a share of unique tokens. The slope of a stock that is used up is beyond
            all bounds, and no share of anything.
        what: There would be more of.

    >>> worth_of_data(0.048)
    '1% more unique tokens saves 0.048% of compute'
    >>> worth_of_data(2e12)
    '1% more unique tokens does what no amount of compute does any more'
    >>> worth_of_data(-0.02, "of web")
    '1% more of web costs 0.02% of compute'
    """
    if _used_up(saved):
        return f"1% more {what} does what no amount of compute does any more"
    return f"1% more {what} {'costs' if saved < 0 else 'saves'} {abs(saved):.2g}% of compute"


def _used_up(saved: float) -> bool:
    return not abs(saved) < _ALL
