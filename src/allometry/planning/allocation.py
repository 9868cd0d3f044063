"""What to train for a budget or a target, with what is not known about it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Fit
from allometry.planning.bands import near_optimal, widened
from allometry.planning.basis import Basis, basis_of
from allometry.planning.budgets import bought, costs_of, serving_costs
from allometry.planning.cost import Costs
from allometry.planning.data_limits import DataPlan, data_plan
from allometry.planning.devices import Device
from allometry.planning.divisions import Division, divided, stock_of, training_optimal
from allometry.planning.inference import Demand, LifetimePlan, cheapest_each, lifetime_plan
from allometry.planning.numbers import require_number
from allometry.planning.published import PublishedFit, published_spread
from allometry.planning.quantities import Quantity, exactly
from allometry.planning.questions import LEVEL, TOLERANCE, Payment, Question
from allometry.planning.rates import Rate, training_rate
from allometry.planning.requirements import requirements
from allometry.planning.result import NearOptimal, Plan
from allometry.planning.sensitivity import middle_law
from allometry.planning.splits import best_split, tokens_to_reach
from allometry.planning.stocks import Stock, worth_of_sources
from allometry.planning.surfaces import estimate_of
from allometry.units import show_count

__all__ = ["FLOPS_CONVENTION", "NearOptimal", "Plan", "allocate", "answer"]

Array = NDArray[np.float64]

FLOPS_CONVENTION = "6ND"


def allocate(
    fit: Fit | PublishedFit | str | None = None,
    *,
    flops: float | None = None,
    device_hours: float | None = None,
    usd: float | None = None,
    kilowatt_hours: float | None = None,
    days: float | None = None,
    loss: float | None = None,
    device: str | Device | Rate | None = None,
    devices: int = 1,
    utilisation: float | Quantity | None = None,
    goodput: float | Quantity | None = None,
    usd_per_hour: float | Quantity | None = None,
    price_as_of: str = "",
    served_tokens: float | Demand = 0,
    serving_utilisation: float | None = None,
    pays_for: Payment = "training",
    unique_tokens: float | None = None,
    stock: Stock | None = None,
    level: float = LEVEL,
    tolerance: float = TOLERANCE,
) -> Plan:
    """Plan the run of least predicted loss for a budget, or of least cost for a loss.

    The ranges of size and tokens come from the fit's draws, each at its own best point, and from what is
    not known of the device. The loss is that of one new run at the planned size, measured as the fitted runs
    were.

    A model that is served pays for being smaller: with `served_tokens` the plan is the run that fits the
    budget and costs least over its life for the loss it reaches. It reaches a little less than the budget's
    least loss; `Plan.lifetime` says what is saved.

    Args:
        fit: A fit, a published fit, or its name, for example "besiroglu_2024". With None the published law
            whose size is in the middle answers; `sensitivity` says how far apart they are.
        flops: Training compute, counted as 6 · params · tokens, params as in the fitted runs.
        device_hours, usd, kilowatt_hours, days: Budgets that are spent on a device; days on all `devices`.
        loss: A target instead of a budget.
        device: Name of a device, a device, or a rate from `training_rate` with every assumption.
        devices: How many train together.
        utilisation, goodput, usd_per_hour, price_as_of: As of `training_rate`.
        served_tokens: Tokens served over the model's life, or a `Demand` with prompts and relative costs.
        serving_utilisation: Share of the device's peak in serving, where it is not that of training:
            decoding stays far below it.
        pays_for: "life" if the budget is for training and serving together.
        unique_tokens: Distinct tokens there are. A law that knows no repeats borrows what they are worth.
        stock: The same by source, each with what its tokens are worth; in place of `unique_tokens`.
        level: Share the ranges are meant to contain.
        tolerance: Share of the least loss that the near-optimal band may lose.

    Raises:
        InputError: If there is not exactly one budget or target, a number is out of its range, or a target is
            below what can be reached.
        FitError: If the law has no optimum between size and data.

    Source:
        Hoffmann et al. 2022, section 3.3, arXiv:2203.15556; with serving Sardana et al. 2024,
        arXiv:2401.00448; with repeats Muennighoff et al. 2023, arXiv:2305.16264; with sources of stated
        quality as `Stock`.

    >>> plan = allocate("besiroglu_2024", days=30, device="h100-sxm", devices=8)
    >>> print(f"{plan.flops:.3g} FLOP: {plan.params.value:.3g} parameters, {plan.tokens.value:.3g} tokens")
    8.21e+21 FLOP: 8.18e+09 parameters, 1.67e+11 tokens
    """
    assumed = {"utilisation": utilisation, "goodput": goodput, "usd_per_hour": usd_per_hour}
    rate = _rate(device, assumed, price_as_of)
    question = Question(
        flops=flops,
        device_hours=device_hours,
        usd=usd,
        kilowatt_hours=kilowatt_hours,
        days=days,
        loss=loss,
        rate=rate,
        devices=devices,
        demand=_demand(served_tokens, serving_utilisation, rate),
        pays_for=pays_for,
        unique_tokens=_distinct(unique_tokens, stock),
        stock=stock,
        level=level,
        tolerance=tolerance,
        serving_utilisation=serving_utilisation,
    )
    return answer(middle_law(question) if fit is None else fit, question)


def answer(fit: Fit | PublishedFit | str, question: Question) -> Plan:
    """The plan for a question; `allocate` is the front of this.

    >>> answer("besiroglu_2024", Question(loss=2.0)).params.value > 1e10
    True
    """
    basis = basis_of(fit)
    if question.unique_tokens is not None:
        basis = basis.with_repeats(question.unique_tokens)
    basis = basis.weighing(question.weight)
    needs = None
    if question.kind == "loss":
        needs = requirements(basis, question.amount, question.unique_tokens, question.level)
    budget = None if needs else bought(question)
    found = divided(basis, question, math.nan if budget is None else budget.value)
    return replace(_plan(basis, question, budget, found), requirements=needs)


def _plan(basis: Basis, question: Question, budget: Quantity | None, found: Division) -> Plan:
    params, tokens = float(found.params[0]), float(found.tokens[0])
    ends = _at_the_ends(basis, question, budget, found)
    compute = _compute(question, budget, found, ends["flops"])
    at_plan = np.full(basis.sets, params), np.full(basis.sets, tokens)
    loss, quantiles, why = basis.outcome(basis.loss(*at_plan, stock_of(question)), question.level)
    lifetime, data = _lifetime(basis, question, found), _data(basis, question, found)
    return Plan(
        question=question,
        flops=compute.value,
        compute=compute,
        params=widened(estimate_of(found.params, "1", question.level), ends["params"]),
        tokens=widened(estimate_of(found.tokens, "token", question.level), ends["tokens"]),
        tokens_per_parameter=widened(
            estimate_of(found.tokens / found.params, "token", question.level), ends["ratio"]
        ),
        loss=widened(loss, ends["loss"]),
        quantiles=quantiles,
        output=basis.output,
        level=question.level,
        near=_near(basis, question, compute.value, params),
        beyond=basis.beyond(params, tokens),
        conventions={**basis.conventions, "plan_flops_convention": FLOPS_CONVENTION},
        law=basis.law.name,
        source=basis.source,
        fit_hash=basis.fit_hash,
        data_hash=basis.data_hash,
        status=basis.status,
        no_interval_because=why,
        notes=(*basis.notes, *_stated(question.stock), *_spread(basis, compute.value)),
        cost=costs_of(question, compute),
        serving=_serving(question, lifetime),
        lifetime=lifetime,
        data=data,
        sources=worth_of_sources(question.stock, data) if question.stock and data else (),
    )


def _compute(
    question: Question, budget: Quantity | None, found: Division, by_budget: tuple[float, ...]
) -> Quantity:
    if budget is not None and question.pays_for == "training":
        return budget
    made = estimate_of(found.flops, "FLOP", question.level)
    if by_budget and math.isnan(made.low):  # of a law without draws the range is that of the budget
        made = replace(made, low=made.value, high=made.value)
    made = widened(made, by_budget)
    origin = f"training compute for {question.asked()}"
    # A skewed fit may put its own value outside the middle of its draws.
    low, high = min(made.low, made.value), max(made.high, made.value)
    return Quantity(value=made.value, low=low, high=high, unit="FLOP", origin=origin)


def _spread(basis: Basis, flops: float) -> tuple[str, ...]:
    """How far the published fits are apart, in place of a range that a source does not give."""
    if basis.status is not None or basis.sets > 1:  # an own fit, or one with draws
        return ()
    low, high = (show_count(end) for end in published_spread(flops).params)
    apart = f"{low} to {high} parameters at this compute, trained on fresh data and not served"
    return (f"In place of a range: the published fits ask for {apart}.",)


def _at_the_ends(
    basis: Basis, question: Question, budget: Quantity | None, found: Division
) -> dict[str, tuple[float, ...]]:
    """What changes by which factor where the budget buys as little, or as much, as its range says.

    Size is settled before the run: its loss is that of the planned size on the tokens that turn out to be
    bought.
    """
    factors: dict[str, tuple[float, ...]] = dict.fromkeys(("params", "tokens", "ratio", "flops", "loss"), ())
    if budget is None or budget.low == budget.high:
        return factors
    fitted, size, data = basis.fitted(), found.params[:1], found.tokens[:1]
    planned = fitted.loss(size, data, stock_of(question))
    for end in (budget.low, budget.high):
        other = divided(fitted, question, end)
        by_size, by_data = float(other.params[0] / size[0]), float(other.tokens[0] / data[0])
        missed = fitted.loss(size, data * end / budget.value, stock_of(question)) / planned
        new = {"params": by_size, "tokens": by_data, "ratio": by_data / by_size, "flops": by_data * by_size}
        new["loss"] = float(missed[0])
        factors = {name: (*factors[name], value) for name, value in new.items()}
    return factors


def _near(basis: Basis, question: Question, flops: float, params: float) -> NearOptimal:
    fitted, stock = basis.fitted(), stock_of(question)

    def loss(sizes: Array) -> Array:
        return fitted.loss(sizes, flops / 6 / sizes, stock)

    plain = question.kind != "loss" and question.demand is None
    best = params if plain else float(training_optimal(fitted, flops, stock)[0])
    return near_optimal(loss, flops, best, question.tolerance)


def _lifetime(basis: Basis, question: Question, found: Division) -> LifetimePlan | None:
    if question.demand is None:
        return None
    losses = basis.loss(found.params, found.tokens, stock_of(question))
    if question.unique_tokens is None:
        plain = cheapest_each(basis.surface(), losses)
    else:
        tokens_of = tokens_to_reach(basis, losses, question.unique_tokens)
        params = best_split(basis, tokens_of, stock=question.unique_tokens)
        plain = params, tokens_of(params)
    chosen = found.params, found.tokens
    return lifetime_plan(question.demand, losses, chosen, plain, unit=basis.unit, level=question.level)


def _serving(question: Question, lifetime: LifetimePlan | None) -> Costs | None:
    if lifetime is None or question.demand is None:
        return None
    flops = 2 * lifetime.params.value * question.demand.weighted_tokens
    return serving_costs(question, exactly(flops, "FLOP", "2 · params for each token served, weighted"))


def _data(basis: Basis, question: Question, found: Division) -> DataPlan | None:
    if question.unique_tokens is None:
        return None
    return data_plan(basis.repeated(), found.params, found.tokens, question.unique_tokens, question.level)


def _distinct(unique_tokens: float | None, stock: Stock | None) -> float | None:
    if stock is None:
        return unique_tokens
    if unique_tokens is not None:
        raise InputError("Give unique_tokens or a stock of sources, not both: a stock counts its own tokens.")
    if not isinstance(stock, Stock):
        raise InputError(
            f"A stock is a Stock of DataSources, not {stock!r}; for one number give unique_tokens."
        )
    return stock.unique_tokens


def _stated(stock: Stock | None) -> tuple[str, ...]:
    return () if stock is None else stock.assumptions()


def _demand(served: float | Demand, utilisation: float | None, rate: Rate | None) -> Demand | None:
    if utilisation is not None:
        return _dearer(served, utilisation, rate)
    if isinstance(served, Demand):
        return served if served.tokens else None
    require_number(served_tokens=served)
    if not (served >= 0 and math.isfinite(served)):
        raise InputError(f"A demand is a number of served tokens, zero or more; not {served:g}.")
    return Demand(generated_tokens=served) if served else None


def _dearer(served: float | Demand, utilisation: float, rate: Rate | None) -> Demand:
    if rate is None or isinstance(served, Demand) or not served:
        raise InputError(
            "A serving utilisation needs a device and a number of served tokens; a Demand has its own costs."
        )
    require_number(serving_utilisation=utilisation, served_tokens=served)
    if not 0 < utilisation <= 1:
        raise InputError(
            f"A serving utilisation is a share of the peak, for example 0.05; not {utilisation:g}."
        )
    trained = rate.utilisation.value * rate.goodput.value
    return Demand(generated_tokens=served, decode_cost=trained / utilisation)


def _rate(
    device: str | Device | Rate | None, assumed: dict[str, float | Quantity | None], as_of: str
) -> Rate | None:
    given = [name for name, value in assumed.items() if value is not None]
    if isinstance(device, Rate):
        if given:
            raise InputError(
                f"A rate already states its {', '.join(given)}: give it to training_rate instead."
            )
        return device
    if device is None:
        if given:
            raise InputError(f"{given[0]} belongs to a device: name one, for example device='h100-sxm'.")
        return None
    return training_rate(
        device,
        utilisation=assumed["utilisation"],
        goodput=assumed["goodput"],
        usd_per_hour=assumed["usd_per_hour"],
        price_as_of=as_of,
    )
