"""The best point along each constraint, against closed forms and other optimisers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from allometry.planning.basis import Basis, basis_of
from allometry.planning.divisions import divided
from allometry.planning.inference import Demand, best_to_own, cheapest_to_own
from allometry.planning.questions import Question
from allometry.planning.splits import best_split, tokens_to_reach, tokens_within

EQUAL = 1e-8  # relative: closed forms and searches for the same point
FLAT = 1e-12  # relative: rounding of a loss, also where a stock is used up and it no longer falls

flops = st.floats(18, 26).map(lambda power: 10**power)
served = st.floats(9, 14).map(lambda power: 10**power)


def besiroglu() -> Basis:
    return basis_of("besiroglu_2024").fitted()


def with_draws(count: int = 8) -> Basis:
    """Besiroglu's law with coefficients spread by half a percent, as draws of a fit would be."""
    law, rng = besiroglu(), np.random.default_rng(0)
    spread = {
        name: np.append(value, value * np.exp(0.005 * rng.standard_normal(count)))
        for name, value in law.coefficients.items()
    }
    return replace(law, coefficients=spread, noise=np.zeros(1), no_draws="")


def serving(tokens: float) -> Demand:
    return Demand(generated_tokens=tokens)


@given(budget=flops)
@settings(max_examples=12, deadline=None)
def test_the_search_finds_the_closed_form_of_hoffmann_et_al_equation_4(budget: float) -> None:
    law = with_draws()

    found = best_split(law, tokens_within(budget), most=np.log(budget / 6))

    np.testing.assert_allclose(found, law.surface().best(budget)[0], rtol=EQUAL)


@given(loss=st.floats(1.9, 2.6), demand=served)
@settings(max_examples=4, deadline=None)
def test_the_search_at_a_loss_finds_the_cheapest_model_to_own(loss: float, demand: float) -> None:
    law = with_draws()

    found = best_split(law, tokens_to_reach(law, loss), served=demand)

    np.testing.assert_allclose(found, cheapest_to_own(law.surface(), loss, demand)[0], rtol=EQUAL)


@given(budget=flops, demand=served)
@settings(max_examples=12, deadline=None)
def test_a_budget_for_the_whole_life_is_divided_as_sardana_et_al_do(budget: float, demand: float) -> None:
    law = with_draws()
    question = Question(flops=budget, demand=serving(demand), pays_for="life")

    found = divided(law, question, budget)

    np.testing.assert_allclose(found.params, best_to_own(law.surface(), budget, demand)[0], rtol=EQUAL)
    np.testing.assert_allclose(found.flops + 2 * found.params * demand, budget, rtol=1e-12)


@given(budget=flops, demand=served)
@settings(max_examples=12, deadline=None)
def test_a_served_run_of_a_training_budget_is_the_cheapest_of_its_loss(budget: float, demand: float) -> None:
    law = besiroglu()
    found = divided(law, Question(flops=budget, demand=serving(demand)), budget)
    reached = law.loss(found.params, found.tokens)

    cheapest = cheapest_to_own(law.surface(), float(reached[0]), demand)

    np.testing.assert_allclose(found.flops, budget, rtol=1e-12)
    np.testing.assert_allclose(found.params, cheapest[0], rtol=EQUAL)
    np.testing.assert_allclose(found.tokens, cheapest[1], rtol=EQUAL)


@given(budget=flops, demand=served)
@settings(max_examples=12, deadline=None)
def test_serving_shrinks_the_model_by_the_share_that_theory_says(budget: float, demand: float) -> None:
    law = besiroglu()
    plain = law.surface().best(budget)[0]

    found = divided(law, Question(flops=budget, demand=serving(demand)), budget)

    # The condition of Sardana et al. 2024 along 6 N D = C: (N* / N)^(alpha + beta) = 1 + serving / training.
    exponent = law.coefficients["alpha"] + law.coefficients["beta"]
    right = 1 + 2 * found.params * demand / budget
    np.testing.assert_allclose((plain / found.params) ** exponent, right, rtol=EQUAL)


@pytest.mark.parametrize("stock", [2e9, 2e10, 2e11])
def test_a_repeated_run_is_the_least_of_an_ordinary_minimiser(stock: float) -> None:
    law, budget = basis_of("muennighoff_2023"), 1e21

    found = divided(law, Question(flops=budget, unique_tokens=stock), budget)

    def loss(log_params: float) -> float:
        params = np.exp([log_params])
        return float(law.loss(params, budget / 6 / params, stock)[0])

    other = minimize_scalar(loss, bounds=(15, 30), method="bounded", options={"xatol": 1e-9})
    assert loss(float(np.log(found.params[0]))) <= other.fun + 1e-12
    assert np.log(found.params[0]) == pytest.approx(other.x, abs=1e-4)  # a minimum is flat: half the digits


@pytest.mark.parametrize("stock", [2e10, 1e12])
def test_a_loss_with_a_stock_takes_the_compute_whose_best_run_reaches_it(stock: float) -> None:
    law = basis_of("muennighoff_2023")
    reached = divided(law, Question(flops=1e21, unique_tokens=stock), 1e21)
    loss = float(law.loss(reached.params, reached.tokens, stock)[0])

    found = divided(law, Question(loss=loss, unique_tokens=stock), np.nan)

    np.testing.assert_allclose(found.flops, 1e21, rtol=EQUAL)
    np.testing.assert_allclose(found.params, reached.params, rtol=1e-5)


@example(budget=1e26, more=2.0, stock=1e9)  # more compute than a billion tokens can use
@given(budget=flops, more=st.floats(1.0, 1e3), stock=st.floats(9, 13).map(lambda power: 10**power))
@settings(max_examples=10, deadline=None)
def test_more_compute_or_more_data_never_reaches_a_higher_loss(
    budget: float, more: float, stock: float
) -> None:
    law = besiroglu().with_repeats(stock)

    def reached(spent: float, distinct: float) -> float:
        found = divided(law, Question(flops=spent, unique_tokens=distinct), spent)
        return float(law.loss(found.params, found.tokens, distinct)[0])

    base = reached(budget, stock)
    assert reached(budget * more, stock) <= base * (1 + FLAT)
    assert reached(budget, stock * more) <= base * (1 + FLAT)


def test_a_law_of_a_user_without_a_closed_form_is_divided_by_its_slopes() -> None:
    law, budget = basis_of("kaplan_2020"), 1e21

    found = best_split(law, tokens_within(budget), most=np.log(budget / 6))

    sizes = np.geomspace(found[0] / 2, found[0] * 2, 20_001)
    assert found[0] == pytest.approx(sizes[law.loss(sizes, budget / 6 / sizes).argmin()], rel=1e-3)
