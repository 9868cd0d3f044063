"""How far a loss is from the compute that there is, and when growth closes the gap."""

from __future__ import annotations

import math

import pytest

from allometry.errors import InputError
from allometry.planning.arrivals import ALGORITHMS, effective_compute
from allometry.planning.effective_compute import pace
from allometry.planning.published import published_fit
from allometry.planning.quantities import within

LAW = "hoffmann_2022"


def test_the_effective_compute_of_the_gap_reaches_the_loss() -> None:
    found = effective_compute(LAW, flops=1e22, loss=1.9, gains=[within(2, 2, 2, "1", "a recipe")])

    surface = published_fit(LAW).surface()
    assert found.effective.value == 2e22
    reached = surface.loss(*surface.best(found.effective.value * found.gap.value))
    assert float(reached[0]) == pytest.approx(1.9, rel=1e-12)
    assert 2**found.doublings.value == pytest.approx(found.gap.value)


def test_the_years_are_the_doublings_over_the_pace() -> None:
    yearly = pace("hardware", 12, 12, 12, "made up")
    found = effective_compute(LAW, flops=1e22, loss=1.9, paces=[yearly])

    assert found.arrival is not None
    assert found.arrival.years.value == pytest.approx(found.doublings.value)


def test_algorithms_alone_are_the_pace_that_ho_et_al_measured() -> None:
    found = effective_compute(LAW, flops=1e22, loss=1.9)

    assert found.arrival is not None
    assert found.arrival.paces == (ALGORITHMS,)
    assert (ALGORITHMS.months.low, ALGORITHMS.months.high) == pytest.approx((5, 14))  # arXiv:2403.05812


def test_a_loss_that_is_in_reach_takes_no_time() -> None:
    found = effective_compute(LAW, flops=1e26, loss=2.1)

    assert found.arrival is None
    assert found.doublings.value < 0
    assert found.summary().endswith("times as much is needed, which is there")


def test_the_range_of_a_law_with_draws_reaches_the_years() -> None:
    found = effective_compute("besiroglu_2024", flops=1e24, loss=1.9)

    assert found.arrival is not None
    assert found.gap.low < found.gap.value < found.gap.high
    assert found.arrival.years.low < found.arrival.years.value < found.arrival.years.high
    assert math.isnan(effective_compute(LAW, flops=1e22, loss=1.9).gap.low)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"flops": -1e22}, "above zero"),
        ({"loss": 1.5}, "the floor of"),
        ({"loss": math.nan}, "the floor of"),
        ({"paces": ()}, "at least one pace"),
    ],
)
def test_what_has_no_answer_is_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        effective_compute(LAW, **{"flops": 1e22, "loss": 1.9, **wrong})  # type: ignore[arg-type]
