"""Emergence verdicts on outputs with known laws, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.emergence import (
    Emergence,
    Skill,
    Verdict,
    emergence_score,
    judge_emergence,
    read_skills,
)
from allometry.capabilities.emergence.bends import Measured, Shape, find_bend
from allometry.capabilities.emergence.curves import FORMS, Form
from allometry.capabilities.emergence.resolution import clopper_pearson
from allometry.errors import FitError, InputError, MissingColumn, TableError
from allometry.laws.breaks import broken_power_law
from allometry.runs.run import Runs

LENGTH, ITEMS = 5, 500
SKILL = Skill(score="score", continuous="token", length=LENGTH)
FLOPS = np.geomspace(1e18, 1e24, 12)
BROKEN = {"a": 0.0, "b": 1.6, "c0": 0.05, "c1": 0.2, "d1": 1e21, "f1": 0.1}


def smooth_token(flops: np.ndarray = FLOPS) -> np.ndarray:
    """-ln p is a power of compute."""
    return np.exp(-1.4 * (flops / 1e18) ** -0.25)


def broken_token(flops: np.ndarray = FLOPS) -> np.ndarray:
    """-ln p is a broken power of compute, five times as steep from 1e21 FLOP on."""
    coefficients = BROKEN | {"b": 1.6 * 1e18 ** BROKEN["c0"]}
    return np.exp(-np.asarray(broken_power_law.evaluate({"x": flops}, coefficients)))


def table_of(token: np.ndarray, flops: np.ndarray = FLOPS, items: int = ITEMS, seed: int = 3) -> Runs:
    """Answers of five tokens, each right by itself."""
    right = np.random.default_rng(seed).random((len(token), items, LENGTH)) < token[:, None, None]
    scores = {"score": right.all(axis=2).mean(axis=1), "token": right.mean(axis=(1, 2))}
    return Runs(pd.DataFrame({"flops": flops, **scores, "documents": items}))


def codes(found: Emergence) -> set[str]:
    return {one.code for one in found.findings}


@pytest.fixture(scope="module")
def artefact() -> Emergence:
    return judge_emergence(table_of(smooth_token()), SKILL)


@pytest.fixture(scope="module")
def real() -> Emergence:
    return judge_emergence(table_of(broken_token()), SKILL)


def test_a_jump_of_exact_match_over_a_smooth_token_law_is_an_artefact(artefact: Emergence) -> None:
    assert artefact.verdict is Verdict.ARTEFACT
    assert {"jump", "continuous_smooth", "length_holds"} <= codes(artefact)


def test_a_slope_that_turns_five_times_as_steep_is_a_genuine_break(real: Emergence) -> None:
    bend = real.steps.continuous

    assert real.verdict is Verdict.BREAK
    assert bend is not None
    assert bend.break_at == pytest.approx(1e21, rel=1)
    assert {"jump", "continuous_broken", "break"} <= codes(real)


def test_the_length_that_explains_the_score_is_the_one_the_answers_have(artefact: Emergence) -> None:
    assert artefact.steps.length is not None
    assert artefact.steps.length.effective == pytest.approx(LENGTH, rel=0.1)


def test_answers_right_all_at_once_are_not_explained_by_the_length() -> None:
    token = smooth_token()
    whole = Runs(pd.DataFrame({"flops": FLOPS, "score": token, "token": token, "documents": ITEMS}))

    found = judge_emergence(whole, SKILL)

    assert "length_fails" in codes(found)
    assert found.steps.length is not None
    assert found.steps.length.effective == pytest.approx(1, rel=0.1)


def test_a_score_that_rises_like_its_continuous_metric_is_smooth() -> None:
    share = 1 / (1 + np.exp(-np.linspace(-1.2, 1.2, 12)))  # a sigmoid
    steady = Runs(pd.DataFrame({"flops": FLOPS, "score": share, "token": share, "documents": 2000}))

    assert judge_emergence(steady, Skill(score="score", continuous="token")).verdict is Verdict.SMOOTH


@pytest.mark.parametrize("token", [smooth_token, broken_token])
@pytest.mark.parametrize(("scales", "items"), [(6, 500), (10, 10)])
def test_too_little_data_is_undecided(token: object, scales: int, items: int) -> None:
    flops = np.geomspace(1e18, 1e24, scales)

    found = judge_emergence(table_of(token(flops), flops, items), SKILL, draws=20)  # type: ignore[operator]

    assert found.verdict is Verdict.UNDECIDED


def test_a_score_that_stays_at_the_floor_is_undecided() -> None:
    flat = Runs(pd.DataFrame({"flops": FLOPS, "score": 0.25, "documents": 400}))

    found = judge_emergence(flat, Skill(score="score", chance=0.25))

    assert found.verdict is Verdict.UNDECIDED
    assert found.steps.resolution is not None
    assert found.steps.resolution.at_floor == 12
    assert "below_resolution" in codes(found)


def test_a_metric_that_falls_says_the_same_as_its_mirror_image(artefact: Emergence) -> None:
    runs = table_of(smooth_token())
    mirrored = Runs(runs.table.assign(distance=1 - runs.table["token"]))

    found = judge_emergence(mirrored, Skill(score="score", continuous="distance", length=LENGTH), draws=20)

    assert found.steps.continuous is not None
    assert artefact.steps.continuous is not None
    assert found.verdict is Verdict.ARTEFACT
    assert found.steps.continuous.gain == pytest.approx(artefact.steps.continuous.gain)


def test_without_a_continuous_metric_a_jump_is_never_called_real() -> None:
    found = judge_emergence(table_of(broken_token()), Skill(score="score"), draws=20)

    assert found.verdict in (Verdict.UNDECIDED, Verdict.SMOOTH)
    assert "no_continuous_metric" in codes(found)


def test_without_items_the_verdict_says_so() -> None:
    runs = Runs(table_of(smooth_token()).table.drop(columns="documents"))

    found = judge_emergence(runs, SKILL, draws=20)

    assert "items_unknown" in codes(found)
    assert math.isnan(found.items)


def test_the_onset_is_where_the_true_curve_crosses(artefact: Emergence) -> None:
    # exp(-5 · 1.4 · (C / 1e18)^-0.25) = 0.5.
    truth = 1e18 * (5 * 1.4 / math.log(2)) ** 4

    assert artefact.onset.threshold == 0.5
    assert artefact.onset.quantile(0.005) < truth < artefact.onset.quantile(0.995)
    assert artefact.onset.quantile(0.5) == pytest.approx(truth, rel=0.3)


def test_a_score_above_guessing_is_half_way_at_the_middle_of_its_sigmoid() -> None:
    share = 0.25 + 0.75 / (1 + (FLOPS / 2e21) ** -0.5)
    guessed = Runs(pd.DataFrame({"flops": FLOPS, "score": share, "documents": ITEMS}))

    found = judge_emergence(guessed, Skill(score="score", chance=0.25), items=5000, draws=100)

    assert found.verdict is Verdict.SMOOTH
    assert found.steps.own.form == "sigmoid"
    assert found.onset.quantile(0.5) == pytest.approx(2e21, rel=0.1)


def test_a_threshold_that_is_not_reached_is_beyond_the_range_and_a_low_one_before_it() -> None:
    few = FLOPS[:8]  # exact match there ends near 0.26
    runs = table_of(smooth_token(few), few)

    far = judge_emergence(runs, SKILL, threshold=0.9, draws=50).onset
    near = judge_emergence(runs, SKILL, threshold=1e-6, draws=50).onset

    assert (far.beyond, far.quantile(0.5)) == (1.0, math.inf)
    assert (near.before, near.quantile(0.5)) == (1.0, 0.0)


def test_the_broken_law_is_the_published_one() -> None:
    share = np.exp(-np.asarray(broken_power_law.evaluate({"x": FLOPS}, BROKEN | {"b": 1.6 * 1e18**0.05})))

    found = find_bend(Measured(x=FLOPS, share=share, counts=np.full(12, 1e4)))

    assert found.shape is Shape.BROKEN
    assert found.best_broken.form.name == "power law of -ln p"
    np.testing.assert_allclose(found.curve(Measured(x=FLOPS, share=share, counts=share).t), share, atol=0.01)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_form_undoes_itself_and_its_slope_is_the_difference_quotient(form: Form) -> None:
    index, step = np.linspace(-2, 2, 9), 1e-6
    share = form.share(index)

    np.testing.assert_allclose(form.index(share), index)
    quotient = (form.share(index + step) - form.share(index - step)) / (2 * step)
    np.testing.assert_allclose(form.slope(index, share), quotient, rtol=1e-6)


def test_clopper_pearson_intervals_are_those_of_the_binomial_test() -> None:
    from scipy.stats import binomtest

    right, items = np.array([0.0, 3.0, 50.0, 100.0]), np.full(4, 100.0)
    low, high = clopper_pearson(right, items, 0.9)
    other = [binomtest(int(k), 100).proportion_ci(0.9, "exact") for k in right]

    np.testing.assert_allclose(
        np.column_stack([low, high]), [(one.low, one.high) for one in other], atol=1e-9
    )


def test_the_emergence_score_has_the_sign_of_the_change_and_ignores_the_unit() -> None:
    steps = np.array([0.0, 0.1, 0.3, 0.9])  # rise .9 over the root of the median of .01, .04, .36

    assert emergence_score(steps) == pytest.approx(0.9 / 0.2)
    assert emergence_score(steps[::-1]) == pytest.approx(-0.9 / 0.2)
    assert emergence_score(100 * steps) == pytest.approx(0.9 / 0.2)


@pytest.mark.parametrize(
    ("change", "skill", "error", "words"),
    [
        ({"score": 45.0}, Skill(score="score"), TableError, "Divide percentages by 100"),
        ({"score": 0.05}, Skill(score="score", chance=0.25), TableError, "below guessing"),
        ({}, Skill(score="scores"), MissingColumn, "Did you mean 'score'"),
        ({"documents": 0}, Skill(score="score"), TableError, "number of problems"),
    ],
)
def test_unusable_scores_are_refused_in_a_sentence(
    change: dict[str, float], skill: Skill, error: type[Exception], words: str
) -> None:
    runs = Runs(table_of(smooth_token()).table.assign(**change))

    with pytest.raises(error, match=words):
        judge_emergence(runs, skill)


def test_fewer_than_five_scales_are_refused() -> None:
    with pytest.raises(FitError, match="4 scales"):
        judge_emergence(Runs(table_of(smooth_token()).table.head(4)), SKILL)


def test_a_threshold_below_guessing_is_refused() -> None:
    with pytest.raises(InputError, match="between guessing"):
        judge_emergence(table_of(smooth_token()), SKILL, threshold=0.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Skill(score="score", length=5),
        lambda: Skill(score="score", continuous="token", length=0.5),
        lambda: Skill(score="score", chance=25),
        lambda: read_skills(["score"], chance={"scores": 0.25}),
    ],
)
def test_a_skill_that_cannot_be_is_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
