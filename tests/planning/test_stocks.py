"""Stocks of weighted sources: the law by hand, slopes by finite differences, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pytest

from allometry.errors import FitError, InputError
from allometry.laws import additive_overfitting, data_constrained
from allometry.planning.allocation import allocate
from allometry.planning.basis import basis_of
from allometry.planning.published import published_fit
from allometry.planning.sensitivity import sensitivity
from allometry.planning.stocks import DataSource, Stock
from allometry.plots.spending import least_loss
from allometry.plots.triangles import equal_loss_lines, trade_at_equal_loss

LAW = "muennighoff_2023"
SCARCE, AMPLE = 1e23, 1e20  # 4 epochs of the stock, and a part of it


def stock(web: float = 1e11, code: float = 5e10, weight: float = 1.5) -> Stock:
    web_text = DataSource(name="web", unique_tokens=web)
    return Stock(sources=(web_text, DataSource(name="code", unique_tokens=code, weight=weight)))


@pytest.mark.parametrize("flops", [SCARCE, AMPLE])
def test_the_plan_is_the_best_by_the_law_of_weighted_tokens(flops: float) -> None:
    sizes, mean = np.geomspace(1e8, 1e12, 4001), (1e11 + 1.5 * 5e10) / 1.5e11
    tokens = mean * flops / 6 / sizes
    columns = {"params": sizes, "tokens": tokens, "unique_tokens": np.minimum(mean * 1.5e11, tokens)}
    losses = data_constrained.evaluate(columns, published_fit(LAW).coefficients)

    plan = allocate(LAW, flops=flops, stock=stock())

    assert plan.loss.value == pytest.approx(losses.min(), rel=1e-7)
    assert plan.params.value == pytest.approx(sizes[losses.argmin()], rel=3e-3)  # a step of the grid
    assert plan.flops == pytest.approx(6 * plan.params.value * plan.tokens.value)


@pytest.mark.parametrize("flops", [SCARCE, AMPLE])
def test_what_more_of_a_source_saves_is_the_compute_that_leaves_the_loss_alone(flops: float) -> None:
    def loss(flops: float, **tokens: float) -> float:
        return allocate(LAW, flops=flops, stock=stock(**tokens)).loss.value

    more, less = 1.01, 1 / 1.01
    by_compute = loss(flops * more) - loss(flops * less)
    by_web = loss(flops, web=1e11 * more) - loss(flops, web=1e11 * less)
    by_code = loss(flops, code=5e10 * more) - loss(flops, code=5e10 * less)

    saved = [one.saved.value for one in allocate(LAW, flops=flops, stock=stock()).sources]

    assert saved == pytest.approx([by_web / by_compute, by_code / by_compute], rel=2e-3)


def test_sources_of_weight_one_are_so_many_unique_tokens() -> None:
    plain, of_sources = allocate(LAW, flops=SCARCE, unique_tokens=1.5e11), stock(weight=1)

    plan = allocate(LAW, flops=SCARCE, stock=of_sources)

    assert (plan.params, plan.loss, plan.data) == (plain.params, plain.loss, plain.data)
    assert not plain.sources


def test_a_plan_says_in_words_what_it_assumes_of_its_sources() -> None:
    said = allocate(LAW, flops=AMPLE, stock=stock()).summary()

    assert "1% more of web costs 0.095% of compute" in said  # 4/7 of the worth, 2/3 of the tokens
    assert "code 50B at 1.5 (given without a source)" in said
    assert "2404.07177" in said


def test_what_would_change_the_answer_starts_from_the_weighted_stock() -> None:
    plan, plain = (
        allocate(LAW, flops=SCARCE, **one) for one in ({"stock": stock()}, {"unique_tokens": 1.5e11})
    )

    found = sensitivity(LAW, plan.question)

    assert found.base.loss == pytest.approx(plan.loss.value, rel=1e-9)
    [unweighted] = [one for one in found.changes if one.what == "weights of the data"]
    assert unweighted.answer.loss == pytest.approx(plain.loss.value, rel=1e-9)


@pytest.mark.parametrize("chart", [least_loss, pytest.param(trade_at_equal_loss, marks=pytest.mark.slow)])
def test_the_other_charts_draw_another_law_for_weighted_tokens(chart: Callable[..., alt.LayerChart]) -> None:
    plan = allocate(LAW, flops=SCARCE, stock=stock(weight=3.0))
    unweighted = replace(plan, question=replace(plan.question, stock=None))

    assert chart(plan, LAW).to_dict()["datasets"] != chart(unweighted, LAW).to_dict()["datasets"]


def test_the_chart_of_equal_losses_knows_the_weights() -> None:
    plan = allocate(LAW, flops=SCARCE, stock=stock(weight=3.0))

    assert f'"{plan.loss.value:.4g}"' in equal_loss_lines(plan, LAW).to_json()


@pytest.mark.parametrize("wrong", [-1.0, 0.0, math.nan, math.inf, "4e11", True])
def test_a_source_of_no_tokens_or_no_weight_is_refused(wrong: Any) -> None:
    for given in ({"unique_tokens": wrong}, {"unique_tokens": 1e9, "weight": wrong}):
        with pytest.raises(InputError, match="of source 'web' is a number"):
            DataSource(name="web", **given)


def test_a_stock_that_is_none_or_a_second_one_is_refused() -> None:
    with pytest.raises(InputError, match="needs a source"):
        Stock(sources=())
    with pytest.raises(InputError, match="has a name"):
        DataSource(name=" ", unique_tokens=1e9)
    with pytest.raises(InputError, match="not both"):
        allocate(LAW, flops=1e21, unique_tokens=1e9, stock=stock())
    with pytest.raises(InputError, match="for one number give unique_tokens"):
        allocate(LAW, flops=1e21, stock=4e11)  # type: ignore[arg-type]


def test_a_law_without_a_known_worth_of_weighted_tokens_is_refused() -> None:
    with pytest.raises(FitError, match="'additive_overfitting' is not known"):
        replace(basis_of(LAW), law=additive_overfitting).weighing(1.5)
