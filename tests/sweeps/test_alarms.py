"""The rules of `watch`: they call off what is off, and seldom what is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t

from allometry.sweeps import alarms
from allometry.sweeps.alarms import LOOKS, band, parts, rise, shifts

ALARMS = 0.05
SEED_SD, LINE_SD = 0.005, 0.004


def gaps(rng: np.random.Generator, runs: int) -> np.ndarray:
    """Of runs on forecast: one shape, the luck of each run, the scatter of its parts."""
    shape = np.linspace(0.3, 0.0, LOOKS)
    return shape + SEED_SD * rng.standard_normal((runs, 1)) + LINE_SD * rng.standard_normal((runs, LOOKS))


@pytest.mark.parametrize("references", [3, 8])
def test_runs_on_forecast_are_called_off_no_oftener_than_stated(references: int) -> None:
    rng, off, studies = np.random.default_rng(0), 0, 200
    for _ in range(studies):
        drawn, law = gaps(rng, references + 1), 0.01 * rng.standard_normal()
        limits = band(np.full(LOOKS, law), np.full(LOOKS, 0.01), drawn[:-1], ALARMS)
        off += bool(limits.off(drawn[-1]).any())

    assert off / studies <= ALARMS


def test_a_run_a_tenth_above_is_called_off_and_one_without_references_never() -> None:
    drawn = gaps(np.random.default_rng(1), 9)
    run = drawn[-1] + math.log(1.1)

    assert band(np.zeros(LOOKS), np.zeros(LOOKS), drawn[:-1], ALARMS).off(run).all()
    assert not band(np.zeros(LOOKS), np.zeros(LOOKS), drawn[:2], ALARMS).off(run).any()


def test_a_band_is_the_interval_of_one_more_run_by_students_t() -> None:
    drawn = gaps(np.random.default_rng(6), 4)

    found = band(np.zeros(LOOKS), np.zeros(LOOKS), drawn, ALARMS)

    # A new observation differs from the mean of n by s sqrt(1 + 1/n); each of eight looks has 5% / 8.
    sd = np.sqrt(((drawn - drawn.mean(axis=0)) ** 2).sum(axis=0) / 3)
    np.testing.assert_allclose(found.middle, drawn.mean(axis=0))
    np.testing.assert_allclose(found.half, t.ppf(1 - ALARMS / 16, 3) * sd * math.sqrt(1 + 1 / 4))


def test_an_uncertain_law_widens_the_band() -> None:
    drawn = gaps(np.random.default_rng(2), 8)

    sure, unsure = (band(np.zeros(LOOKS), np.full(LOOKS, sd), drawn, ALARMS).half for sd in (0.0, 0.05))

    # Two-sided 5% over eight looks is 2.73 standard deviations of a normal.
    np.testing.assert_allclose(np.sqrt(unsure**2 - sure**2), 0.05 * 2.734, rtol=1e-3)


def test_a_part_counts_once_the_run_has_come_through_it() -> None:
    tokens = np.arange(1.0, 12.0)  # of 32: two eighths and three quarters of the third

    means = parts(tokens, np.exp(tokens), total=32)

    np.testing.assert_allclose(means[:2], [2.5, 6.5])
    assert np.isnan(means[2:]).all()


def test_a_level_curve_seldom_seems_to_rise() -> None:
    rng, warned, curves = np.random.default_rng(3), 0, 40
    for _ in range(curves):
        losses = 3 + 0.08 * rng.standard_normal(120)
        warned += any(rise(losses[:end], ALARMS).warns for end in range(32, 121, 2))

    assert warned / curves <= ALARMS


def smoothed(rng: np.random.Generator) -> np.ndarray:
    """As a logger shows it: each line a moving average that keeps 0.6 of the one before."""
    return np.convolve(rng.standard_normal(120), 0.6 ** np.arange(30))[:120]


def spiked(rng: np.random.Generator) -> np.ndarray:
    """One line in a hundred ten times as far off as others."""
    return rng.standard_normal(120) * np.where(rng.random(120) < 0.01, 10, 1)


@pytest.mark.parametrize("scatter", [smoothed, spiked])
def test_a_level_curve_of_smoothed_or_spiked_lines_seldom_seems_to_rise(
    scatter: Callable[[np.random.Generator], np.ndarray],
) -> None:
    rng, warned, curves = np.random.default_rng(7), 0, 30
    for _ in range(curves):
        losses = 3 + 0.05 * scatter(rng)
        warned += any(rise(losses[:end], ALARMS).warns for end in range(32, 121, 4))

    assert warned <= 4  # of 30 at 5%: more would come by chance in 1 of 60 tests


def test_the_slope_of_a_curve_is_not_taken_for_scatter() -> None:
    level = 3 + 0.01 * np.random.default_rng(9).standard_normal(120)
    falling = level - 0.05 * np.arange(120)

    assert rise(falling, ALARMS).allowed == pytest.approx(rise(level, ALARMS).allowed, rel=0.2)


def test_the_median_of_four_scatters_as_it_is_reckoned() -> None:
    drawn = np.random.default_rng(8).standard_normal((40_000, 4))

    assert np.median(drawn, axis=1).std() == pytest.approx(alarms._OF_MEDIAN, rel=0.01)


def test_a_rise_is_seen_long_before_a_run_counts_as_diverged() -> None:
    falling = 3 + np.exp(-np.arange(200) / 30) + 0.05 * np.random.default_rng(4).standard_normal(200)
    turning = falling + np.maximum(0, np.arange(200) - 150) * 0.02

    seen = next(end for end in range(8, 201) if rise(turning[:end], ALARMS).warns)

    assert 150 < seen < 180  # a rise of at most 0.6 nat; a run ends as diverged at 1 nat
    assert not any(rise(falling[:end], ALARMS).warns for end in range(8, 201))
    assert rise(np.array([3.0, math.nan]), ALARMS).warns


def test_a_rung_that_is_off_is_found_and_rungs_with_luck_are_not() -> None:
    rng, off, studies, rung = np.random.default_rng(5), 0, 400, np.repeat(np.arange(6), 4)
    for _ in range(studies):
        residuals = np.repeat(SEED_SD * rng.standard_normal(6), 4) + LINE_SD * rng.standard_normal(24)
        off += any(one.warns for one in shifts(residuals, rung, ALARMS))

    found = shifts(residuals + 0.1 * (rung == 2), rung, ALARMS)
    assert off / studies <= ALARMS + 2 * math.sqrt(ALARMS * (1 - ALARMS) / studies)
    assert [one.warns for one in found] == [False, False, True, False, False, False]


def test_three_rungs_say_nothing_of_each_other() -> None:
    assert not any(one.warns for one in shifts(np.array([0.0, 0.0, 9.0]), np.arange(3), ALARMS))
