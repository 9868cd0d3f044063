"""Charts of comparisons are valid, and the numbers in them are the library's."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting.comparison.laws import Comparison, compare
from allometry.fitting.comparison.recipes import Multiplier, multiplier
from allometry.plots.comparisons import fan_of_laws, held_out_errors, multiplier_against_compute
from allometry.runs.run import Runs


def values(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    """The rows of all data sets in a chart that have these fields."""
    rows = [row for rows in chart.to_dict()["datasets"].values() for row in rows]
    return [row for row in rows if set(fields) <= row.keys()]


@pytest.fixture(scope="module")
def compared(ladder: Runs) -> Comparison:
    return compare(["chinchilla", "power_law_with_floor"], ladder, steps=1, draws=30)


@pytest.fixture(scope="module")
def recipes() -> Multiplier:
    flops, new = np.tile(np.geomspace(1e18, 1e20, 8), 2), np.repeat([False, True], 8)
    loss = 1.7 + 60 * (flops * np.where(new, 1.3, 1.0)) ** -0.1
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(16))
    table = pd.DataFrame({"flops": flops, "recipe": np.where(new, "new", "old"), "loss": loss})
    return multiplier(
        Runs(table), by="recipe", law="power_law_with_floor", draws=50, hold={"E": 1.7}, reference="old"
    )


def test_every_chart_is_valid_and_has_words(compared: Comparison, recipes: Multiplier) -> None:
    charts = [
        fan_of_laws(compared, params=3e7, tokens=3e9),
        held_out_errors(compared),
        multiplier_against_compute(recipes),
    ]

    for chart in charts:
        spec = chart.to_dict()
        assert spec["description"]
        assert spec["title"]["text"]
        assert "NaN" not in json.dumps(spec)


def test_each_law_starts_at_the_largest_run_and_says_there_what_its_fit_says(compared: Comparison) -> None:
    chart = fan_of_laws(compared, params=3e7, tokens=3e9)
    rows = [row for row in values(chart, "series", "value") if row["series"] == "chinchilla"]
    law = compared.fits["chinchilla"]

    first = min(rows, key=lambda row: row["x"])
    stated = law.predict(params=1e7, tokens=3e8)  # the largest run of the ladder
    assert first["x"] == pytest.approx(6 * 1e7 * 3e8)
    assert [first[name] for name in ("value", "low", "high")] == pytest.approx(
        [stated.median, stated.low, stated.high]
    )


def test_the_fan_reaches_beyond_the_target(compared: Comparison) -> None:
    chart = fan_of_laws(compared, params=3e7, tokens=3e9)

    assert max(row["x"] for row in values(chart, "series", "value")) == pytest.approx(1.2 * 6 * 3e7 * 3e9)


def test_runs_that_were_held_out_are_hollow(compared: Comparison) -> None:
    rows = values(fan_of_laws(compared, params=3e7, tokens=3e9), "x", "value")
    unseen = {row["value"] for row in rows if set(row) == {"x", "value"}}

    assert set(compared.held_out["measured"]) <= unseen


def test_a_target_within_the_runs_or_not_whole_is_refused(compared: Comparison) -> None:
    with pytest.raises(InputError, match="beyond them"):
        fan_of_laws(compared, params=2e6, tokens=2e7)
    with pytest.raises(InputError, match="also need"):
        fan_of_laws(compared, params=3e7)


def test_the_ranking_is_shown_in_its_order_with_its_errors(compared: Comparison) -> None:
    rows = values(held_out_errors(compared), "law", "error")
    mean = [row for row in rows if "split" not in row]

    assert [row["law"] for row in mean] == compared.ranking["law"].tolist()
    assert [row["error"] for row in mean] == pytest.approx(100 * compared.ranking["error"])


def test_the_shared_multiplier_is_level_and_the_free_one_is_the_table(recipes: Multiplier) -> None:
    rows = values(multiplier_against_compute(recipes), "recipe", "value")
    level = {row["value"] for row in rows} - set(recipes.across["multiplier"])

    assert level == {recipes.table["multiplier"].item()}
    assert set(recipes.across["multiplier"]) <= {row["value"] for row in rows}
