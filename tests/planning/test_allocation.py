"""Plans: the least loss a budget buys, found by other means, and what is said about it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import AllometryError, FitError, InputError
from allometry.fitting.result import Fit, FitStatus
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.planning.allocation import allocate
from allometry.runs.run import Runs

TRUTH = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}  # Hoffmann et al. 2022, eq. 10


def chinchilla_loss(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return TRUTH["E"] + TRUTH["A"] * params ** -TRUTH["alpha"] + TRUTH["B"] * tokens ** -TRUTH["beta"]


@cache
def fitted(noise: float = 0.0, seed: int = 0) -> Fit:
    params, tokens = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5)))
    errors = noise * np.random.default_rng(seed).standard_normal(len(params))
    loss = chinchilla_loss(params, tokens) * np.exp(errors)
    table = {"params": params, "tokens": tokens, "loss": loss, "params_convention": "non_embedding"}
    return fit("chinchilla", Runs(pd.DataFrame(table), source="a grid"))


def loss_at(fit: Fit, flops: float, params: float) -> float:
    inputs = {"params": params, "tokens": flops / 6 / params}
    return float(fit.law.evaluate(inputs, fit.coefficients))


@cache
def resampled() -> Fit:
    return bootstrap(fitted(0.005), draws=60)


@pytest.mark.parametrize("flops", [1e18, 5.88e23, 1e27])
def test_the_planned_size_is_the_best_of_a_dense_grid_at_the_same_budget(flops: float) -> None:
    sizes = np.geomspace(1e5, 1e14, 90_001)
    best = sizes[chinchilla_loss(sizes, flops / 6 / sizes).argmin()]

    plan = allocate(fitted(), flops=flops)

    np.testing.assert_allclose(plan.params.value, best, rtol=3e-4)  # a step of the grid is 2.3e-4
    np.testing.assert_allclose(6 * plan.params.value * plan.tokens.value, flops, rtol=1e-12)
    np.testing.assert_allclose(
        plan.tokens_per_parameter.value, plan.tokens.value / plan.params.value, rtol=1e-12
    )


def test_at_the_planned_point_parameters_and_tokens_pull_equally() -> None:
    plan = allocate(fitted(), flops=1e22)

    # dL/d ln N + dL/d ln D = 0 along constant N D: alpha A N^-alpha = beta B D^-beta.
    c = fitted().coefficients
    by_size = c["alpha"] * c["A"] * plan.params.value ** -c["alpha"]
    by_data = c["beta"] * c["B"] * plan.tokens.value ** -c["beta"]
    np.testing.assert_allclose(by_size, by_data, rtol=1e-9)


def test_the_ends_of_the_near_optimal_band_lose_exactly_the_tolerance() -> None:
    plan = allocate(fitted(), flops=1e22, tolerance=0.01)
    least = loss_at(fitted(), 1e22, plan.params.value)

    assert plan.near.params_low < plan.params.value < plan.near.params_high
    for end in (plan.near.params_low, plan.near.params_high):
        assert loss_at(fitted(), 1e22, end) == pytest.approx(1.01 * least, rel=1e-9)
    assert plan.near.tokens_high == pytest.approx(1e22 / 6 / plan.near.params_low, rel=1e-12)


def test_a_wider_tolerance_makes_a_wider_band() -> None:
    narrow = allocate(fitted(), flops=1e22, tolerance=0.001).near
    wide = allocate(fitted(), flops=1e22, tolerance=0.01).near

    assert wide.params_low < narrow.params_low < narrow.params_high < wide.params_high


@settings(max_examples=40, deadline=None)
@given(exponent=st.floats(15, 28), more=st.floats(1.001, 1e4))
def test_a_plan_never_gets_worse_with_more_compute(exponent: float, more: float) -> None:
    less = allocate(resampled(), flops=10**exponent)
    plenty = allocate(resampled(), flops=10**exponent * more)

    assert plenty.loss.value <= less.loss.value
    assert plenty.params.value >= less.params.value
    assert plenty.tokens.value >= less.tokens.value


def test_the_ranges_of_a_resampled_fit_contain_the_plan() -> None:
    plan = allocate(resampled(), flops=1e22)

    for name in ("params", "tokens", "tokens_per_parameter", "loss"):
        estimate = getattr(plan, name)
        assert estimate.low < estimate.value < estimate.high
    assert plan.no_interval_because == ""


def test_ninety_percent_ranges_contain_the_true_optimum_for_most_noises() -> None:
    truth = allocate(fitted(), flops=1e22).params.value
    fits = [bootstrap(fitted(0.005, seed), draws=100, seed=seed) for seed in range(30)]
    ranges = [allocate(fit, flops=1e22).params for fit in fits]

    covered = sum(one.low < truth < one.high for one in ranges)

    assert covered >= 22  # of 30: fewer has a chance below 1 in 100 if 90% is right


def test_a_higher_level_makes_wider_ranges() -> None:
    half, most = (allocate(resampled(), flops=1e22, level=level) for level in (0.5, 0.9))

    for name in ("params", "tokens", "loss"):
        assert getattr(most, name).low < getattr(half, name).low
        assert getattr(half, name).high < getattr(most, name).high


def test_a_fit_without_draws_gives_a_plan_that_says_why_it_has_no_ranges() -> None:
    plan = allocate(fitted(), flops=1e22)

    assert math.isnan(plan.params.low)
    assert math.isnan(plan.tokens_per_parameter.high)
    assert "No ranges because the fit has no draws" in plan.summary()


def test_how_far_beyond_the_runs_is_counted_from_the_largest() -> None:
    plan = allocate(fitted(), flops=1e26)

    assert plan.beyond["params"] == pytest.approx(plan.params.value / 1e10)
    assert plan.beyond["tokens"] == pytest.approx(plan.tokens.value / 1e12)
    assert plan.beyond["flops"] == pytest.approx(1e26 / 6e22)


def test_the_summary_states_budget_size_ranges_band_and_convention() -> None:
    text = allocate(resampled(), flops=1e26).summary()

    for words in ("1e26 FLOP (6 · params · tokens)", "a grid", "counted: non_embedding", "Extrapolation"):
        assert words in text
    for words in ("Ranges hold 90%", "within 0.5%", "nat/token", "tokens per parameter"):
        assert words in text
    assert "Not beyond the fitted runs" in allocate(resampled(), flops=1e20).summary()


@pytest.mark.parametrize("flops", [0.0, -1e20, math.nan, math.inf, 1e-3, 5e-324, 10.0])
def test_a_budget_that_buys_nothing_is_refused(flops: float) -> None:
    with pytest.raises(InputError):
        allocate(fitted(), flops=flops)


@pytest.mark.parametrize(("level", "tolerance"), [(1.0, 0.005), (0.9, 0.0), (0.9, -1.0), (0.9, math.nan)])
def test_a_level_or_tolerance_that_is_no_share_is_refused(level: float, tolerance: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        allocate(fitted(), flops=1e22, level=level, tolerance=tolerance)


def test_a_plan_from_a_doubtful_fit_says_so() -> None:
    doubtful = replace(fitted(), status=FitStatus.DOUBTFUL)

    assert "The fit is doubtful" in allocate(doubtful, flops=1e22).summary()


def test_a_law_without_an_optimum_between_size_and_data_is_refused() -> None:
    flops = np.geomspace(1e15, 1e20, 6)
    runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    law_of_compute = fit("power_law_with_floor", runs, inputs={"x": "flops"})

    with pytest.raises(FitError, match="params and tokens"):
        allocate(law_of_compute, flops=1e21)


@settings(max_examples=60, deadline=None)
@given(flops=st.floats() | st.floats(1, 1e40))
def test_any_budget_ends_in_a_plan_or_in_a_sentence(flops: float) -> None:
    try:
        plan = allocate(fitted(), flops=flops)
    except AllometryError:
        return
    assert plan.near.params_low <= plan.params.value <= plan.near.params_high
    assert plan.summary()


def test_a_target_by_a_law_without_draws_costs_what_the_device_leaves_open() -> None:
    """Utilisation is 0.3 to 0.5 around 0.4, so that hours are 0.8 to 4/3 of the middle."""
    days = allocate("hoffmann_2022", loss=2.0, device="h100-sxm", devices=8).cost.days  # type: ignore[union-attr]

    assert days.low == pytest.approx(0.8 * days.value)
    assert days.high == pytest.approx(4 / 3 * days.value)


@pytest.mark.parametrize("cost", ["usd", "kilowatt_hours", "device_hours"])
def test_training_and_serving_share_a_budget_for_the_whole_life(cost: str) -> None:
    asked: dict[str, Any] = {cost: 2000, "served_tokens": 1e12, "pays_for": "life"}
    plan = allocate("besiroglu_2024", device="h100-sxm", **asked)
    name = {"usd": "money", "kilowatt_hours": "energy"}.get(cost, cost)
    assert plan.cost is not None
    assert plan.lifetime is not None

    training, serving = getattr(plan.cost.run, name), getattr(plan.serving, name)

    assert training.value + serving.value == pytest.approx(2000)
    assert training.low == training.high  # what is spent is settled, what it buys is not
    assert serving.low == serving.high
    by_compute = plan.flops / plan.lifetime.serving_flops.value
    assert training.value / serving.value == pytest.approx(by_compute)
    assert plan.compute.low < plan.flops < plan.compute.high


def test_a_budget_for_the_whole_life_moves_its_training_as_the_budget_in_flop_would() -> None:
    life: dict[str, Any] = {"served_tokens": 1e12, "pays_for": "life"}
    plan = allocate("hoffmann_2022", device_hours=678, device="h100-sxm", **life)
    hourly = 3600 * 989.4e12

    ends = [allocate("hoffmann_2022", flops=678 * hourly * share, **life).flops for share in (0.3, 0.5)]

    assert [plan.compute.low, plan.compute.high] == pytest.approx(ends, rel=1e-6)


def test_a_loss_that_a_single_parameter_beats_is_refused() -> None:
    with pytest.raises(InputError, match="takes less than one parameter or token"):
        allocate("besiroglu_2024", loss=1e9)


def test_factors_far_beyond_the_runs_are_powers_of_ten() -> None:
    assert "1.82e142x params" in allocate("besiroglu_2024", flops=1e300).summary()


def test_one_device_is_not_plural() -> None:
    assert "30 days on 1 device," in allocate("besiroglu_2024", days=30, device="h100-sxm").summary()


def test_a_stock_that_is_used_up_is_not_said_to_save_more_compute_than_there_is() -> None:
    """1e22 FLOP are 364 epochs of 1e9 tokens, where repeats are worth nothing (Muennighoff et al. 2023)."""
    plan = allocate("besiroglu_2024", flops=1e22, unique_tokens=1e9)

    assert plan.data is not None
    assert "does what no amount of compute does" in plan.summary()
    assert "does what no amount of compute does" in plan.data.summary()
    assert "does what no amount" not in allocate("besiroglu_2024", flops=1e22, unique_tokens=1e10).summary()


def test_a_stated_serving_utilisation_leaves_no_doubt_about_its_hours() -> None:
    """2 · params · tokens FLOP at 5% of 989.4 TFLOP/s, whatever training may reach."""
    asked: dict[str, Any] = {"days": 30, "device": "h100-sxm", "devices": 8, "served_tokens": 5e12}
    stated = allocate("besiroglu_2024", **asked, serving_utilisation=0.05)
    as_training = allocate("besiroglu_2024", **asked)
    assert stated.serving is not None
    assert as_training.serving is not None

    hours = stated.serving.device_hours

    by_hand = 2 * stated.params.value * 5e12 / (0.05 * 989.4e12 * 3600)
    assert [hours.low, hours.value, hours.high] == pytest.approx([by_hand] * 3)
    assert as_training.serving.device_hours.low < as_training.serving.device_hours.high
