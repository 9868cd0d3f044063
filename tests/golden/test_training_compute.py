"""Growth of training compute and cost: Epoch AI, epoch.ai/data; Cottier et al. 2024, arXiv:2405.21015."""

from typing import Any

import pytest

from allometry.fitting import bootstrap, fit

pytestmark = pytest.mark.public_data

DIGIT = 0.0051  # half of the last digit published
# By 1,000 draws the 5% quantile of the slope is known to 7% of its standard error, which is 0.06 in log2.
LIMIT_TOLERANCE = 0.06


def test_the_compute_of_notable_models_grows_by_the_published_factor(published: Any) -> None:
    runs = published.dated("epoch_models", "date")
    notable = runs.where(
        "notability IS NOT NULL AND date >= '2010-01-01' AND flops IS NOT NULL AND flops > 0"
    )

    found = fit("exponential_trend", notable, objective="least_squares", output="flops")
    low, high = bootstrap(found, draws=1000).interval("g")

    assert len(notable) == 428
    assert 2 ** found.coefficients["g"] == pytest.approx(4.68, abs=DIGIT)
    assert (2**low, 2**high) == pytest.approx((4.24, 5.17), abs=LIMIT_TOLERANCE)


def test_the_cost_of_the_ten_largest_at_release_grows_by_the_published_factor(published: Any) -> None:
    runs = published.dated("epoch_models", "date")
    # Of all models with known compute, also those of unknown cost: at most ten had as much, itself included.
    largest = runs.where(
        "date >= '2016-01-01' AND cost_usd_2023 > 0 AND "
        "(SELECT count(*) FROM runs r WHERE r.date <= runs.date AND r.flops >= runs.flops) BETWEEN 1 AND 10"
    )

    found = fit("exponential_trend", largest, objective="least_squares", output="cost_usd_2023")

    assert len(largest) == 38
    assert 2 ** found.coefficients["g"] == pytest.approx(2.41, abs=DIGIT)
