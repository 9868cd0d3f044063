"""Budgets: exactly one, on a device where it needs one, and back again to where it came from."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.planning.allocation import allocate
from allometry.planning.budgets import bought, costs_of
from allometry.planning.cost import cost_sheet
from allometry.planning.inference import Demand
from allometry.planning.questions import Question
from allometry.planning.rates import training_rate

H100 = training_rate("h100-sxm", utilisation=0.4, usd_per_hour=2.5, price_as_of="2026-05", watts=600, pue=1.2)


def test_eight_devices_for_thirty_days_buy_their_peak_times_utilisation_times_seconds() -> None:
    compute = bought(Question(days=30, rate=H100, devices=8))

    assert compute.value == pytest.approx(8 * 30 * 86_400 * 0.4 * 989.4e12, rel=1e-12)


@given(amount=st.floats(1, 9).map(lambda power: 10**power))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("kind", ["usd", "device_hours", "kilowatt_hours", "days"])
def test_what_a_budget_buys_costs_the_budget(kind: str, amount: float) -> None:
    question = Question(**{kind: amount}, rate=H100, devices=4)  # type: ignore[arg-type]

    sheet = cost_sheet(bought(question), H100, devices=4)

    back = {
        "usd": sheet.run.money,
        "device_hours": sheet.run.device_hours,
        "kilowatt_hours": sheet.run.energy,
        "days": sheet.days,
    }[kind]
    assert back is not None
    assert back.value == pytest.approx(amount, rel=1e-12)


def test_days_that_are_given_carry_no_range_of_utilisation_but_what_they_buy_does() -> None:
    wide = training_rate("h100-sxm", usd_per_hour=2.5, price_as_of="2026-05")
    question = Question(days=30, rate=wide, devices=8)
    compute = bought(question)

    sheet = costs_of(question, compute)

    assert sheet is not None
    assert sheet.run.money is not None
    assert (sheet.run.money.low, sheet.run.money.high) == (14_400.0, 14_400.0)  # 8 · 720 h · 2.5 USD
    assert compute.high / compute.low == pytest.approx(0.5 / 0.3)


@pytest.mark.parametrize("kind", ["flops", "device_hours", "usd", "kilowatt_hours", "days", "loss"])
@pytest.mark.parametrize("amount", [0.0, -1.0, math.nan, math.inf])
def test_an_amount_that_is_no_number_above_zero_is_refused(kind: str, amount: float) -> None:
    with pytest.raises(InputError, match=r"above zero|buys no training"):
        Question(**{kind: amount}, rate=H100)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Give one budget or one target loss; choose from flops"),
        ({"flops": 1e21, "usd": 5.0}, "flops and usd were given"),
        ({"usd": 1e6}, "depends on the device"),
        ({"flops": 1e21, "devices": 0}, "at least one device"),
        ({"flops": 1e21, "level": 1.0}, "between 0 and 1"),
        ({"flops": 1e21, "unique_tokens": 0.0}, "holds nothing"),
        ({"flops": 1e21, "pays_for": "life"}, "give served_tokens"),
        ({"days": 30.0, "rate": H100, "pays_for": "life", "demand": Demand(prompt_tokens=1.0)}, "no serving"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Question(**given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"flops": 1e21, "served_tokens": -1.0}, "zero or more"),
        ({"flops": 1e21, "utilisation": 0.4}, "utilisation belongs to a device"),
        ({"flops": 1e21, "device": H100, "goodput": 0.9}, "A rate already states its goodput"),
        ({"flops": 1e21, "serving_utilisation": 0.1}, "needs a device"),
        (
            {"flops": 1e21, "device": H100, "served_tokens": 1e12, "serving_utilisation": 2.0},
            "share of the peak",
        ),
        ({"usd": 1e6, "device": "b200"}, "No price is known for b200"),
        ({"usd": 1e6, "device": "b200", "served_tokens": 1e12, "pays_for": "life"}, "No price is known"),
        ({"flops": 1e21, "device": "h100-sxm", "usd_per_hour": 2.5}, "add price_as_of"),
        ({"flops": 1e21, "device": "v100-sxm"}, "It has: fp16, fp32"),
        ({"flops": 1e20, "served_tokens": 1e25, "pays_for": "life"}, "cannot even serve"),
    ],
)
def test_a_plan_that_cannot_be_made_gets_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        allocate("besiroglu_2024", **given)


def test_a_budget_can_be_scaled_and_a_target_cannot() -> None:
    assert Question(usd=100.0, rate=H100).scaled(1.1).amount == pytest.approx(110)
    with pytest.raises(InputError, match="no budget that could be scaled"):
        Question(loss=2.0).scaled(1.1)


def test_half_a_device_and_an_unknown_payment_are_refused() -> None:
    with pytest.raises(InputError, match="whole numbers, such as 8; not 2"):
        Question(flops=1e21, devices=2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'training' or for the 'life'; not for 'lifetime'"):
        Question(flops=1e21, pays_for="lifetime")  # type: ignore[arg-type]
