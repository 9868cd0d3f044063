"""Counts of attempts: pass@k by exact arithmetic, distributions of success, forecasts, refusals."""

from __future__ import annotations

from fractions import Fraction
from math import comb, prod

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom

from allometry.capabilities.attempts import (
    Counts,
    PassForecast,
    fit_success,
    forecast_pass,
    pass_at,
    pass_curve,
    read_counts,
)
from allometry.capabilities.attempts.line import lines
from allometry.capabilities.attempts.passing import log_spaced
from allometry.errors import FitError, InputError, MissingColumn, TableError, UnknownName


def exact(n: int, c: int, k: int) -> float:
    return float(1 - Fraction(comb(n - c, k), comb(n, k)))


def drawn(a: float, b: float, *, problems: int, attempts: int, never: float = 0.0, seed: int = 0) -> Counts:
    rng = np.random.default_rng(seed)
    chance = rng.beta(a, b, problems) * (rng.random(problems) >= never)
    return Counts.of(np.full(problems, attempts), rng.binomial(attempts, chance))


@pytest.fixture(scope="module")
def counts() -> Counts:
    return drawn(0.3, 3.0, problems=128, attempts=100)


@pytest.fixture(scope="module")
def forecast(counts: Counts) -> PassForecast:
    return forecast_pass(counts, [200, 1000, 10_000], draws=300)


