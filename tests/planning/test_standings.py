"""Where a run stands among the runs of equal loss, fresh or repeated, against the law itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.planning.allocation import allocate
from allometry.planning.basis import basis_of
from allometry.planning.standings import Limit, Standing, standing
from allometry.planning.stocked import Stocked
from allometry.planning.surfaces import Surface

BESIROGLU = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
LAW = Surface.from_coefficients(BESIROGLU)
AUTHORS = "muennighoff_2023"


def drawn(draws: int) -> Surface:
    moves = np.exp(0.01 * np.random.default_rng(0).standard_normal((5, draws + 1)))
    moves[:, 0] = 1
    return Surface(**{name: BESIROGLU[name] * move for name, move in zip(BESIROGLU, moves, strict=True)})


def test_an_optimal_run_is_limited_by_compute() -> None:
    params, tokens = LAW.best(1e22)

    place = standing(LAW, params=params[0], tokens=tokens[0])

    assert place.standing is Standing.OPTIMAL
    assert place.limit is Limit.COMPUTE
    assert "compute-optimal, compute-limited" in place.summary()
    assert place.compute_ratio.value == pytest.approx(1)
    assert place.size_owes.value == pytest.approx(LAW.size_share[0])


def test_public_models_stand_where_the_field_says() -> None:
    # Gopher was larger than its tokens asked for (Hoffmann et al. 2022); Llama 3 8B saw 1,875 tokens each.
    gopher = standing(LAW, params=280e9, tokens=300e9)
    llama = standing(LAW, params=8.03e9, tokens=15e12)

    assert (gopher.standing, gopher.limit) == (Standing.UNDERTRAINED, Limit.TOKENS)
    assert (llama.standing, llama.limit) == (Standing.OVERTRAINED, Limit.SIZE)
    assert "smaller model on more tokens" in gopher.summary()
    assert "served much" in llama.summary()


def test_the_compute_ratio_is_against_the_budget_whose_best_run_has_the_same_loss() -> None:
    budgets = np.geomspace(1e22, 1e25, 3001)
    losses = np.array([LAW.loss(*LAW.best(float(budget)))[0] for budget in budgets])
    gopher = standing(LAW, params=280e9, tokens=300e9)

    least = np.exp(np.interp(-gopher.loss.value, -losses, np.log(budgets)))

    assert gopher.compute_ratio.value == pytest.approx(6 * 280e9 * 300e9 / least, rel=1e-5)


def test_repeated_tokens_count_for_what_the_authors_measured() -> None:
    # huggingface/datablations, README: 8.67e9 parameters on 178e9 tokens, 25e9 of them unique.
    place = standing(AUTHORS, params=8.67e9, tokens=178e9, unique_tokens=25e9)

    assert place.loss.value == pytest.approx(2.2269634075087867, rel=1e-9)
    assert place.limit is Limit.DATA
    assert place.notes == ()  # the law's own repeats
    assert "7.12 epochs of 25B unique tokens" in place.summary()


def test_the_best_plan_on_a_stock_is_optimal_for_it_and_limited_by_data() -> None:
    plan = allocate(AUTHORS, flops=9.3e21, unique_tokens=25e9)

    place = standing(AUTHORS, params=plan.params.value, tokens=plan.tokens.value, unique_tokens=25e9)

    assert (place.standing, place.limit) == (Standing.OPTIMAL, Limit.DATA)
    assert place.compute_ratio.value == pytest.approx(1, abs=1e-9)
    assert "in balance for the distinct tokens" in place.summary()
    # What the plan says a share more of the stock saves is what it lowers the loss by, in shares of compute.
    assert plan.data is not None
    saved = place.by_unique_tokens.value / place.by_flops.value
    assert saved == pytest.approx(plan.data.saved_by_data.value, rel=1e-6)


@pytest.mark.parametrize(("params", "tokens"), [(1.2e9, 9e11), (30e9, 6e10), (7e9, 2e11)])
def test_elasticities_of_a_repeated_run_are_slopes_of_the_law(params: float, tokens: float) -> None:
    place, law, step = (
        standing(AUTHORS, params=params, tokens=tokens, unique_tokens=2e10),
        basis_of(AUTHORS),
        1e-5,
    )

    def falls(*which: float) -> float:
        size, data, stock = which
        up, down = (
            law.loss(np.array([params * s**size]), np.array([tokens * s**data]), 2e10 * s**stock)[0]
            for s in (1 + step, 1 - step)
        )
        return float(np.log(down / up) / (2 * step))

    found = place.by_params.value, place.by_tokens.value, place.by_unique_tokens.value
    assert found == pytest.approx((falls(1, 0, 0), falls(0, 1, 0), falls(0, 0, 1)), rel=1e-4, abs=1e-9)


def test_a_law_without_repeats_borrows_what_they_are_worth_and_says_so() -> None:
    fresh = standing("besiroglu_2024", params=8e9, tokens=4e11)
    repeated = standing("besiroglu_2024", params=8e9, tokens=4e11, unique_tokens=1e10)

    assert repeated.loss.value > fresh.loss.value
    assert "RD = 15.4" in repeated.summary()
    assert repeated.loss.low < repeated.loss.value < repeated.loss.high


def test_a_stock_that_nothing_uses_up_changes_nothing() -> None:
    fresh = standing("besiroglu_2024", params=8e9, tokens=4e11)
    stocked = standing("besiroglu_2024", params=8e9, tokens=4e11, unique_tokens=1e13)

    assert stocked.summary() == fresh.summary()
    assert stocked.by_unique_tokens.value == 0


def test_the_best_run_of_equal_loss_has_the_same_stock_and_no_other_size_is_cheaper() -> None:
    # Gopher with hardly more distinct tokens than it saw: its best run would repeat them.
    place = standing("hoffmann_2022", params=280e9, tokens=300e9, unique_tokens=310e9)
    law = Stocked.of(basis_of("hoffmann_2022"), 310e9)
    best = place.params / place.params_ratio.value

    sizes = best * np.array([0.99, 1, 1.01])
    tokens = law.tokens_for(place.loss.value, sizes)

    assert (place.standing, place.limit) == (Standing.UNDERTRAINED, Limit.TOKENS)
    assert tokens[1] > 310e9
    assert law.loss(sizes, tokens) == pytest.approx([place.loss.value] * 3, rel=1e-9)
    assert (sizes * tokens).argmin() == 1
    assert place.params * place.tokens / (sizes * tokens)[1] == pytest.approx(place.compute_ratio.value)


def test_a_bare_surface_refuses_to_say_what_repeats_are_worth() -> None:
    with pytest.raises(InputError, match="give the fit or the published law"):
        standing(LAW, params=8e9, tokens=4e11, unique_tokens=1e11)


@settings(max_examples=40, deadline=None)
@given(params=st.floats(1e7, 1e12), tokens=st.floats(1e9, 1e14))
def test_elasticities_are_slopes_of_the_law(params: float, tokens: float) -> None:
    place, step = standing(LAW, params=params, tokens=tokens), 1e-5

    def slope(up: float, down: float) -> float:
        return float(np.log(down / up) / (2 * step))

    by_params = slope(LAW.loss(params * (1 + step), tokens)[0], LAW.loss(params * (1 - step), tokens)[0])
    by_tokens = slope(LAW.loss(params, tokens * (1 + step))[0], LAW.loss(params, tokens * (1 - step))[0])
    assert place.by_params.value == pytest.approx(by_params, rel=1e-4, abs=1e-10)
    assert place.by_tokens.value == pytest.approx(by_tokens, rel=1e-4, abs=1e-10)


def test_more_compute_along_the_optimum_lowers_the_loss_by_its_elasticity() -> None:
    params, tokens = LAW.best(1e22)
    place = standing(LAW, params=params[0], tokens=tokens[0])
    less, more = (LAW.loss(*LAW.best(1e22 * factor))[0] for factor in (0.9999, 1.0001))

    assert place.by_flops.value == pytest.approx(np.log(less / more) / np.log(1.0001 / 0.9999), rel=1e-6)


def test_the_draws_say_how_sure_the_word_is() -> None:
    params, tokens = LAW.best(1e22)
    close = standing(drawn(300), params=params[0] * 1.5, tokens=tokens[0] / 1.5)
    far = standing(drawn(300), params=params[0] * 100, tokens=tokens[0] / 100)

    assert close.probability < far.probability
    assert far.probability == 1


def test_without_draws_there_is_no_probability_and_the_summary_says_so() -> None:
    place = standing(LAW, params=8e9, tokens=1e13)

    assert np.isnan(place.probability)
    assert "no probability because there are no draws" in place.summary()
