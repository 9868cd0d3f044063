"""Charts are valid, and the numbers in them are the library's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest

from allometry import plots
from allometry.errors import FitError, InputError
from allometry.fitting import Fit, fit
from allometry.planning.allocation import allocate
from allometry.runs.run import Runs


def values(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    """The rows of all data sets in a chart that have these fields."""
    spec = chart.to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows]
    return [row for row in rows if set(fields) <= row.keys()]


def words(chart: alt.LayerChart) -> str:
    title = chart.to_dict()["title"]
    return " ".join([title["text"], *title["subtitle"]])


@pytest.mark.parametrize("name", ["drawn", "kaplan", "one_input"])
def test_every_chart_of_a_fit_is_valid_whatever_the_law(name: str, request: pytest.FixtureRequest) -> None:
    made: Fit = request.getfixturevalue(name)
    held = made.predict(**{column: 2 * made.data.inputs[key].max() for key, column in made.inputs.items()})
    charts = [
        plots.predicted_against_measured(made),
        plots.residuals(made),
        plots.residuals(made, "order"),
        plots.forecast_and_outcome(held, made),
        plots.forecast_and_outcome(held, made, outcome=held.median),
        *(plots.law_slices(made, column) for column in made.inputs.values()),
    ]

    for chart in charts:
        spec = chart.to_dict()
        assert spec["description"]
        assert spec["title"]["text"]
        assert spec["config"]["background"] == "white"
        assert "NaN" not in json.dumps(spec)


def test_each_run_is_drawn_at_its_own_compute_and_loss(runs: Runs, drawn: Fit) -> None:
    rows = {row["run_id"]: row for row in values(plots.loss_against_compute(runs, drawn), "run_id", "role")}
    done = runs.where("design IN ('ladder', 'target') AND status = 'done'").table

    assert set(rows) == set(done["run_id"])
    for run in done.to_dict("records"):
        assert rows[run["run_id"]]["value"] == run["loss"]
        assert rows[run["run_id"]]["x"] == 6 * run["params"] * run["tokens"]


def test_the_target_is_hollow_and_lost_runs_are_crosses(runs: Runs, drawn: Fit) -> None:
    chart = plots.loss_against_compute(runs, drawn)
    unseen = {row["run_id"] for row in values(chart, "role") if row["role"] == "held out"}

    assert unseen == set(runs.where("design = 'target'").table["run_id"])
    assert {row["status"] for row in values(chart, "status")} == {"diverged", "failed"}
    assert "16 fitted runs, 1 that the fit has not seen (hollow), 2 diverged or failed" in words(chart)


def test_the_frontier_is_the_least_loss_of_the_law_at_each_budget(runs: Runs, drawn: Fit) -> None:
    chart = plots.loss_against_compute(runs, drawn)
    frontier = [row for row in values(chart, "x", "value") if set(row) == {"x", "value"}]

    for row in frontier[:: len(frontier) // 5]:
        assert row["value"] == pytest.approx(drawn.optimum(flops=row["x"]).loss.value, rel=1e-9)


def test_runs_without_a_fit_or_a_size_are_drawn_too(runs: Runs) -> None:
    only_compute = Runs(runs.where("status = 'done'").table[["flops", "loss"]])

    assert "29 runs" in words(plots.loss_against_compute(only_compute))
    assert "17 runs" in words(plots.loss_against_tokens(runs))


def test_a_fit_of_another_unit_says_so(ladder: Runs) -> None:
    bits = fit("chinchilla", ladder, output="bits_per_byte")

    assert "bit/byte" in json.dumps(plots.loss_against_tokens(ladder, bits).to_dict())


def test_slices_go_through_the_law(drawn: Fit) -> None:
    lines = list(values(plots.law_slices(drawn, "tokens"), "low", "high", "series"))
    smallest = float(drawn.data.inputs["params"].min())
    first = [row for row in lines if row["series"] == "1M"]

    assert len(first) > 10
    for row in first:
        exact = drawn.law.evaluate({"params": smallest, "tokens": row["x"]}, drawn.coefficients)
        assert row["value"] == pytest.approx(float(exact), rel=1e-12)
        assert row["low"] <= row["high"]


def test_residuals_are_measured_over_fitted(drawn: Fit) -> None:
    rows = values(plots.residuals(drawn, "flops"), "percent", "run_id")

    np.testing.assert_allclose([row["percent"] for row in rows], 100 * np.expm1(drawn.residuals()), atol=1e-9)


def test_the_cloud_holds_every_draw(drawn: Fit) -> None:
    assert drawn.draws is not None
    rows = [row for row in values(plots.exponent_cloud(drawn), "x", "y") if set(row) == {"x", "y"}]

    assert [row["x"] for row in rows] == drawn.draws["alpha"].tolist()


def test_the_bars_of_a_forecast_are_its_stated_quantiles(drawn: Fit) -> None:
    forecast = drawn.predict(params=3e7, tokens=3e8)
    chart = plots.forecast_and_outcome(forecast, drawn, outcome=2.5)
    bars = {row["interval"]: (row["low"], row["high"]) for row in values(chart, "interval")}

    assert bars["90%"] == (forecast.quantiles[0.05], forecast.quantiles[0.95])
    assert bars["50%"] == (forecast.quantiles[0.25], forecast.quantiles[0.75])
    assert f"{forecast.median:.3f}" in words(chart)
    assert "measured 2.500" in words(chart)


def test_a_forecast_without_draws_says_why_it_has_no_bars(ladder: Runs) -> None:
    bare = fit("chinchilla", ladder)

    assert "no interval because" in words(
        plots.forecast_and_outcome(bare.predict(params=3e7, tokens=3e8), bare)
    )


def test_the_plan_is_drawn_where_the_library_puts_it(drawn: Fit) -> None:
    plan = allocate(drawn, flops=1e17)
    best = values(plots.loss_against_params(plan, drawn), "left", "right")[0]
    growth = values(plots.optimum_against_compute(drawn, plan), "series", "low")

    assert best["x"] == plan.params.value
    assert (best["left"], best["right"]) == (plan.params.low, plan.params.high)
    assert {row["value"] for row in growth if row["x"] == plan.flops} == {
        plan.params.value,
        plan.tokens.value,
    }


def test_what_a_law_cannot_show_is_refused_with_the_reason(one_input: Fit, ladder: Runs, drawn: Fit) -> None:
    with pytest.raises(FitError, match="no best split"):
        plots.optimum_against_compute(one_input)
    with pytest.raises(InputError, match="not 'token'"):
        plots.law_slices(drawn, "token")
    with pytest.raises(InputError, match="bootstrap"):
        plots.exponent_cloud(fit("chinchilla", ladder))


def test_a_learning_rate_at_the_end_of_those_tried_is_called_out(runs: Runs) -> None:
    inside = plots.learning_rate_checks(runs)
    cut = plots.learning_rate_checks(runs.where("learning_rate >= 0.01"))

    assert "lies between tried ones at every size" in words(inside)
    assert "At 4 of 4 sizes" in words(cut)


def test_pictures_are_saved_by_suffix(tmp_path: Path, drawn: Fit) -> None:
    chart = plots.residuals(drawn)
    plots.save_picture(chart, tmp_path / "chart.svg")
    plots.save_picture(chart, tmp_path / "chart.png")

    assert (tmp_path / "chart.svg").read_text().startswith("<svg")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"\.svg or \.png"):
        plots.save_picture(chart, tmp_path / "chart.gif")


def test_charts_need_no_torch_and_the_package_no_altair() -> None:
    check = "import sys, {0}; sys.exit('{1}' in sys.modules)"

    for package, heavy in (("allometry.plots", "torch"), ("allometry", "altair")):
        subprocess.run([sys.executable, "-c", check.format(package, heavy)], check=True)
