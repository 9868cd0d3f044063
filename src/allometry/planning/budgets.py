"""From the budget of a question to compute, and from compute to its cost sheet."""

from __future__ import annotations

import math
from dataclasses import fields, replace

from allometry.planning.cost import Costs, CostSheet, budget_flops, budget_hours, cost_sheet, hour_costs
from allometry.planning.quantities import Quantity, exactly, stated
from allometry.planning.questions import Question


def bought(question: Question) -> Quantity:
    """Compute that the budget of a question buys, with the range of utilisation and price.

    Raises:
        InputError: If the price or power that it needs is not known.

    >>> bought(Question(flops=1e21)).show()
    '1e+21 FLOP'
    """
    if question.kind == "flops":
        return exactly(question.amount, "FLOP", "budget in FLOP, given")
    assert question.rate is not None  # a Question has seen to it
    return budget_flops(question.rate, devices=question.devices, **{question.kind: question.amount})


def costs_of(question: Question, compute: Quantity) -> CostSheet | None:
    """The cost sheet of a plan; None where no device is named.

    A budget spent on a device is what it costs: its hours, money or energy carry no range of utilisation,
    which decides what they buy. A budget for the whole life is shared by training and serving. Where nothing
    is known of how far the compute may be off, the ranges are those of the device alone.
    """
    if question.rate is None:
        return None
    known = exactly(compute.value, compute.unit, compute.origin) if math.isnan(compute.low) else compute
    sheet = cost_sheet(known, question.rate, devices=question.devices)
    if not _on_a_device(question):
        return sheet
    spent = _share(question, compute.value)
    days = spent.device_hours.scaled(1 / question.devices / 24, "day")
    return replace(sheet, days=days, run=spent, project=spent)


def serving_costs(question: Question, weighted_flops: Quantity) -> Costs | None:
    """What serving takes on the device of a question, at the cost of a FLOP of training; None without one."""
    if question.rate is None:
        return None
    if question.pays_for == "life" and _on_a_device(question):
        return _share(question, weighted_flops.value)
    hours = weighted_flops.over(question.rate.flops_per_hour, "device-hour")
    if question.serving_utilisation is not None:  # as given: what training may reach leaves it alone
        hours = exactly(hours.value, hours.unit, f"{weighted_flops.origin}; serving utilisation, given")
    return hour_costs(hours, question.rate)


def _on_a_device(question: Question) -> bool:
    return question.kind not in ("flops", "loss")


def _share(question: Question, flops: float) -> Costs:
    """What a part of the compute takes of the budget: all of it where that pays for training alone."""
    hours, spent = _spent(question)
    if question.pays_for == "training":
        return replace(spent, device_hours=hours)
    part = flops / bought(question).value
    named = {one.name: getattr(spent, one.name) for one in fields(spent)}
    return Costs(**{name: one and one.scaled(part, one.unit) for name, one in named.items()})


def _spent(question: Question) -> tuple[Quantity, Costs]:
    assert question.rate is not None
    amount = stated(question.amount, question.kind.replace("_", " "), "budget")
    hours = budget_hours(question.kind, amount, question.rate, question.devices)
    costs = hour_costs(hours, question.rate)
    if question.kind == "usd":
        return hours, replace(costs, money=exactly(question.amount, "USD", "budget, given"))
    if question.kind == "kilowatt_hours":
        return hours, replace(costs, energy=exactly(question.amount, "kWh", "budget, given"))
    return hours, costs
