"""Growth of training compute and cost: Epoch AI, epoch.ai/data; Cottier et al. 2024, arXiv:2405.21015."""

from time import process_time
from typing import Any

import pytest

from allometry.trends.inputs import input_growth
from allometry.trends.series import read_series
from allometry.trends.trend import exponential_trend

pytestmark = pytest.mark.public_data

DIGIT = 0.0051  # half of the last digit published
LIMIT_TOLERANCE = 0.0101  # the published ends come from a bootstrap, ours from t


def test_the_compute_of_notable_models_grows_by_the_published_factor(published: Any) -> None:
    notable = published("epoch_models").where("notability IS NOT NULL AND flops > 0")

    made = exponential_trend(read_series(notable, "flops").between("2010-01-01"), draws=20)
    rate = made.doublings

    assert len(made.series) == 428
    assert 2**rate.value == pytest.approx(4.68, abs=DIGIT)
    assert (2**rate.low, 2**rate.high) == pytest.approx((4.24, 5.17), abs=LIMIT_TOLERANCE)


@pytest.mark.slow
def test_the_growth_of_428_models_takes_under_two_seconds_of_the_processor(published: Any) -> None:
    notable = published("epoch_models").where("notability IS NOT NULL AND flops > 0")

    began = process_time()
    found = input_growth(notable, ["flops"], since="2010-01-01")
    seconds = process_time() - began

    assert found.table["factor"].iloc[0] == pytest.approx(4.68, abs=DIGIT)
    assert "do not tell an exponential from a trend that levels off" in found.summary()
    assert seconds < 2


def test_the_cost_of_the_ten_largest_at_release_grows_by_the_published_factor(published: Any) -> None:
    models = published("epoch_models")

    found = input_growth(models, ["cost_usd_2023"], since="2016-01-01", largest=10, draws=20)
    row = found.table.iloc[0]

    assert row["points"] == 38
    assert row["factor"] == pytest.approx(2.41, abs=DIGIT)
