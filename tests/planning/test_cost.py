"""Cost sheets: published runs recomputed, ranges that hold what they should, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.fitting.result import Estimate
from allometry.planning.cost import budget_flops, cost_sheet, hour_costs
from allometry.planning.quantities import Quantity, exactly, within
from allometry.planning.rates import UTILISATION, training_rate

LLAMA_65B_HOURS = 1_022_362  # of an A100 80 GB; Touvron et al. 2023, table 15, arXiv:2302.13971


def test_llama_65b_takes_the_energy_and_carbon_its_authors_count() -> None:
    rate = training_rate("a100-sxm-80gb", watts=400, pue=1.1, kg_per_kwh=0.385)

    costs = hour_costs(LLAMA_65B_HOURS, rate)

    assert costs.energy is not None
    assert costs.carbon is not None
    assert costs.energy.value / 1000 == pytest.approx(449, abs=1)  # MWh
    assert costs.carbon.value / 1000 == pytest.approx(173, abs=1)  # tCO2e


def test_hours_are_compute_over_peak_times_utilisation_times_goodput() -> None:
    rate = training_rate("a100-sxm-80gb", utilisation=0.5, goodput=0.8)

    sheet = cost_sheet(312e12 * 0.5 * 0.8 * 3600 * 96, rate, devices=2)

    assert sheet.run.device_hours.value == pytest.approx(96)
    assert sheet.days.value == pytest.approx(2)


def test_the_assumed_utilisation_already_holds_the_pauses() -> None:
    rate = training_rate("h100-sxm")

    assert (rate.utilisation.low, rate.utilisation.value, rate.utilisation.high) == (0.30, 0.40, 0.50)
    assert rate.goodput.low == rate.goodput.value == rate.goodput.high == 1


def test_the_range_of_a_product_holds_the_share_of_random_products_that_its_factors_hold() -> None:
    rng = np.random.default_rng(0)
    factors = [within(1 / k, 1, k, "1", "a guess") for k in (1.5, 2.0, 1.1)]
    # Lognormal factors whose middle 90% is the range.
    logs = sum(np.log(one.high) / 1.6449 * rng.standard_normal(200_000) for one in factors)

    product = factors[0].times(factors[1], "1").times(factors[2], "1")

    inside = np.mean((np.exp(logs) > product.low) & (np.exp(logs) < product.high))
    assert inside == pytest.approx(0.9, abs=0.004)  # six standard errors of the share


def test_a_number_without_a_range_leaves_none_in_the_product() -> None:
    plan = Estimate(value=1e22, low=np.nan, high=np.nan, unit="FLOP")

    sheet = cost_sheet(plan, training_rate("h100-sxm"))

    assert np.isnan(sheet.run.device_hours.low)
    assert sheet.run.device_hours.value > 0


def test_every_number_says_where_it_came_from() -> None:
    sheet = cost_sheet(1e22, training_rate("h100-sxm", kg_per_kwh=0.05))

    money, carbon = sheet.run.money, sheet.run.carbon
    assert money is not None
    assert carbon is not None
    for words in ("training compute, given", "dense bf16 peak", "assumed share", "2026-05"):
        assert words in money.origin
    for words in ("design power", "PUE", "carbon of the grid, given"):
        assert words in carbon.origin


def test_design_power_is_the_upper_end_and_measured_power_replaces_it() -> None:
    assumed = training_rate("h100-sxm").power
    measured = training_rate("h100-sxm", watts=within(480, 500, 520, "W", "a power meter")).power

    assert assumed is not None
    assert (assumed.value, assumed.high) == (700, 700)
    assert assumed.low == pytest.approx(0.15 * 700)  # Morrison et al. 2025, arXiv:2503.05804
    assert measured is not None
    assert measured.origin == "a power meter"


def test_there_is_no_carbon_without_a_grid_and_the_sheet_asks_for_one() -> None:
    sheet = cost_sheet(1e22, training_rate("h100-sxm"))

    assert sheet.run.carbon is None
    assert "kg_per_kwh" in sheet.missing["carbon"]
    assert "not known: give kg_per_kwh" in sheet.summary()


def test_a_device_without_price_or_power_asks_for_them() -> None:
    sheet = cost_sheet(1e22, training_rate("tpu-v5p", kg_per_kwh=0.1))

    assert sheet.run.money is None
    assert sheet.run.energy is None
    assert set(sheet.missing) == {"money", "energy", "carbon"}


def test_development_multiplies_the_project_and_not_the_run() -> None:
    # Olmo 3: 82.2% of all energy went into development, arXiv listing of 2026.
    rate = training_rate("h100-sxm", kg_per_kwh=0.05)
    alone, whole = cost_sheet(1e22, rate), cost_sheet(1e22, rate, development=1 / (1 - 0.822))

    assert whole.run == alone.run
    assert whole.project.device_hours.value == pytest.approx(5.618 * alone.run.device_hours.value, rel=1e-3)
    assert "With development" in whole.summary()


@settings(max_examples=30, deadline=None)
@given(exponent=st.floats(15, 27), devices=st.integers(1, 100_000))
def test_what_a_run_takes_buys_the_run(exponent: float, devices: int) -> None:
    rate = training_rate("h100-sxm")
    sheet = cost_sheet(10**exponent, rate, devices=devices)
    assert sheet.run.money is not None
    assert sheet.run.energy is not None

    bought = [
        budget_flops(rate, device_hours=sheet.run.device_hours.value),
        budget_flops(rate, days=sheet.days.value, devices=devices),
        budget_flops(rate, usd=sheet.run.money.value),
        budget_flops(rate, kilowatt_hours=sheet.run.energy.value),
    ]

    assert [one.value for one in bought] == pytest.approx([10**exponent] * 4)


def test_a_budget_given_twice_or_not_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="device_hours and usd were given"):
        budget_flops(training_rate("h100-sxm"), device_hours=10, usd=20)
    with pytest.raises(InputError, match="none was given"):
        budget_flops(training_rate("h100-sxm"))


def test_money_for_a_device_of_unknown_price_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="give US dollars"):
        budget_flops(training_rate("b200"), usd=1000)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"usd_per_hour": 2.5}, "price_as_of"),
        ({"usd_per_hour": 2.5, "price_as_of": "May"}, "price_as_of"),
        ({"usd_per_hour": -1.0, "price_as_of": "2026-05"}, "above zero"),
        ({"utilisation": 40}, "share of 1"),
        ({"goodput": 1.2}, "share of 1"),
        ({"precision": "fp4"}, "No dense 'fp4' peak"),
        ({"watts": float("nan")}, "above zero"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        training_rate("h100-sxm", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flops", "wrong", "says"),
    [
        (-1e20, {}, "above zero"),
        (float("inf"), {}, "above zero"),
        (1e20, {"devices": 0}, "at least one"),
        (1e20, {"development": 0.5}, "1 or more"),
    ],
)
def test_a_sheet_for_nothing_is_refused(flops: float, wrong: dict[str, int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        cost_sheet(flops, training_rate("h100-sxm"), **wrong)  # type: ignore[arg-type]


def test_a_site_cannot_take_less_energy_than_its_devices() -> None:
    with pytest.raises(InputError, match="1 or more"):
        hour_costs(10, training_rate("h100-sxm", pue=0.9))


def test_a_value_outside_its_own_range_is_no_quantity() -> None:
    with pytest.raises(InputError, match="lie within its range"):
        Quantity(value=1, low=2, high=3, unit="h", origin="a slip")
    assert exactly(1, "h", "a clock").inverse().value == 1
    assert UTILISATION.inverse().low == pytest.approx(2)
