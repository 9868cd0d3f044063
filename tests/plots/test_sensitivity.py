"""Charts of what would change the answer hold the tables' numbers and the fit's own interval."""

from __future__ import annotations

import json
import re
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting import Fit, fit, sensitivity
from allometry.fitting.likelihood import likelihood_interval
from allometry.plots.sensitivity import by_choice, floor_words, forecast_by_floor, shift_by_run
from allometry.runs.run import Runs


def values(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    """The rows of all data sets in a chart that have these fields."""
    rows = [row for rows in chart.to_dict()["datasets"].values() for row in rows]
    return [row for row in rows if set(fields) <= row.keys()]


@pytest.fixture(scope="module")
def floors(drawn: Fit) -> pd.DataFrame:
    return sensitivity.by_floor(drawn, points=161)


@pytest.fixture(scope="module")
def objectives(drawn: Fit) -> pd.DataFrame:
    return sensitivity.by_objective(drawn)


@pytest.fixture(scope="module")
def left_out(drawn: Fit) -> pd.DataFrame:
    return sensitivity.influence(drawn)


@pytest.fixture(scope="module")
def undrawn(ladder: Runs) -> Fit:
    return fit("chinchilla", ladder)


def test_every_chart_is_valid_and_has_words(
    drawn: Fit, undrawn: Fit, floors: pd.DataFrame, objectives: pd.DataFrame, left_out: pd.DataFrame
) -> None:
    for made in (drawn, undrawn):
        charts = [
            forecast_by_floor(made, floors), by_choice(made, objectives),
            by_choice(made, objectives, "alpha"), shift_by_run(made, left_out),
        ]  # fmt: skip
        for chart in charts:
            spec = chart.to_dict()
            assert spec["description"]
            assert spec["title"]["text"]
            assert "NaN" not in json.dumps(spec)


def test_the_floors_shaded_at_90_percent_end_where_the_likelihood_interval_ends(
    drawn: Fit, floors: pd.DataFrame
) -> None:
    shaded = values(forecast_by_floor(drawn, floors), "low", "high")
    step = floors["E"].diff().max()
    stated = likelihood_interval(drawn, "E", level=0.9)

    assert len(shaded) == 3
    assert shaded[1]["low"] == pytest.approx(max(stated.low, 0.0), abs=step)
    assert shaded[1]["high"] == pytest.approx(stated.high, abs=step)


def test_the_stronger_the_level_the_wider_the_shade(drawn: Fit, floors: pd.DataFrame) -> None:
    widths = [row["high"] - row["low"] for row in values(forecast_by_floor(drawn, floors), "low", "high")]

    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[2]


def test_the_forecast_under_each_floor_is_the_tables(drawn: Fit, floors: pd.DataFrame) -> None:
    rows = values(forecast_by_floor(drawn, floors), "x", "value")

    assert {(row["x"], row["value"]) for row in rows} <= set(
        zip(floors["E"], floors["forecast"], strict=True)
    )
    assert drawn.coefficients["E"] in {row["x"] for row in rows}


def test_floors_that_the_runs_rule_out_by_far_do_not_squeeze_the_rest(
    drawn: Fit, floors: pd.DataFrame
) -> None:
    shown = [row["x"] for row in values(forecast_by_floor(drawn, floors), "x", "value")]
    interval = likelihood_interval(drawn, "E", level=0.99)

    assert min(shown) <= max(interval.low, 0.0) + floors["E"].diff().max()
    assert max(shown) < floors["E"].max()


def test_the_words_about_floors_name_the_end_of_the_interval(drawn: Fit, floors: pd.DataFrame) -> None:
    said = re.search(r"from ([\d.]+) to ([\d.]+) nat/token", floor_words(drawn, floors))
    stated = likelihood_interval(drawn, "E", level=0.9)

    assert said is not None
    assert float(said[2]) == pytest.approx(stated.high, abs=floors["E"].diff().max())


def test_each_objective_is_a_row_and_the_fits_own_is_set_apart(drawn: Fit, objectives: pd.DataFrame) -> None:
    chart = by_choice(drawn, objectives, "alpha")
    dots, own = values(chart, "choice"), values(chart, "low", "high")

    assert {row["value"] for row in dots} == set(objectives["alpha"])
    assert dots[-1] == {"choice": "Huber, delta 0.001", "value": drawn.coefficients["alpha"]}
    assert (own[0]["low"], own[0]["high"]) == drawn.interval("alpha")


def test_the_interval_of_a_forecast_is_that_of_its_draws(drawn: Fit, objectives: pd.DataFrame) -> None:
    own = values(by_choice(drawn, objectives, level=0.8), "low", "high")[0]
    assert drawn.draws is not None
    at = sensitivity.ahead(drawn)
    said = np.array(
        [
            drawn.law.evaluate(at, {n: float(row[n]) for n in drawn.law.names})
            for _, row in drawn.draws.iterrows()
        ]
    )

    assert (said < own["low"]).mean() == pytest.approx(0.1, abs=1 / len(said))
    assert (said > own["high"]).mean() == pytest.approx(0.1, abs=1 / len(said))


def test_without_draws_there_is_no_shade_and_the_chart_says_so(
    undrawn: Fit, objectives: pd.DataFrame
) -> None:
    chart = by_choice(undrawn, objectives)

    assert not values(chart, "low")
    assert "no draws" in " ".join(chart.to_dict()["title"]["subtitle"])


def test_a_shift_is_the_relative_difference_of_a_fit_without_the_run(
    drawn: Fit, ladder: Runs, left_out: pd.DataFrame
) -> None:
    rows = values(shift_by_run(drawn, left_out, "beta"), "percent")
    without = fit("chinchilla", ladder.where("run_id != 'r05'"))

    shift = next(row["percent"] for row in rows if row["run"] == "r05")
    assert shift == pytest.approx(
        100 * (without.coefficients["beta"] / drawn.coefficients["beta"] - 1), abs=0.01
    )


def test_the_exponent_that_moves_most_is_shown_where_none_is_named(
    drawn: Fit, left_out: pd.DataFrame
) -> None:
    shifts = {name: np.abs(left_out[name] / drawn.coefficients[name] - 1).max() for name in ("alpha", "beta")}
    most = max(shifts, key=lambda name: shifts[name])

    assert most in shift_by_run(drawn, left_out).to_dict()["title"]["text"]


def test_a_quantity_that_is_not_there_is_refused(
    drawn: Fit, objectives: pd.DataFrame, left_out: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match="no 'gamma'"):
        by_choice(drawn, objectives, "gamma")
    with pytest.raises(InputError, match="not open"):
        shift_by_run(drawn, left_out, "gamma")


def test_a_law_of_compute_is_shown_along_compute(one_input: Fit) -> None:
    table = sensitivity.influence(one_input)
    rows = values(shift_by_run(one_input, table), "percent")

    assert {row["x"] for row in rows} == set(one_input.data.inputs["x"])