@pytest.mark.parametrize("n", [1, 7, 100, 10_000])
def test_pass_at_k_equals_exact_rational_arithmetic(n: int) -> None:
    rng = np.random.default_rng(n)
    c = np.r_[0, 1, n, n // 2, rng.integers(0, n + 1, 12)]
    k = np.r_[1, n, 1, n - n // 2, rng.integers(1, n + 1, 12)]

    found = pass_at(n, c, k)

    expected = [exact(n, int(right), int(taken)) for right, taken in zip(c, k, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_pass_at_k_keeps_its_digits_where_the_logarithms_of_binomials_lose_them() -> None:
    assert float(pass_at(10**12, 1, 1)) == pytest.approx(1e-12, rel=1e-3)
    assert float(pass_at(10**9, 3, 1)) == pytest.approx(3e-9, rel=1e-6)


def test_the_error_of_the_mean_is_over_problems() -> None:
    curve = pass_curve(Counts.of([10] * 4, [0, 0, 10, 10]), [1])

    assert curve["standard_error"][0] == pytest.approx(np.std([0, 0, 1, 1], ddof=1) / 2)


def test_the_likelihood_of_the_beta_form_is_that_of_the_beta_binomial() -> None:
    counts = Counts.of([20] * 9, [0, 0, 0, 1, 2, 5, 9, 14, 20])

    found = fit_success(counts)
    a, b = found.coefficients["a"], found.coefficients["b"]
    other = [betabinom.logpmf(counts.successes, 20, a * up, b).sum() for up in (0.9, 1.0, 1.1)]

    assert found.log_likelihood == pytest.approx(other[1], abs=1e-4)
    assert other[1] > max(other[0], other[2])


def test_expected_pass_at_k_of_the_beta_form_has_its_closed_form() -> None:
    found = fit_success(drawn(0.5, 2.0, problems=60, attempts=40))
    a, b = found.coefficients["a"], found.coefficients["b"]

    missed = prod((b + i) / (a + b + i) for i in range(50))

    assert float(found.pass_at(50)) == pytest.approx(1 - missed, abs=1e-4)


def test_a_share_of_problems_that_is_never_solved_is_found() -> None:
    counts = drawn(2.0, 5.0, problems=2000, attempts=200, never=0.3)

    found = fit_success(counts, "zero_inflated_beta")

    assert found.pass_limit == pytest.approx(0.7, abs=0.03)
    assert found.aic < fit_success(counts, "beta").aic - 20


def test_a_line_gives_back_the_power_it_was_made_from() -> None:
    ks = log_spaced(1000)

    intercept, slope = lines(ks, np.exp(-2 * ks**-0.3)[None, :])

    assert (intercept[0], slope[0]) == (pytest.approx(np.log(2)), pytest.approx(-0.3))


def test_a_forecast_rises_with_k_and_never_falls_below_what_is_solved(
    forecast: PassForecast, counts: Counts
) -> None:
    assert counts.solved <= forecast.low[0]
    assert list(forecast.median) == sorted(forecast.median)
    assert all(
        low <= mid <= high
        for low, mid, high in zip(forecast.low, forecast.median, forecast.high, strict=True)
    )
    assert sum(one.weight for one in forecast.forms.values()) == pytest.approx(1)


def test_forecasts_of_a_power_tail_are_near_the_attempts_made_later() -> None:
    every = drawn(0.3, 5.0, problems=128, attempts=10_000, seed=3)

    found = forecast_pass(every.thinned(100), 10_000, draws=300)

    assert found.median[0] == pytest.approx(every.solved, abs=0.1)
    assert found.low[0] <= every.solved <= found.high[0]


def test_forms_that_disagree_are_reported_unless_the_counts_speak_against_them(
    forecast: PassForecast,
) -> None:
    hard = forecast_pass(drawn(0.3, 300.0, problems=128, attempts=100), 10_000, draws=300)

    assert "forms_disagree" in {finding.code for finding in hard.findings}
    assert not forecast.forms["logit_normal"].counted
    assert "forms_disagree" not in {finding.code for finding in forecast.findings}


def test_the_range_reaches_over_every_form_but_those_that_the_counts_speak_against(
    forecast: PassForecast,
) -> None:
    counted = [one for one in forecast.forms.values() if one.counted]

    assert forecast.low[-1] == min(one.low for one in counted)
    assert forecast.high[-1] == max(one.high for one in counted)
    assert "logit_normal" in forecast.summary().split(", not in the range")[0].splitlines()[-1]


def test_a_range_holds_what_comes_where_some_problems_are_never_solved() -> None:
    held = []
    for seed in range(4):
        every = drawn(0.5, 5.0, problems=128, attempts=10_000, never=0.2, seed=seed)
        found = forecast_pass(every.thinned(100, seed), 10_000, draws=200)
        held.append(found.low[0] <= every.solved <= found.high[0])

    assert sum(held) >= 3  # a pool of the forms by their weights holds one in five of such


def test_the_same_seed_gives_the_same_forecast(counts: Counts) -> None:
    assert forecast_pass(counts, 1000, draws=100).high == forecast_pass(counts, 1000, draws=100).high


def test_new_problems_are_less_certain_than_those_that_were_tried(counts: Counts) -> None:
    same, new = (forecast_pass(counts, 200, problems=kind, draws=300) for kind in ("same", "new"))

    assert new.high[0] - new.low[0] > same.high[0] - same.low[0]


def test_attempts_that_end_on_success_are_found_and_refused() -> None:
    rng = np.random.default_rng(0)
    first = rng.geometric(rng.beta(0.5, 2, 60))
    stopped = Counts.of(np.minimum(first, 100), (first <= 100).astype(int))

    assert stopped.stopped_early
    with pytest.raises(InputError, match="depends on the outcome"):
        forecast_pass(stopped, 1000)


def test_one_success_wherever_any_was_found_is_called_stopped_though_n_is_the_same() -> None:
    solved = (np.random.default_rng(0).random(60) < 0.5).astype(int)

    assert Counts.of(np.full(60, 100), solved).stopped_early
    assert not Counts.of(np.full(60, 1), solved).stopped_early  # one attempt cannot succeed twice


def test_hard_problems_solved_once_by_chance_are_not_called_stopped() -> None:
    rng = np.random.default_rng(2)
    flagged = [Counts.of(np.full(60, 50), rng.binomial(50, 0.004, 60)).stopped_early for _ in range(200)]

    assert sum(flagged) <= 1


def test_attempts_that_differ_by_chance_are_not_called_stopped() -> None:
    rng = np.random.default_rng(1)
    flagged = 0
    for _ in range(40):
        n = rng.integers(50, 150, 60)
        flagged += Counts.of(n, rng.binomial(n, rng.beta(0.3, 2, 60))).stopped_early

    assert flagged <= 1


@pytest.mark.parametrize(
    ("n", "c", "says"),
    [
        (4, 5, "exceed"),
        (4, -1, "below zero"),
        (0, 0, "at least one"),
        (4, 1.5, "whole"),
        (np.nan, 1, "whole"),
    ],
)
def test_counts_that_cannot_be_are_refused(n: float, c: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Counts.of([n], [c])


@pytest.mark.parametrize("k", [0, -3, 2.5])
def test_a_k_that_is_no_number_of_attempts_is_refused(k: float) -> None:
    with pytest.raises(InputError, match="whole k from 1"):
        pass_at(10, 1, k)


def test_a_k_beyond_the_attempts_is_sent_to_the_forecast() -> None:
    with pytest.raises(InputError, match="forecast_pass"):
        pass_at(10, 1, 11)


def test_a_k_that_was_measured_is_not_forecast(counts: Counts) -> None:
    with pytest.raises(InputError, match="is measured"):
        forecast_pass(counts, 100)


def test_a_condition_that_no_row_meets_is_said() -> None:
    with pytest.raises(InputError, match="no row where model = 'b'"):
        read_counts(pd.DataFrame({"model": ["a"], "problem": [1], "n": 4, "c": 2}), where="model = 'b'")


def test_nothing_solved_is_refused() -> None:
    with pytest.raises(FitError, match="None of 1000 attempts"):
        forecast_pass(Counts.of([100] * 10, [0] * 10), 1000)


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(UnknownName, match="scaled_beta"):
        fit_success(Counts.of([4, 4], [0, 3]), "scaledbeta")


def test_headers_that_others_use_are_understood() -> None:
    table = pd.DataFrame({"task_id": ["a", "b"], "num_samples": [5, 5], "num_correct": [0, 2]})

    assert read_counts(table).successes.tolist() == [0, 2]


def test_a_header_of_ones_own_is_mapped() -> None:
    table = pd.DataFrame({"q": ["a", "b"], "n": [5, 5], "wins": [0, 2]})

    assert read_counts(table, columns={"wins": "successes"}).successes.tolist() == [0, 2]
    with pytest.raises(MissingColumn, match="successes"):
        read_counts(table)


def test_two_models_in_one_table_are_not_mixed() -> None:
    table = pd.DataFrame({"model": ["a", "b"], "problem": [1, 1], "n": 4, "c": [0, 3]})

    with pytest.raises(TableError, match="model"):
        read_counts(table)
    assert len(read_counts(table, where="model = 'b'")) == 1
