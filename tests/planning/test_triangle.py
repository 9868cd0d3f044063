"""The trade of model, data and compute at equal loss: closed forms against the law itself."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.planning.standings import standing
from allometry.planning.surfaces import Surface
from allometry.planning.triangle import (
    equal_loss,
    floors,
    least_size_ratio,
    tokens_ratio,
)

BESIROGLU = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
LAW = Surface.from_coefficients(BESIROGLU)


def drawn(draws: int) -> Surface:
    moves = np.exp(0.01 * np.random.default_rng(0).standard_normal((5, draws + 1)))
    moves[:, 0] = 1
    return Surface(**{name: BESIROGLU[name] * move for name, move in zip(BESIROGLU, moves, strict=True)})


@pytest.mark.parametrize(("x", "compute"), [(0.5, 1.26), (0.25, 4.47), (2, 1.15), (4, 1.59)])
def test_the_compute_of_another_size_at_equal_loss(x: float, compute: float) -> None:
    # Of the exponents of Besiroglu et al.; the property below checks the form against the law itself.
    assert x * tokens_ratio(x, BESIROGLU["alpha"], BESIROGLU["beta"]) == pytest.approx(compute, abs=0.005)


@pytest.mark.parametrize(("law", "least"), [(BESIROGLU, 0.146), (HOFFMANN, 0.097)])
def test_the_least_size_is_a_fixed_share_of_the_optimal_one(law: dict[str, float], least: float) -> None:
    assert least_size_ratio(law["alpha"], law["beta"]) == pytest.approx(least, abs=5e-4)
    found = floors(Surface.from_coefficients(law), loss=2.1)
    assert found.params.value / found.optimal_params.value == pytest.approx(least, abs=5e-4)


@settings(max_examples=50, deadline=None)
@given(loss=st.floats(1.85, 4), x=st.floats(0.15, 50))
def test_the_closed_form_is_the_surface_of_the_law(loss: float, x: float) -> None:
    params, tokens = LAW.cheapest(loss)

    needed = tokens[0] * tokens_ratio(x, BESIROGLU["alpha"], BESIROGLU["beta"])

    assert LAW.loss(x * params[0], float(needed)) == pytest.approx([loss], rel=1e-9)
    assert LAW.tokens_for(loss, x * params[0]) == pytest.approx([needed], rel=1e-6)


def test_below_a_floor_nothing_helps_and_just_above_it_something_does() -> None:
    least = floors(LAW, loss=2.0)

    assert LAW.tokens_for(2.0, 0.999 * least.params.value) == [np.inf]
    assert np.isfinite(LAW.tokens_for(2.0, 1.001 * least.params.value)).all()
    assert LAW.params_for(2.0, 0.999 * least.tokens.value) == [np.inf]
    assert least.flops.value == pytest.approx(6 * least.optimal_params.value * least.optimal_tokens.value)


def test_no_point_of_equal_loss_takes_less_compute_than_the_floor() -> None:
    least = floors(LAW, loss=2.0)

    curve = equal_loss(LAW, loss=2.0, params=np.geomspace(1e9, 1e12, 501))

    assert curve.flops.min() >= least.flops.value
    assert curve.flops.min() == pytest.approx(least.flops.value, rel=1e-4)
    assert (np.diff(curve.tokens[np.isfinite(curve.tokens)]) < 0).all()


def test_ranges_and_probabilities_follow_the_draws() -> None:
    law = drawn(200)

    curve = equal_loss(law, loss=2.0, params=np.array([1e9, 1e10, 1e11]))

    assert curve.tokens[0] == np.inf
    assert curve.share_of_draws == pytest.approx(
        [np.mean(np.isfinite(law.tokens_for(2.0, size)[1:])) for size in (1e9, 1e10, 1e11)]
    )
    assert curve.tokens_low[2] < curve.tokens[2] < curve.tokens_high[2]
    assert curve.tokens_high[0] == np.inf
    assert np.isnan(equal_loss(LAW, loss=2.0, params=np.array([1e11])).tokens_low).all()


def test_two_hundred_sizes_with_a_thousand_draws_take_less_than_a_second() -> None:
    law, begun = drawn(1000), time.process_time()

    equal_loss(law, loss=2.0, params=np.geomspace(1e9, 1e12, 200))

    assert time.process_time() - begun < 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        floors(LAW, loss=1.8)
    with pytest.raises(InputError, match="cannot be reached"):
        equal_loss(LAW, loss=float("nan"), params=np.array([1e9]))
    with pytest.raises(InputError, match="above zero"):
        equal_loss(LAW, loss=2.0, params=np.array([0.0]))
    with pytest.raises(InputError, match="above zero"):
        standing(LAW, params=-1, tokens=1e9)
