"""Charts of trends and horizons show the library's own numbers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import altair as alt
import numpy as np
import pytest

from allometry.plots.horizons import horizons_over_time
from allometry.plots.trends import outlook_chart, trend_chart
from allometry.trends.horizon import Horizons, time_horizons
from allometry.trends.outlook import outlook
from allometry.trends.series import horizon_series
from allometry.trends.task_runs import TaskRuns
from allometry.trends.trend import Trend, exponential_trend


def rows_of(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows if set(fields) <= row.keys()]


@pytest.fixture(scope="module")
def horizons() -> Horizons:
    """Six agents of which the last is beyond the longest of eight tasks."""
    chance = 1 / (1 + np.exp(np.arange(8)[None, :] - 1.5 * np.arange(6)[:, None] - 0.5))
    agent, task, run = (one.ravel() for one in np.indices((6, 8, 10)))
    given = TaskRuns(
        agents=tuple("abcdef"), tasks=tuple("12345678"), released=np.arange(2020.0, 2026.0),
        log2_minutes=np.arange(8.0), family=np.arange(8), agent=agent, task=task,
        score=((run + 0.5) / 10 < chance[agent, task]) * 1.0,
    )  # fmt: skip
    return time_horizons(given, draws=30)


@pytest.fixture(scope="module")
def trend(horizons: Horizons) -> Trend:
    return exponential_trend(horizon_series(horizons).best(), draws=50)


def test_agents_stand_at_their_horizon_and_beyond_the_suite_on_its_end(
    horizons: Horizons, trend: Trend
) -> None:
    chart = horizons_over_time(horizons, trend)
    rows = {row["label"]: row for row in rows_of(chart, "label", "best")}

    assert rows["b"]["value"] == horizons.table["p50"][1]
    assert rows["f"]["bounded"]
    assert rows["f"]["value"] == horizons.longest == 128
    assert "doubles every" in chart.to_dict()["title"]["subtitle"][0]


def test_the_outlook_shows_every_part_and_the_interval_of_the_mixture(trend: Trend) -> None:
    made = outlook(trend.series, draws=40)
    chart = outlook_chart(made, until=2027.0)

    assert {row["series"] for row in rows_of(chart, "series")} == set(made.names)
    band = [row for row in rows_of(chart, "low", "high", "value") if "label" not in row]
    at = made.at(2027.0)
    assert (band[-1]["low"], band[-1]["high"]) == pytest.approx((at.low, at.high))


def test_the_line_of_a_trend_is_its_own(trend: Trend) -> None:
    line = [row for row in rows_of(trend_chart(trend), "low", "high") if "label" not in row]

    assert line[0]["value"] == pytest.approx(trend.line(np.array([2020.0]))[0])
    assert line[0]["low"] < line[0]["value"] < line[0]["high"]


def test_charts_hold_no_number_that_is_none(horizons: Horizons, trend: Trend) -> None:
    for chart in (horizons_over_time(horizons, trend), trend_chart(trend)):
        assert chart.to_dict()["description"]
        assert "NaN" not in json.dumps(chart.to_dict())


def test_the_line_of_the_longest_task_lies_inside_the_chart(horizons: Horizons, trend: Trend) -> None:
    weak = dataclasses.replace(horizons, longest=1e5)

    spec = horizons_over_time(weak, trend).to_dict()

    domains = [
        layer["encoding"]["y"]["scale"]["domain"] for layer in spec["layer"] if "y" in layer["encoding"]
    ]
    assert all(domain[1] > 1e5 for domain in domains)
