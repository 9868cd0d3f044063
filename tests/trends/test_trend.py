"""One window's trend: exact on exact data, intervals by another method, refusals in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, norm

from allometry.errors import FitError, InputError, MissingColumn
from allometry.runs.run import Runs
from allometry.trends.series import Series, read_series
from allometry.trends.trend import exponential_trend

YEARS = np.array([2019.1, 2020.4, 2022.2, 2023.2, 2023.9, 2024.4, 2024.7, 2025.1])


def series(values: Any, years: Any = YEARS, **more: Any) -> Series:
    given = np.asarray(years, dtype=np.float64)
    labels = tuple(f"m{k}" for k in range(len(given)))
    return Series(
        name="p50", unit="min", labels=labels, years=given, values=np.asarray(values, float), **more
    )


def noisy(seed: int = 0, scatter: float = 0.5) -> np.ndarray:
    return np.exp2(1.7 * (YEARS - 2024) + scatter * np.random.default_rng(seed).standard_normal(len(YEARS)))


def test_an_exact_exponential_is_found_exactly_and_goes_on() -> None:
    made = exponential_trend(series(3 * 2.0 ** (2 * (YEARS - 2020))))

    assert made.doublings.value == pytest.approx(2, abs=1e-12)
    assert made.doubling_days.value == pytest.approx(182.625)
    assert made.at("2026-01-01").median == pytest.approx(3 * 2.0 ** (2 * (6 + 0.5 / 365.25)), rel=2e-2)
    assert made.r_squared == pytest.approx(1)


def test_the_interval_is_that_of_the_regression() -> None:
    made = exponential_trend(series(noisy()), level=0.9)
    line = linregress(YEARS, np.log2(noisy()))

    assert made.doublings.value == pytest.approx(line.slope)
    assert made.doublings.high - made.doublings.value == pytest.approx(1.9431802805 * line.stderr)  # t, 6 df
    assert np.quantile(made.draws[:, 1], (0.05, 0.95)) == pytest.approx(
        (made.doublings.low, made.doublings.high), abs=0.1 * line.stderr * 1.94
    )


def test_a_falling_value_halves_and_its_days_are_above_zero() -> None:
    made = exponential_trend(series(2.0 ** (-0.5 * (YEARS - 2020)) * (1 + 0.01 * np.sin(YEARS))))

    assert made.doubling_days.value == pytest.approx(730.5, rel=0.01)
    assert 0 < made.doubling_days.low < made.doubling_days.value < made.doubling_days.high < np.inf
    assert "halves every" in made.summary()


def test_where_a_flat_trend_is_possible_the_doubling_time_has_no_end() -> None:
    made = exponential_trend(series(2.0 ** np.array([0.0, 1, 0, 1, 0, 1, 0, 1])))

    assert made.doubling_days.high == np.inf
    assert "no_trend" in {one.code for one in made.findings}
    assert "no end" in made.summary()


def test_with_fixed_models_the_interval_is_that_of_the_draws_alone() -> None:
    rng = np.random.default_rng(1)
    shift = 0.3 * rng.standard_normal((4000, len(YEARS)))
    drawn = series(noisy(), draws=noisy() * np.exp2(shift))
    fixed = exponential_trend(drawn, models="fixed")
    whole = exponential_trend(drawn, draws=4000)

    # The slope of independent noise has standard error 0.3 / sqrt(Sxx).
    half = norm.ppf(0.95) * 0.3 / np.sqrt(((YEARS - YEARS.mean()) ** 2).sum())
    assert fixed.doublings.high - fixed.doublings.low == pytest.approx(2 * half, rel=0.06)
    # Noise of measurement of 0.3 explains its part of the scatter: what is left adds up to the regression's.
    plain = exponential_trend(series(noisy())).doublings
    assert whole.doublings.high - whole.doublings.low == pytest.approx(plain.high - plain.low, rel=0.15)
    assert whole.scatter_of_models**2 == pytest.approx(whole.scatter**2 - 0.09, abs=0.01)


def test_noise_that_all_points_share_does_not_widen_the_slope() -> None:
    shared = np.random.default_rng(0).standard_normal((500, 1))
    made = exponential_trend(series(noisy(), draws=noisy() * np.exp2(shared)), models="fixed")

    assert made.doublings.high - made.doublings.low == pytest.approx(0, abs=1e-9)


def test_values_at_the_ceiling_count_as_at_least_that_much() -> None:
    truth = np.exp2(1.7 * (YEARS - 2024) + 0.05 * np.sin(9 * YEARS))
    ceiling = float(np.sort(truth)[-3])
    capped = np.minimum(truth, ceiling)

    as_measured = exponential_trend(series(capped))
    as_bounds = exponential_trend(series(capped, ceiling=ceiling), draws=50)

    assert as_measured.doublings.value < 1.62
    assert as_bounds.doublings.value == pytest.approx(1.7, abs=0.05)
    assert "bounded_values" in {one.code for one in as_bounds.findings}


def test_a_window_that_decides_is_said_with_every_forecast() -> None:
    bent = np.where(YEARS < 2023.5, 0.5 * (YEARS - 2023.5), 3 * (YEARS - 2023.5))
    made = exponential_trend(series(np.exp2(bent)))

    assert "window_decides" in {one.code for one in made.findings}
    assert "By the window, in days:" in made.summary()
    forecast = made.at(2027)
    assert forecast.parts["4 points"] / forecast.parts["8 points"] > 4
    assert "by part" in forecast.summary()


def test_the_best_at_their_date_are_taken_after_the_window_and_once_a_day() -> None:
    given = series([4.0, 1, 2, 1.5, 3, 3, 2.5, 9], years=[2019, 2020, 2021, 2022, 2023, 2023, 2023, 2024])

    assert given.best().labels == ("m0", "m7")
    assert given.between("2020-01-01").best().labels == ("m1", "m2", "m4", "m5", "m7")
    assert given.best("lowest").labels == ("m0", "m1")


@pytest.mark.parametrize(("count", "rows"), [(3, "there are 3"), (0, "there are 0")])
def test_fewer_than_four_points_are_refused(count: int, rows: str) -> None:
    with pytest.raises(FitError, match=rf"needs 4 dated points or more; {rows}"):
        exponential_trend(series(noisy()[:count], YEARS[:count]))


def test_points_of_one_date_and_fixed_models_without_draws_are_refused() -> None:
    with pytest.raises(FitError, match="have one date"):
        exponential_trend(series([1, 2, 3, 4], [2020.0] * 4))
    with pytest.raises(InputError, match="have no draws"):
        exponential_trend(series(noisy()), models="fixed")


def test_a_series_is_read_in_the_order_of_its_dates_and_gaps_are_counted() -> None:
    table = pd.DataFrame({
        "model": list("abcd"), "release_date": ["2024-05-01", "2023-01-01", None, "2025-01-01"],
        "price": [1.0, 2.0, 3.0, np.nan],
    })  # fmt: skip
    found = read_series(Runs(table), "price")

    assert (found.labels, found.left_out) == (("b", "a"), 2)


def test_a_value_of_zero_and_a_table_without_dates_are_refused() -> None:
    with pytest.raises(InputError, match=r"Row 2: price is 0; a trend is drawn through values above zero"):
        read_series(Runs(pd.DataFrame({"date": [2020, 2021], "price": [1.0, 0.0]})), "price")
    with pytest.raises(MissingColumn, match="no date: none of date, release_date"):
        read_series(Runs(pd.DataFrame({"price": [1.0]})), "price")
