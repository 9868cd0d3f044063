"""The trend of the time horizon by `trends`: METR's release v1.0 and Kwa et al. 2025 (arXiv:2503.14499)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from allometry.trends.series import Series, read_series
from allometry.trends.trend import exponential_trend

pytestmark = pytest.mark.public_data

DAYS = 0.1
END_DAYS = 5.0
CLAUDE_3_7 = "2025-02-24"
ROUNDED = 1e-4  # relative; the table's coefficients have six decimals, which 2^(1/slope) magnifies


@pytest.mark.parametrize(("since", "published_days"), [(None, 195.8), ("2023-01-01", 165.3)])
def test_state_of_the_art_at_release_doubles_as_published(
    published: Any, since: str | None, published_days: float
) -> None:
    best = read_series(published("metr_horizons"), "p50").between(since).best()

    assert exponential_trend(best).doubling_days.value == pytest.approx(published_days, abs=DAYS)


def test_the_running_maximum_is_what_the_release_marks_as_such(published: Any) -> None:
    runs = published("metr_horizons")
    marked = set(runs.where("is_sota").table["model"])

    assert set(read_series(runs, "p50").best().labels) == marked


@pytest.fixture
def of_the_paper(published: Any) -> Series:
    """The agents that were the best at their release, to Claude 3.7 Sonnet, with the published draws."""
    best = read_series(published("metr_logistic_fits"), "p50").between(until=CLAUDE_3_7).best()
    drawn = published("metr_bootstrap").table[[f"{agent}_p50" for agent in best.labels]].to_numpy()
    # 12 of 11,000 horizons are rounded to 0 minutes, which have no logarithm.
    return replace(best, draws=np.where(drawn > 0, drawn, np.nan))


def test_with_models_fixed_the_interval_is_the_published_one(of_the_paper: Series) -> None:
    made = exponential_trend(of_the_paper, models="fixed", level=0.95)

    assert made.doubling_days.value == pytest.approx(213.0, abs=DAYS)
    assert made.doubling_days.low == pytest.approx(167, abs=END_DAYS)
    assert made.doubling_days.high == pytest.approx(247, abs=END_DAYS)
    assert made.r_squared == pytest.approx(0.98, abs=0.005)


def test_models_that_could_have_been_others_widen_it(of_the_paper: Series) -> None:
    fixed = exponential_trend(of_the_paper, models="fixed", level=0.95).doubling_days
    drawn = exponential_trend(of_the_paper, level=0.95).doubling_days

    assert drawn.high - drawn.low >= 0.99 * (fixed.high - fixed.low)


def test_80_percent_follows_from_50_percent_and_the_slope(published: Any) -> None:
    table = published("metr_logistic_fits").table

    p50 = np.exp2(-table["intercept"] / table["coefficient"])
    p80 = p50 * np.exp2(np.log(4) / table["coefficient"])
    assert p50.to_numpy() == pytest.approx(table["p50"].to_numpy(), rel=ROUNDED)
    assert p80.to_numpy() == pytest.approx(table["p80"].to_numpy(), rel=ROUNDED)
