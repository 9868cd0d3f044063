"""Plans on repeated data: the authors' numbers, limits that must hold, and slopes by another way."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.laws import additive_overfitting, chinchilla, data_constrained
from allometry.planning.data_limits import RepeatedLaw, best_params, plan_with_data
from allometry.planning.published import published_fit
from allometry.planning.surfaces import Surface

MUENNIGHOFF = dict(published_fit("muennighoff_2023").coefficients)


def law(draws: int = 0) -> RepeatedLaw:
    moves = np.exp(0.01 * np.random.default_rng(0).standard_normal((7, draws + 1)))
    moves[:, 0] = 1
    sets = {name: (MUENNIGHOFF[name] * move)[:, None] for name, move in zip(MUENNIGHOFF, moves, strict=True)}
    return RepeatedLaw(law=data_constrained, coefficients=sets)


def test_the_authors_two_losses_come_out_to_a_billionth() -> None:
    # huggingface/datablations, README: 6.34e9 params for 242e9 tokens beat 8.67e9 for 178e9, 25e9 unique.
    losses = law().loss(np.array([6.34e9, 8.67e9]), np.array([242e9, 178e9]), 25e9)[0]

    assert losses == pytest.approx([2.2256440889984477, 2.2269634075087867], rel=1e-9)


def test_the_plan_is_the_best_of_a_dense_grid() -> None:
    flops, unique = 9.3e21, 25e9
    sizes = np.geomspace(1e9, 3e10, 20_001)
    losses = law().loss(sizes, flops / 6 / sizes, unique)[0]

    found = plan_with_data(law(), flops=flops, unique_tokens=unique)

    assert found.params.value == pytest.approx(sizes[losses.argmin()], rel=2e-4)  # a step of the grid
    assert found.loss.value == pytest.approx(losses.min(), rel=1e-9)
    assert 6 * found.params.value * found.tokens.value == pytest.approx(flops)


def test_with_data_enough_it_is_the_compute_optimal_plan_and_more_data_is_worth_nothing() -> None:
    size, tokens = Surface.from_coefficients(MUENNIGHOFF).best(1e22)

    found = plan_with_data(law(), flops=1e22, unique_tokens=1e15)

    assert found.params.value == pytest.approx(size[0], rel=1e-6)
    assert found.loss.value == found.loss_unlimited.value
    assert not found.limited
    assert found.flops_per_token.value == 0
    assert "no limit" in found.summary()
    assert chinchilla.evaluate(
        {"params": size, "tokens": tokens}, {n: MUENNIGHOFF[n] for n in chinchilla.names}
    ) == pytest.approx(found.loss.value)


@settings(max_examples=12, deadline=None)
@given(exponent=st.floats(19, 25), share=st.floats(0.01, 0.9), more=st.floats(1.01, 10))
def test_more_unique_data_never_makes_a_plan_worse(exponent: float, share: float, more: float) -> None:
    flops = 10**exponent
    unique = share * float(Surface.from_coefficients(MUENNIGHOFF).best(flops)[1][0])

    scarce = plan_with_data(law(), flops=flops, unique_tokens=unique)
    ample = plan_with_data(law(), flops=flops, unique_tokens=unique * more)

    assert ample.loss.value <= scarce.loss.value * (1 + 1e-12)
    assert scarce.loss.value >= scarce.loss_unlimited.value
    assert scarce.flops_per_token.value > 0


def test_the_worth_of_a_token_is_what_the_whole_plan_says_when_data_and_budget_move() -> None:
    flops, unique, step = 1e22, 20e9, 1e-3

    def least(budget: float, stock: float) -> float:
        return plan_with_data(law(), flops=budget, unique_tokens=stock).loss.value

    by_data = least(flops, unique * (1 + step)) - least(flops, unique * (1 - step))
    by_compute = least(flops * (1 + step), unique) - least(flops * (1 - step), unique)

    found = plan_with_data(law(), flops=flops, unique_tokens=unique)

    assert found.saved_by_data.value == pytest.approx(by_data / by_compute, rel=1e-3)
    assert found.flops_per_token.value == pytest.approx(by_data / by_compute * flops / unique, rel=1e-3)


def test_where_repeats_hurt_the_plan_stops_repeating() -> None:
    rival = RepeatedLaw.from_coefficients(additive_overfitting, additive_overfitting.typical)

    rising = [plan_with_data(rival, flops=c, unique_tokens=1e10).epochs.value for c in (1e22, 1e23, 1e24)]
    for_ever = [plan_with_data(law(), flops=c, unique_tokens=1e10).epochs.value for c in (1e22, 1e23, 1e24)]

    assert rising[2] < for_ever[2]


def test_a_thousand_draws_take_less_than_a_second_and_make_ranges() -> None:
    plan_with_data(law(), flops=1e21, unique_tokens=1e9)  # derives the law once
    many, begun = law(1000), time.process_time()

    found = plan_with_data(many, flops=1e22, unique_tokens=20e9)

    assert time.process_time() - begun < 1
    for one in (found.params, found.epochs, found.loss, found.flops_per_token):
        assert one.low < one.value < one.high
    assert best_params(many, 1e22, 20e9).shape == (1001,)


@pytest.mark.parametrize(
    ("flops", "unique"), [(0.0, 1e9), (np.nan, 1e9), (1e21, 0.0), (1e21, -1e9), (1e21, np.nan)]
)
def test_a_budget_or_a_stock_of_nothing_is_refused(flops: float, unique: float) -> None:
    with pytest.raises(InputError, match="write it like"):
        plan_with_data(law(), flops=flops, unique_tokens=unique)
