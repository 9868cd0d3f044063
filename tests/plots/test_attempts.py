"""Charts of repeated attempts: valid, and they show the numbers of their results."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pytest

from allometry.capabilities.attempts import Counts, PassForecast, forecast_pass
from allometry.capabilities.exchange import ExchangeCurve
from allometry.capabilities.thinking import fit_thinking
from allometry.capabilities.verifiers import verifier_curve
from allometry.capabilities.voting import ballots_from_chances, vote
from allometry.plots.attempts import (
    accuracy_against_tokens,
    best_of_many,
    forecast_words,
    pass_against_attempts,
    training_against_attempts,
    votes_against_answers,
)


def shown(chart: alt.LayerChart, layer: int) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    data = spec["layer"][layer]["data"]
    return list(data["values"] if "values" in data else spec["datasets"][data["name"]])


@pytest.fixture(scope="module")
def forecast() -> PassForecast:
    rng = np.random.default_rng(0)
    counts = Counts.of(np.full(60, 50), rng.binomial(50, rng.beta(0.3, 3, 60)))
    return forecast_pass(counts, [100, 1000, 5000], draws=100)


def test_the_forecast_begins_where_the_measurements_end(forecast: PassForecast) -> None:
    line, dots = (shown(pass_against_attempts(forecast), place) for place in (1, 2))

    assert line[0]["value"] == dots[-1]["value"]
    assert [row["x"] for row in line[1:]] == [100, 1000, 5000]


def test_the_words_give_the_interval_of_the_largest_k(forecast: PassForecast) -> None:
    assert f"{forecast.low[-1]:.2f} to {forecast.high[-1]:.2f}" in forecast_words(forecast)


def test_the_line_through_accuracies_has_its_gain_in_the_subtitle() -> None:
    tokens = 2.0 ** np.arange(4, 12)
    chart = accuracy_against_tokens(fit_thinking(tokens, 0.1 + 0.05 * np.log2(tokens), draws=50)).to_dict()

    assert "+5.0 points" in chart["title"]["subtitle"][0]


def test_ways_that_no_model_can_go_are_left_out() -> None:
    curve = ExchangeCurve(
        score=0.5, k=np.array([1.0, 10, 100]), train=np.array([np.inf, 1e21, 1e20]),
        train_low=np.array([1e22, 5e20, 5e19]), train_high=np.array([np.inf, 2e21, 2e20]),
        inference=np.full(3, 1e19), rate=np.array([np.inf, 10.0]), rate_low=np.array([2.0, 5.0]),
        rate_high=np.array([np.inf, 20.0]), level=0.9,
    )  # fmt: skip

    chart = training_against_attempts(curve)

    assert [row["x"] for row in shown(chart, 1)] == [10, 100]
    assert "at k = 1." in chart.to_dict()["title"]["subtitle"][1]


def test_a_vote_is_shown_with_its_end_and_that_of_a_perfect_chooser() -> None:
    ballots = ballots_from_chances([0.6, 0.3, 0.0], [0.6, 0.4])  # the first wins; the third is never right
    rows = shown(votes_against_answers(vote(ballots, [1, 9], draws=50)), 0)

    ends = {row["series"].split(":")[0]: row["value"] for row in rows}
    assert ends["where the vote ends"] == pytest.approx(1 / 3)
    assert ends["where a perfect chooser ends"] == pytest.approx(2 / 3)


def test_the_best_of_n_begins_at_one_answer_below_one_that_never_errs() -> None:
    rows = shown(best_of_many(verifier_curve(0.2, [1, 8], auc=0.8)), 1)

    found = {(row["series"].split()[0], row["x"]): row["value"] for row in rows}
    assert found["verifier", 1] == pytest.approx(0.2)
    assert found["one", 8] == pytest.approx(1 - 0.8**8)
    assert 0.2 < found["verifier", 8] < found["one", 8]
