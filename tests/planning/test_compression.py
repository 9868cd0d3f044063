"""Compressed prompts: the curve is the user's, and the compressor is never free."""

from __future__ import annotations

import math

import pytest

from allometry.errors import InputError
from allometry.planning.compression import CompressionCurve, compress
from allometry.planning.inference import Demand

# As a user would state it: 97% below 10 times and some 60% at 20 times, of text read back from pictures.
CURVE = CompressionCurve(
    ratios=(1, 10, 20), accuracies=(1.0, 0.97, 0.60), source="DeepSeek-OCR 2025, arXiv:2510.18234"
)
DEMAND = Demand(prompt_tokens=9e12, generated_tokens=1e12)


def test_between_measured_ratios_accuracy_is_a_line_over_the_logarithm() -> None:
    assert CURVE.accuracy(math.sqrt(200)) == pytest.approx((0.97 + 0.60) / 2)  # halfway from 10 to 20


def test_a_right_answer_costs_what_all_questions_cost_over_the_share_that_is_right() -> None:
    best = compress(DEMAND, CURVE, compressor_cost=0.1)

    # 9 of 10 tokens are read at a tenth, with a tenth for the compressor; 97 of 100 answers are right.
    assert best.ratio == 10
    assert best.cost_ratio == pytest.approx((9 * 0.2 + 1) / 10)
    assert best.right_cost_ratio == pytest.approx((9 * 0.2 + 1) / 10 / 0.97)
    assert best.demand.prompt_tokens == pytest.approx(9e11)


def test_what_is_written_weighs_with_its_attempts_and_its_price() -> None:
    much_written = Demand(prompt_tokens=9e12, generated_tokens=1e12, attempts=4, decode_cost=20)

    best = compress(much_written, CURVE, compressor_cost=0.1)

    assert best.cost_ratio == pytest.approx((9 * (1 / best.ratio + 0.1) + 80) / 89)


def test_a_compressor_as_dear_as_reading_never_pays() -> None:
    best = compress(DEMAND, CURVE, compressor_cost=1.0)

    assert best.ratio == 1
    assert math.isnan(best.pays[0])
    assert best.summary().startswith("Compression of prompts does not pay at any measured ratio")


def test_dear_mistakes_and_a_least_accuracy_stop_compression_earlier() -> None:
    free = compress(DEMAND, CURVE, compressor_cost=0.1).ratio

    dear = compress(DEMAND, CURVE, compressor_cost=0.1, wrong_answer_cost=50)
    strict = compress(DEMAND, CURVE, compressor_cost=0.1, least_accuracy=0.99)

    assert dear.ratio < free
    assert strict.ratio < free
    assert strict.accuracy >= 0.99


def test_where_it_pays_the_ends_bracket_the_best() -> None:
    found = compress(DEMAND, CURVE, compressor_cost=0.5)

    assert found.pays[0] <= found.ratio <= found.pays[1]
    assert found.pays[0] > 2  # at twice, half is saved and half goes to the compressor
    assert "It pays from" in found.summary()


def test_nothing_is_said_beyond_what_was_measured() -> None:
    with pytest.raises(InputError, match=r"measured for ratios from 1 to 20, and 30 lies outside"):
        CURVE.accuracy(30)


@pytest.mark.parametrize(
    ("ratios", "accuracies", "source", "said"),
    [
        ((2, 10), (1.0, 0.9), "x", "rise from 1"),
        ((1, 10, 5), (1.0, 0.9, 0.8), "x", "rise from 1"),
        ((1, 10), (1.0, 1.2), "x", "accuracy"),
        ((1, 10), (1.0,), "x", "accuracy"),
        ((1, 10), (1.0, 0.9), "", "source"),
    ],
)
def test_a_curve_that_cannot_be_is_refused(
    ratios: tuple[float, ...], accuracies: tuple[float, ...], source: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        CompressionCurve(ratios=ratios, accuracies=accuracies, source=source)


@pytest.mark.parametrize(
    ("demand", "cost", "least", "said"),
    [
        (Demand(generated_tokens=1e12), 0.1, 0.0, "no prompt tokens"),
        (DEMAND, -0.1, 0.0, "zero or more"),
        (DEMAND, 0.1, 1.1, "ask for less"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    demand: Demand, cost: float, least: float, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        compress(demand, CURVE, compressor_cost=cost, least_accuracy=least)
