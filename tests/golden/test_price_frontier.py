"""What a given score costs over time: Epoch AI 2025, llm-inference-price-trends, its table of results."""

import json
from typing import Any

import numpy as np
import pytest

from allometry.fitting import bootstrap, fit

pytestmark = pytest.mark.public_data

FACTOR_TOLERANCE = 1e-6  # relative; both are the same closed-form line
# The published interval is by t with n - 2 degrees of freedom, ours by 2,000 draws: the 5% quantile of t
# with 3 degrees of freedom is then known to 5.2%, and this is three times as much.
WIDTH_TOLERANCE = 0.16

TRENDS = (
    ("MMLU", "GPT-3"),
    ("MMLU", "GPT-3.5"),
    ("MMLU", "GPT-3.5 Turbo"),
    ("MMLU", "GPT-4-0314"),
    ("MMLU", "GPT-4 Turbo"),
    ("HumanEval", "GPT-4-0314"),
    ("HumanEval", "GPT-3.5-Turbo-2023-06"),
)


@pytest.mark.parametrize(("benchmark", "model"), TRENDS)
def test_the_price_of_a_score_falls_by_the_published_factor(
    published: Any, benchmark: str, model: str
) -> None:
    wanted = f"bench = '{benchmark}' AND threshold_model = '{model}'"
    runs = published.dated("price_frontier", "Release Date", days_a_year=365).where(wanted)
    answer = published("price_frontier_fits").where(wanted).table.iloc[0]

    found = fit("exponential_trend", runs, objective="least_squares", output="USD per 1M Tokens")
    drawn = bootstrap(found, draws=2000)

    slope = -np.log(answer["price_reduction_factor_per_year"])
    assert found.coefficients["g"] * np.log(2) == pytest.approx(slope, rel=FACTOR_TOLERANCE)
    limits = -np.log(json.loads(answer["price_reduction_factor_per_year_90_ci"]))[::-1]
    width = WIDTH_TOLERANCE * np.ptp(limits) / 2
    assert np.array(drawn.interval("g")) * np.log(2) == pytest.approx(limits, abs=width)
