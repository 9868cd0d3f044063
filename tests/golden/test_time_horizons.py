"""The time horizons of METR: Kwa et al. 2025 (arXiv:2503.14499), and its release v1.0 of January 2026."""

from typing import Any

import numpy as np
import pytest

from allometry.fitting import fit
from allometry.runs.run import Runs

pytestmark = pytest.mark.public_data

DIGIT = 0.051  # days: half of the last digit published
PAPER = 212.0  # days; the paper's table, whose horizons differ from the published ones in the third digit
PAPER_TOLERANCE = 1.0
LIMIT_TOLERANCE = 0.5  # days: published as whole days


def days_to_double(runs: Runs) -> float:
    found = fit("exponential_trend", runs, objective="least_squares", output="p50")
    return 365.25 / found.coefficients["g"]


@pytest.mark.parametrize(
    ("since", "published_days"), [("2019-01-01", 195.8), ("2023-01-01", 165.3)], ids=["all", "since 2023"]
)
def test_the_horizon_of_the_best_models_doubles_as_published(
    published: Any, since: str, published_days: float
) -> None:
    runs = published.dated("metr_horizons", "release_date")
    best = runs.where(f"is_sota AND release_date >= '{since}'", because="the best at their release")

    assert days_to_double(best) == pytest.approx(published_days, abs=DIGIT)


@pytest.fixture
def of_the_paper(published: Any) -> Runs:
    """The agents that were the best at their release, up to Claude 3.7 Sonnet."""
    runs: Runs = published.dated("metr_logistic_fits", "release_date")
    until = runs.where("release_date <= '2025-02-24'", because="released when the paper was written")
    return until.where(
        "p50 >= (SELECT max(r.p50) FROM runs r WHERE r.release_date <= runs.release_date)",
        because="the best at their release",
    )


def test_up_to_claude_3_7_sonnet_it_doubles_as_in_the_paper(of_the_paper: Runs) -> None:
    assert len(of_the_paper) == 11
    assert days_to_double(of_the_paper) == pytest.approx(213.0, abs=DIGIT)
    assert days_to_double(of_the_paper) == pytest.approx(PAPER, abs=PAPER_TOLERANCE)


@pytest.mark.slow  # a thousand fits
def test_the_published_draws_of_the_horizons_give_the_published_interval(
    published: Any, of_the_paper: Runs
) -> None:
    agents = [f"{agent}_p50" for agent in of_the_paper.table["agent"]]
    draws = published("metr_bootstrap").table[agents].to_numpy()

    def days(horizons: Any) -> float:
        # 12 of 11,000 horizons are rounded to 0 minutes, which have no logarithm.
        return days_to_double(Runs(of_the_paper.table.assign(p50=horizons)[horizons > 0]))

    limits = np.quantile([days(horizons) for horizons in draws], (0.025, 0.975))
    assert limits == pytest.approx((167, 247), abs=LIMIT_TOLERANCE)
