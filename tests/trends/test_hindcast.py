"""Rates drift by what past forecasts missed, and by no more; a miss too many of the newest points is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from allometry.trends.backtest import Drawn
from allometry.trends.crossing import crossing_years
from allometry.trends.forms import EXPONENTIAL, LEVELLING
from allometry.trends.hindcast import Hindcasts, Lookback, drift, look_back
from allometry.trends.outlook import outlook
from allometry.trends.series import Series

ROOT = Path(__file__).parents[2]
AHEAD = np.tile([0.5, 1.0, 2.0], 400)


def hindcasts(spread: float = 1.0, drifted: float = 0.0, seed: int = 0) -> Hindcasts:
    """Forecasts of scatter 1 of what scatters by `spread`, its rate having moved by `drifted`."""
    rng, count = np.random.default_rng(seed), len(AHEAD)
    came = spread * rng.standard_normal(count) + drifted * AHEAD * rng.standard_normal(count)
    draws = np.tile(norm.ppf((np.arange(99) + 0.5) / 99), (count, 1))
    return Hindcasts(
        draws=draws, chances=np.full(99, 1 / 99), measured=came, ahead=AHEAD, places=np.arange(count),
        shares=np.full(count, 1 / count),
    )  # fmt: skip


def bent_series(slope_after: float) -> Series:
    years = np.linspace(2015.0, 2025.0, 20)
    noise = 0.3 * np.random.default_rng(3).standard_normal(20)
    values = np.exp2(np.where(years < 2023, 1.0, slope_after) * (years - 2023) + noise)
    return Series(name="p50", labels=tuple(map(str, range(20))), years=years, values=values)


def test_forecasts_that_hold_what_they_say_ask_for_no_drift() -> None:
    assert drift(hindcasts(spread=0.9)) == 0


def test_the_drift_of_the_rate_is_found_again() -> None:
    assert drift(hindcasts(drifted=1.5)) == pytest.approx(1.5, rel=0.1)


def test_the_ranks_are_even_once_the_rate_may_drift() -> None:
    made = hindcasts(drifted=1.5)
    outside = np.abs(made.ranks(drift(made)) - 0.5) > 0.45

    assert (np.abs(made.ranks() - 0.5) > 0.45).mean() > 0.3
    assert outside.mean() == pytest.approx(0.1, abs=0.03)


def test_a_forecast_that_does_not_count_does_not_decide() -> None:
    right, wrong = hindcasts(spread=0.8), hindcasts(drifted=3.0)
    half = np.arange(len(AHEAD)) < 600
    came = np.where(half, wrong.measured, right.measured)
    newer = replace(right, measured=came, shares=np.where(half, 0.0, 1 / 600))

    assert drift(newer) == 0
    assert drift(replace(newer, shares=right.shares)) > 1


def test_one_wild_point_of_a_thousand_does_not_decide() -> None:
    made = hindcasts(spread=0.9)
    wild = np.where(np.arange(len(AHEAD)) == 0, 1e6, made.measured)

    assert drift(replace(made, measured=wild)) == 0


def test_the_newest_ten_points_are_looked_back_on_from_about_a_year_before() -> None:
    places = np.arange(len(AHEAD)) // 3
    made = replace(hindcasts(), places=places, measured=np.where((AHEAD == 1) & (places % 2 == 0), 9.0, 0.0))
    found = look_back(made, 0.9)

    assert (found.points, found.missed, found.years) == (10, 5, 1.0)
    assert found.too_many


def test_as_many_misses_as_luck_brings_are_not_too_many() -> None:
    assert not Lookback(points=10, missed=2, years=1.0, level=0.9).too_many


def test_after_a_new_bend_the_outlook_widens_and_says_that_it_missed() -> None:
    bent, steady = (outlook(bent_series(slope), draws=200) for slope in (4.0, 1.0))

    assert bent.drift > 0.5
    assert steady.drift < 0.1
    assert bent.at(2026).low < 2.0**12 < bent.at(2026).high
    (warning,) = (one for one in bent.findings if one.code == "recent_forecasts_missed")
    page = (ROOT / "docs" / "trends" / "time-horizon.md").read_text()
    assert warning.sentence in page.replace("\n> ", " ")
    assert "change of the rate by" in bent.summary()
    assert "recent_forecasts_missed" not in {one.code for one in steady.findings}


@pytest.mark.parametrize("form", [EXPONENTIAL, LEVELLING], ids=lambda form: form.name)
def test_a_drifting_curve_takes_its_value_where_it_crosses(form: object) -> None:
    coefficients = {2: [[1.0, 1.0]], 4: [[5.0, 1.0, 0.0, 0.0]]}[2 if form is EXPONENTIAL else 4]
    part = Drawn(
        form=form,  # type: ignore[arg-type]
        coefficients=np.array(coefficients * 3),
        scatter=np.zeros(3),
        drift=np.array([0.0, 0.5, -0.3]),
    )
    years = crossing_years(part, 4.4)

    assert np.isfinite(years[:2]).all()
    assert years[1] < years[0]
    for row in range(2):
        assert part.curve(years[[row]])[row, 0] == pytest.approx(4.4, abs=2e-3)


def test_drift_begins_at_the_last_point() -> None:
    part = Drawn(
        form=EXPONENTIAL, coefficients=np.array([[1.0, 1.0]]), scatter=np.zeros(1), drift=np.array([0.5])
    )

    np.testing.assert_allclose(part.curve(np.array([-2.0, 0.0, 2.0])), [[-1.0, 1.0, 4.0]])
    assert crossing_years(part, 0.0)[0] == pytest.approx(-1)
