"""Trends and time horizons: published fits give published numbers back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import fit
from allometry.laws import (
    algorithmic_progress,
    chinchilla,
    exponential_trend,
    horizon_logistic,
    logistic_trend,
)
from allometry.runs.run import Runs

DATA = Path(__file__).parents[3] / "shared" / "data"
HORIZONS = DATA / "metr_v1_logistic_fits_2025_04.csv"
PRICES = DATA / "llm_price_frontier_points.csv"


def test_the_horizon_of_eighty_percent_is_the_published_one() -> None:
    # Claude 3.7 Sonnet in METR's table of fits: p50 54.226342, p80 15.156049, slope 0.753789 per doubling.
    shares = horizon_logistic.evaluate({"minutes": [54.226342, 15.156049]}, horizon_logistic.typical)

    np.testing.assert_allclose(shares, [0.5, 0.8], atol=1e-6)


def test_longer_tasks_succeed_less_often() -> None:
    shares = horizon_logistic.evaluate({"minutes": np.geomspace(0.1, 1e3, 20)}, horizon_logistic.typical)

    assert (np.diff(shares) < 0).all()


def test_the_published_horizon_doubles_in_212_days() -> None:
    then, later = exponential_trend.evaluate(
        {"year": [2023.0, 2023.0 + 212 / 365.25]}, exponential_trend.typical
    )

    assert later / then == pytest.approx(2)


def test_a_falling_trend_halves() -> None:
    prices = exponential_trend.evaluate({"year": [2022.0, 2023.0]}, {"v": 60.0, "g": -1.0})

    np.testing.assert_allclose(prices, [15.0, 7.5])


def test_a_levelling_trend_begins_as_the_exponential_and_passes_half_its_end_in_the_middle() -> None:
    level = {"K": 100.0, "g": 2.0, "m": 6.0}

    first, next_year, middle = logistic_trend.evaluate({"year": [2014.0, 2015.0, 2026.0]}, level)

    assert next_year / first == pytest.approx(2**2.0, rel=1e-5)
    assert middle == pytest.approx(50.0)


def test_in_the_reference_year_progress_changes_nothing() -> None:
    now = algorithmic_progress.typical
    same = {name: now[name] for name in chinchilla.names}

    ours = algorithmic_progress.evaluate({"params": 1e9, "tokens": 2e10, "year": 2020.0}, now)

    assert float(ours) == pytest.approx(float(chinchilla.evaluate({"params": 1e9, "tokens": 2e10}, same)))


def test_later_the_same_loss_takes_half_the_compute_after_the_published_time() -> None:
    coefficients = algorithmic_progress.typical
    # Ho et al. 2024, table 2, model 7: 0.003938/0.067982 and 0.035620/0.039587 a year, whose halving time is
    # 8.7 months; the median of the authors' resamples is 8.4, 95% 4.5 to 14.3.
    years = 8.7 / 12
    saved = {name: np.exp(-coefficients[rate] * years) for name, rate in (("params", "a"), ("tokens", "b"))}

    before = algorithmic_progress.evaluate({"params": 1e9, "tokens": 2e10, "year": 2015.0}, coefficients)
    after = algorithmic_progress.evaluate(
        {"params": 1e9 * saved["params"], "tokens": 2e10 * saved["tokens"], "year": 2015.0 + years},
        coefficients,
    )

    assert float(after) == pytest.approx(float(before))
    assert saved["params"] * saved["tokens"] == pytest.approx(0.5, rel=0.01)


def decimal_year(dates: pd.Series, days: float) -> pd.Series:
    return 2020 + (pd.to_datetime(dates) - pd.Timestamp("2020-01-01")).dt.days / days


@pytest.mark.public_data
@pytest.mark.skipif(not HORIZONS.is_file(), reason=f"the public table is not at {HORIZONS}")
def test_the_trend_through_the_best_agents_doubles_as_published() -> None:
    table = pd.read_csv(HORIZONS).dropna(subset=["release_date"]).sort_values("release_date")
    table = table[table["release_date"] < "2025-03-01"]
    best = table[table["p50"] >= table["p50"].cummax()]
    runs = Runs(pd.DataFrame({"year": decimal_year(best["release_date"], 365.25), "value": best["p50"]}))

    found = fit(exponential_trend, runs, objective="least_squares")

    assert 365.25 / found.coefficients["g"] == pytest.approx(213.0, abs=0.1)  # of 212 [171, 249] in the paper


@pytest.mark.public_data
@pytest.mark.skipif(not PRICES.is_file(), reason=f"the public table is not at {PRICES}")
def test_the_price_of_a_fixed_score_falls_as_published() -> None:
    table = pd.read_csv(PRICES)
    table = table[(table["bench"] == "MMLU") & (table["threshold_model"] == "GPT-3")]
    year = decimal_year(table["Release Date"], 365)
    runs = Runs(pd.DataFrame({"year": year, "value": table["USD per 1M Tokens"]}))

    found = fit(exponential_trend, runs, objective="least_squares")

    assert 2 ** -found.coefficients["g"] == pytest.approx(11.772872667, rel=1e-6)  # times cheaper a year
