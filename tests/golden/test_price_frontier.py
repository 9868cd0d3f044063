"""What a given score costs over time: Epoch AI 2025, llm-inference-price-trends, its table of results."""

import json
from typing import Any

import pandas as pd
import pytest

from allometry.trends.prices import Prices, price_trends

pytestmark = pytest.mark.public_data

FACTOR_TOLERANCE = 1e-3
END_TOLERANCE = 0.01


@pytest.fixture(scope="module")
def found(published: Any) -> Prices:
    runs = published("price_frontier")
    return price_trends(
        runs, price="USD per 1M Tokens", by=["bench", "threshold_model"], date="Release Date",
        label="Model Name",
    )  # fmt: skip


@pytest.fixture(scope="module")
def answers(published: Any) -> pd.DataFrame:
    table: pd.DataFrame = published("price_frontier_fits").table
    return table.assign(name=table["bench"] + ", " + table["threshold_model"])


def test_the_price_of_each_score_falls_by_the_published_factor(found: Prices, answers: pd.DataFrame) -> None:
    assert len(answers) == 7
    for answer in answers.to_dict("records"):
        one = found[answer["name"]]
        low, high = json.loads(answer["price_reduction_factor_per_year_90_ci"])
        assert len(one.series) == answer["sample_size"]
        assert one.factor.value == pytest.approx(
            answer["price_reduction_factor_per_year"], rel=FACTOR_TOLERANCE
        )
        assert (one.factor.low, one.factor.high) == pytest.approx((low, high), rel=END_TOLERANCE)


def test_every_trend_of_fewer_than_six_points_is_flagged(found: Prices, answers: pd.DataFrame) -> None:
    few = set(answers.loc[answers["sample_size"] < 6, "name"])

    (flag,) = [one for one in found.findings if one.code == "few_points"]
    assert set(flag.evidence) == few
    assert len(few) == 2
