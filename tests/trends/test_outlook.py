"""The mixture goes on as the truth does, keeps both forms in play, and says when a value is reached."""

from __future__ import annotations

import numpy as np
import pytest

from allometry.errors import FitError, InputError
from allometry.trends.backtest import backtest, entrants
from allometry.trends.forms import EXPONENTIAL
from allometry.trends.outlook import Outlook, outlook
from allometry.trends.series import Series

YEARS = np.linspace(2018.0, 2026.0, 14)


def series(
    log2_values: np.ndarray, *, noise: float = 0.2, years: np.ndarray = YEARS, seed: int = 0
) -> Series:
    moved = log2_values + noise * np.random.default_rng(seed).standard_normal(len(years))
    labels = tuple(str(k) for k in range(len(years)))
    return Series(name="p50", unit="min", labels=labels, years=years, values=np.exp2(moved))


@pytest.fixture(scope="module")
def steady() -> Outlook:
    return outlook(series(1.5 * (YEARS - 2026)), draws=200)


@pytest.fixture(scope="module")
def saturating() -> Outlook:
    return outlook(series(3 - np.log2(1 + 2 ** (-2 * (YEARS - 2023))), noise=0.1), draws=200)


def test_a_steady_trend_goes_on_and_its_interval_holds_it(steady: Outlook) -> None:
    forecast = steady.at("2027-01-01")

    assert forecast.low < 2**1.5 < forecast.high
    assert np.log2(forecast.median) == pytest.approx(1.5, abs=0.4)
    assert steady.doubling_days.low < 365.25 / 1.5 < steady.doubling_days.high


def test_a_saturating_trend_is_not_extrapolated_as_an_exponential(saturating: Outlook) -> None:
    forms = saturating.table.groupby("form")["weight"].sum()

    assert forms["levelling off"] > 0.6
    assert saturating.forms_apart < -4
    assert saturating.at(2028).median < 2**4
    assert "levels off explains these points better" in saturating.summary()


def test_no_part_is_ruled_out_by_a_dozen_points(steady: Outlook, saturating: Outlook) -> None:
    for made in (steady, saturating):
        assert made.table["weight"].sum() == pytest.approx(1)
        assert made.table["weight"].min() > 0.02


def test_the_interval_widens_with_distance_and_the_band_says_the_same(steady: Outlook) -> None:
    near, far = steady.at(2027), steady.at(2032)
    band = steady.band(np.array([2027.0, 2032.0]))

    assert far.high / far.low > near.high / near.low
    assert band["median"].to_numpy() == pytest.approx([near.median, far.median], rel=0.25)


def test_a_value_is_reached_when_the_curve_takes_it(steady: Outlook, saturating: Outlook) -> None:
    reached = steady.when(2.0**3)
    high_up = saturating.when(2.0**5)

    assert reached.low < 2028.0 < reached.high
    assert reached.year == pytest.approx(2028.0, abs=0.6)
    assert high_up.never > 0.4
    assert high_up.high == np.inf
    assert "never" in high_up.summary()


def test_a_value_in_the_past_is_reached_in_the_past(steady: Outlook) -> None:
    assert steady.when(2.0**-6).year == pytest.approx(2022.0, abs=0.5)


def test_a_fall_halves_and_may_reach_a_floor() -> None:
    made = outlook(series(-1.5 * (YEARS - 2018)), draws=200)

    assert made.doubling_days.value == pytest.approx(365.25 / 1.5, rel=0.25)
    assert "halves every" in made.summary()
    assert made.when(2.0**-15).year == pytest.approx(2028.0, abs=1.0)


def test_after_a_bend_the_newer_windows_have_the_weight() -> None:
    bent = np.where(YEARS < 2021, 0.2, 3.0) * (YEARS - 2021)
    ways = entrants(len(YEARS))
    scores = backtest(ways, series(bent, noise=0.05), YEARS - YEARS[-1], np.random.default_rng(0))

    whole = [way.window == 1.0 for way in ways]
    assert scores.weights[whole].sum() < 0.3
    assert scores.crps[whole].min() > scores.crps.min()


def test_a_long_series_is_scored_at_no_more_than_twenty_points_a_cut() -> None:
    years = np.linspace(2000.0, 2026.0, 300)
    lines = tuple(way for way in entrants(300) if way.form is EXPONENTIAL)
    scores = backtest(lines, series(years - 2020, years=years), years - 2026, np.random.default_rng(0))

    assert scores.forecasts == 5 * 20 + 1  # the last cut leaves one point
    assert scores.crps.argmin() == 0  # a steady line is best forecast from all that is known of it


def test_values_at_the_ceiling_are_no_sign_of_levelling_off() -> None:
    truth = 1.5 * (YEARS - 2026)
    capped = Series(
        name="p50", labels=tuple(str(k) for k in range(14)), years=YEARS,
        values=np.exp2(np.minimum(truth + 0.1 * np.sin(5 * YEARS), -3.0)), ceiling=2.0**-3,
    )  # fmt: skip

    assert capped.bounded.sum() > 3
    assert outlook(capped, draws=100).at(2027).high > 2**0.5


def test_few_points_have_equal_weights_and_say_so() -> None:
    made = outlook(series(np.arange(4.0), years=np.arange(2020.0, 2024)), draws=50)

    assert made.table["form"].tolist() == ["exponential"]
    assert "few_points" in {one.code for one in made.findings}
    assert "too few points for a back-test" in made.summary()


def test_the_same_seed_gives_the_same_bits() -> None:
    given = series(YEARS[:7] - 2018, years=YEARS[:7])

    assert outlook(given, draws=20).at(2030) == outlook(given, draws=20).at(2030)


def test_too_few_points_and_values_that_are_never_reached_are_refused(steady: Outlook) -> None:
    with pytest.raises(FitError, match="needs 4 dated points"):
        outlook(series(np.arange(3.0), years=np.arange(2020.0, 2023)))
    with pytest.raises(InputError, match="values above zero, not -1"):
        steady.when(-1)
