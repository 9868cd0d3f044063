"""Published fits: their own published advice comes out, and none is the rounded one of 2022."""

from __future__ import annotations

import math

import numpy as np
import pytest

from allometry.errors import InputError, UnknownName
from allometry.planning.published import PUBLISHED, PublishedFit, published_fit, published_spread
from allometry.planning.surfaces import Surface

CHINCHILLA = 5.76e23


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_published_fit_says_where_it_is_from_and_what_it_counts(name: str) -> None:
    one = PUBLISHED[name]

    assert "arXiv:" in one.source
    assert one.params_convention
    assert one.digits
    assert not math.isnan(max(one.fitted.params[1], one.fitted.flops[1])) or one.fitted.flops[1] > 0


@pytest.mark.parametrize(
    ("name", "tokens_per_parameter"),
    # Of the budget of Chinchilla, from unrounded coefficients; the rounded ones of 2022 give 92.6.
    [("besiroglu_2024", 18.39), ("muennighoff_2023", 19.61)],
)
def test_tokens_per_parameter_at_the_budget_of_chinchilla(name: str, tokens_per_parameter: float) -> None:
    found = PUBLISHED[name].optimum(CHINCHILLA)

    assert found.tokens_per_parameter == pytest.approx(
        tokens_per_parameter, rel=5e-3
    )  # 18.39 is of four digits


def test_the_unrounded_coefficients_of_2022_round_to_those_quoted() -> None:
    # Besiroglu et al. 2024, section 4: .3392 and .2849 in the TeX source; the rest as in equation 10.
    c = published_fit("hoffmann_2022").coefficients

    assert (round(c["alpha"], 4), round(c["beta"], 4)) == (0.3392, 0.2849)
    assert (round(c["E"], 2), round(c["A"], 1), round(c["B"], 1)) == (1.69, 406.4, 410.7)
    quoted = {**c, "alpha": 0.3392, "beta": 0.2849, "E": 1.69, "A": 406.4, "B": 410.7}
    params, tokens = Surface.from_coefficients(quoted).best(CHINCHILLA)
    assert tokens / params == pytest.approx([59.1], abs=0.05)


def test_the_rounded_coefficients_of_2022_are_no_published_fit() -> None:
    for one in PUBLISHED.values():
        if isinstance(one, PublishedFit):
            assert (one.coefficients.get("alpha"), one.coefficients.get("beta")) != (0.34, 0.28)


@pytest.mark.parametrize("name", [n for n, one in PUBLISHED.items() if isinstance(one, PublishedFit)])
def test_no_other_size_of_the_budget_has_a_lower_loss(name: str) -> None:
    one = published_fit(name)
    found = one.optimum(1e21)
    sizes = found.params * np.array([0.9, 1.1])
    columns = {"params": sizes, "tokens": 1e21 / 6 / sizes}
    if "unique_tokens" in one.law.reads:
        columns["unique_tokens"] = columns["tokens"]

    assert (one.law.evaluate(columns, one.coefficients) > found.loss).all()


@pytest.mark.parametrize("name", ["hoffmann_2022", "gadre_2024_c4", "muennighoff_2023"])
def test_a_surface_of_a_published_fit_has_its_optimum(name: str) -> None:
    one = published_fit(name)
    params, tokens = one.surface().best(1e21)

    found = one.optimum(1e21)

    assert (found.params, found.tokens) == pytest.approx((params[0], tokens[0]), rel=1e-6)
    assert found.loss == pytest.approx(one.surface().loss(params, tokens)[0])


def test_the_rule_of_llama_3_comes_near_what_the_paper_planned() -> None:
    found = PUBLISHED["llama3_2024"].optimum(3.8e25)

    assert found.tokens == pytest.approx(16.55e12, rel=0.03)  # the paper's own plan, section 3.2.1
    assert found.params == pytest.approx(402e9, rel=0.03)
    assert 6 * found.params * found.tokens == pytest.approx(3.8e25)
    assert found.beyond["flops"] == pytest.approx(3800)


def test_the_rule_of_deepseek_spends_the_budget_within_its_digits() -> None:
    # FLOP for each token times tokens is the budget: .1715 x 5.8316 = 1.0001 and .5243 + .4757 = 1.
    found = PUBLISHED["deepseek_2024"].optimum(3e20)

    assert 6 * found.params * found.tokens == pytest.approx(3e20, rel=2e-4)
    assert math.isnan(found.loss)


def test_a_plan_outside_the_fitted_range_says_how_far() -> None:
    far, near = PUBLISHED["kaplan_2020"].optimum(1e24), PUBLISHED["besiroglu_2024"].optimum(1e21)

    assert far.beyond["params"] == pytest.approx(far.params / 1.5e9)
    assert "x the largest fitted" in far.summary()
    assert "inside the fitted range" in near.summary()


def test_the_spread_holds_every_published_optimum() -> None:
    spread = published_spread(1e22)

    assert {one.name for one in spread.optima} == set(PUBLISHED)
    assert all(spread.params[0] <= one.params <= spread.params[1] for one in spread.optima)
    assert all(name in spread.summary() for name in PUBLISHED)


def test_what_is_not_published_or_predicts_no_loss_is_refused() -> None:
    with pytest.raises(UnknownName, match="besiroglu_2024"):
        published_fit("besiroglu")
    with pytest.raises(InputError, match="predicts no loss"):
        published_fit("deepseek_2024")
    with pytest.raises(InputError, match="no such surface"):
        published_fit("kaplan_2020").surface()
    for budget in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="buys no training"):
            PUBLISHED["deepseek_2024"].optimum(budget)
