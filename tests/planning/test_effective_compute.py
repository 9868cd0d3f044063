"""Effective compute: gains multiply, doublings add, and a range is carried to the end."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting.comparison.recipes import multiplier
from allometry.planning.effective_compute import (
    compute_gap,
    effective_flops,
    gain_of,
    pace,
    pace_of,
    time_to,
)
from allometry.planning.quantities import Quantity, exactly, within
from allometry.planning.surfaces import Surface
from allometry.runs.run import Runs

ALGORITHMS = pace("algorithms", 8, 5, 14, "Ho et al. 2024, arXiv:2403.05812, 95%")
LAW = Surface.from_coefficients({"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658})


def test_gains_multiply_and_their_ranges_add_in_squares_of_logarithms() -> None:
    one, other = within(1, 2, 4, "1", "a"), within(1, 2, 4, "1", "b")

    whole = effective_flops(1e21, one, other)

    assert whole.value == pytest.approx(4e21)
    assert whole.high == pytest.approx(4e21 * 2 ** math.sqrt(2))
    assert whole.origin == "training compute, given; a; b"


def test_a_measured_multiplier_is_a_gain_with_its_interval() -> None:
    flops = np.tile(np.geomspace(1e15, 1e18, 6), 2)
    recipe = np.repeat(["old", "new"], 6)
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    loss = (2 + 300 * (flops * np.where(recipe == "new", 1.5, 1.0)) ** -0.15) * noise
    runs = Runs(pd.DataFrame({"flops": flops, "recipe": recipe, "loss": loss}))
    made = multiplier(runs, by="recipe", law="power_law_with_floor", draws=20)

    gain = gain_of(made, "new")

    assert gain.low < 1.5 < gain.high
    assert gain.origin == "new against old, measured on 12 runs"
    with pytest.raises(InputError, match="'newest' was not compared"):
        gain_of(made, "newest")
    with pytest.raises(InputError, match="is of data, and effective compute needs one of compute"):
        gain_of(replace(made, what="data"), "new")


def test_a_pace_of_a_history_is_the_slope_that_statistics_give() -> None:
    # Off the line 2**t by +1, -1, -1, +1 tenths of a doubling: slope 1, residual variance 0.04 / 2.
    years, off = [0.0, 1.0, 2.0, 3.0], [0.1, -0.1, -0.1, 0.1]
    found = pace_of("x", years, [2 ** (t + e) for t, e in zip(years, off, strict=True)], source="made up")

    half = 2.919986 * math.sqrt(
        0.02 / 5
    )  # Student's t of 2 degrees at 95%; the squares of years about 1.5 add to 5
    assert found.doublings.value == pytest.approx(1.0)
    assert found.doublings.high == pytest.approx(1 + half, rel=1e-6)
    assert found.months.low == pytest.approx(12 / (1 + half), rel=1e-6)


def test_doublings_of_independent_growths_add() -> None:
    yearly = pace("hardware", 12, 12, 12, "made up")

    alone, together = time_to(16, yearly), time_to(16, yearly, yearly)

    assert alone.years.value == pytest.approx(4)
    assert together.years.value == pytest.approx(2)
    assert alone.years.low == alone.years.high == pytest.approx(4)


def test_the_range_of_years_is_that_of_the_pace_where_nothing_else_is_unsure() -> None:
    arrival = time_to(2**6, ALGORITHMS)

    years = (arrival.years.low, arrival.years.value, arrival.years.high)
    assert years == pytest.approx((6 * 5 / 12, 6 * 8 / 12, 6 * 14 / 12))
    assert "6 doublings, 4 (2.5 to 7) years" in arrival.summary()


def test_a_target_that_may_be_reached_already_may_take_no_time() -> None:
    arrival = time_to(within(0.5, 4, 32, "1", "a law"), ALGORITHMS)

    assert arrival.years.low == 0


def test_a_pace_that_may_be_none_may_never_arrive() -> None:
    slow = pace_of("x", [0, 1, 2], [1, 4, 2], source="made up")

    assert slow.doublings.low < 0 < slow.doublings.value
    assert time_to(4, slow).years.high == math.inf
    assert slow.months.high == math.inf


def test_the_gap_to_a_loss_is_what_the_law_needs_over_what_there_is() -> None:
    gap = compute_gap(LAW, loss=2.0, flops=1e21)

    params, tokens = (float(one[0]) for one in LAW.best(gap.value * 1e21))
    assert float(LAW.loss(params, tokens)[0]) == pytest.approx(2.0, rel=1e-12)


def test_a_gain_widens_the_gap_that_is_left() -> None:
    better = effective_flops(1e21, exactly(2.0, "1", "a sweep")).value

    left = compute_gap(LAW, loss=2.0, flops=better).value
    assert left == pytest.approx(compute_gap(LAW, loss=2.0, flops=1e21).value / 2)


def test_questions_without_an_answer_are_refused() -> None:
    shrinking = pace_of("x", [0, 1, 2], [4, 2, 1], source="made up")
    gain = Quantity(value=0.5, low=0.4, high=0.6, unit="1", origin="made up")

    with pytest.raises(InputError, match="must grow"):
        time_to(4, shrinking)
    with pytest.raises(InputError, match="reached already"):
        time_to(gain, ALGORITHMS)
    with pytest.raises(InputError, match="reached already"):
        time_to(1, ALGORITHMS)
    with pytest.raises(InputError, match="each with its value"):
        pace_of("x", [0, 1, 2, 3], [1, 2, 4], source="made up")
    with pytest.raises(InputError, match="finite years"):
        pace_of("x", [0, 1, np.inf], [1, 2, 4], source="made up")
    with pytest.raises(InputError, match="at least one pace"):
        time_to(4)
    with pytest.raises(InputError, match="three or more"):
        pace_of("x", [0, 0, 1], [1, 2, 4], source="made up")
    with pytest.raises(InputError, match="above zero"):
        pace_of("x", [0, 1, 2], [1, 0, 4], source="made up")
    with pytest.raises(InputError, match="within its range"):
        pace("x", 3, 5, 14, "made up")


@pytest.mark.parametrize("floor", [1.6, 1.8])
def test_a_fit_outside_of_its_own_draws_keeps_its_value_inside_the_range_of_the_gap(floor: float) -> None:
    numbers = {"E": [floor, 1.7, 1.71, 1.72], "A": [480.0] * 4, "B": [2000.0] * 4, "alpha": [0.35] * 4}
    e, a, b, alpha = (np.array(numbers[name]) for name in ("E", "A", "B", "alpha"))

    gap = compute_gap(Surface(E=e, A=a, B=b, alpha=alpha, beta=np.full(4, 0.36)), loss=1.9, flops=1e24)

    assert gap.low < gap.high
    assert gap.value == (gap.low if floor < 1.7 else gap.high)
