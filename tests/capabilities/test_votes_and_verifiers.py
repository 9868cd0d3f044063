"""Votes against exact probabilities, verifiers against order statistics, tokens thought."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from allometry.capabilities.thinking import fit_thinking
from allometry.capabilities.verifiers import (
    best_of,
    best_of_imperfect,
    best_of_kl,
    gold_reward,
    verifier_curve,
)
from allometry.capabilities.voting import ballots_from_chances, read_ballots, vote
from allometry.errors import FitError, InputError, MissingColumn

O1 = Path(__file__).parents[3] / "shared" / "data" / "o1_mini_aime_tokens.csv"


def answers(**more: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"problem": [1, 1, 2, 2, 2], "count": [6, 4, 3, 4, 3], "right": [1, 0, 1, 0, 0], **more}
    )


def test_a_vote_between_two_answers_is_a_binomial_tail() -> None:
    found = vote(ballots_from_chances([0.6], [1.0]), 11, draws=20_000)

    assert found.table["accuracy"][0] == pytest.approx(binom.sf(5, 11, 0.6), abs=0.01)


def test_one_vote_is_the_mean_chance_and_all_votes_are_the_plateau() -> None:
    found = vote(read_ballots(answers()), [1, 10])

    assert found.table["accuracy"].tolist() == [pytest.approx((0.6 + 0.3) / 2), 0.5]
    assert (found.limit, found.coverage_limit) == (0.5, 1.0)


def test_weights_can_overturn_a_majority() -> None:
    ballots = read_ballots(answers(weight=[1, 1, 3, 1, 1]))

    assert vote(ballots, 10, weighted=True).limit == 1.0
    assert vote(ballots, 10).limit == 0.5


def test_a_tie_is_a_fair_draw() -> None:
    assert vote(ballots_from_chances([0.5], [1.0]), 2, draws=100).limit == 0.5


def test_a_larger_vote_than_there_are_answers_is_refused() -> None:
    with pytest.raises(InputError, match="from 10 answers"):
        vote(read_ballots(answers()), 11)
    with pytest.raises(MissingColumn, match="right"):
        read_ballots(answers().drop(columns="right"))


def test_best_of_n_is_the_average_over_all_choices() -> None:
    right, scores = np.array([1, 0, 0, 1, 0, 1]), np.array([0.3, 0.9, 0.1, 0.8, 0.5, 0.2])
    chosen = [right[max(some, key=lambda place: scores[place])] for some in combinations(range(6), 3)]

    assert best_of(right, scores, 3) == pytest.approx(np.mean(chosen))


def test_a_verifier_that_gives_all_the_same_score_chooses_at_random() -> None:
    assert best_of([1, 0, 0, 0], [7, 7, 7, 7], 3) == pytest.approx(0.25)


def test_an_imperfect_verifier_lies_between_chance_and_pass_at_n() -> None:
    blind, fair, sharp = (float(best_of_imperfect(0.2, 8, auc=auc)) for auc in (0.5, 0.8, 0.99999))

    assert blind == pytest.approx(0.2, abs=1e-6)
    assert blind < fair < sharp
    assert sharp == pytest.approx(1 - 0.8**8, abs=2e-3)


def test_an_imperfect_verifier_agrees_with_drawn_scores() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((20_000, 5)) < 0.3
    scores = rng.standard_normal(right.shape) + np.sqrt(2) * 0.8416 * right  # Phi(0.8416) = 0.8
    picked = np.take_along_axis(right, scores.argmax(axis=1)[:, None], axis=1).mean()

    assert float(best_of_imperfect(0.3, 5, auc=0.8)) == pytest.approx(picked, abs=0.01)


def test_the_true_reward_peaks_where_its_formula_says() -> None:
    n = np.geomspace(1, 1e6, 4000)
    peak = n[gold_reward(n, alpha=1.0, beta=0.25).argmax()]

    assert np.sqrt(best_of_kl(peak)) == pytest.approx(2.0, abs=1e-2)  # alpha / (2 beta)


def test_accuracy_that_keeps_rising_shows_no_plateau() -> None:
    rng = np.random.default_rng(0)
    tokens = 2.0 ** np.arange(5, 17)
    found = fit_thinking(tokens, 0.05 + 0.05 * np.log2(tokens) + 0.01 * rng.standard_normal(12))

    assert not found.saturated
    assert found.gain.low < 0.05 < found.gain.high


def test_measurements_that_speak_against_a_plateau_are_said_to_go_no_further() -> None:
    tokens = 2.0 ** np.arange(5, 11)  # six: too few for a fourth coefficient
    found = fit_thinking(tokens, 0.05 + 0.05 * np.log2(tokens))

    assert [one.code for one in found.findings] == ["no_plateau"]
    assert "up to 1,024 tokens" in found.summary()


def test_a_verifier_that_errs_is_said_to_be_an_upper_bound() -> None:
    said = verifier_curve(0.2, [1, 10], auc=0.8).summary()

    assert "At most: a real one repeats its errors." in said
    assert "a verifier that never errs" in said


def test_accuracy_in_percent_is_refused() -> None:
    with pytest.raises(InputError, match="divide percentages"):
        fit_thinking([1, 2, 4, 8, 16], [10, 20, 30, 40, 50])
    with pytest.raises(FitError, match="at least 5"):
        fit_thinking([1, 2, 4], [0.1, 0.2, 0.3])


@pytest.mark.public_data
def test_o1_mini_gains_six_points_with_each_doubling() -> None:
    if not O1.exists():
        pytest.skip(f"the public table {O1.name} is not here")
    table = pd.read_csv(O1).query("method == 'majority_vote'")

    found = fit_thinking(table["avg_tokens_used"], table["accuracy"])

    assert 100 * found.gain.value == pytest.approx(6, abs=0.7)
