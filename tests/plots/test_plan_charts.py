"""Charts of a plan show the law's own numbers: equal loss is equal, and the plan is where it was planned."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting import Fit
from allometry.planning.allocation import Plan, allocate
from allometry.planning.basis import basis_of
from allometry.planning.changes import Kind, Sensitivity
from allometry.planning.questions import Question
from allometry.planning.rates import training_rate
from allometry.planning.sensitivity import sensitivity
from allometry.planning.standings import standing
from allometry.plots import equal_loss_lines, least_loss, trade_at_equal_loss, what_would_change


def rows_of(chart: alt.LayerChart, *fields: str) -> pd.DataFrame:
    spec = chart.to_dict()
    return pd.DataFrame([r for rows in spec["datasets"].values() for r in rows if set(fields) <= r.keys()])


def words(chart: alt.LayerChart) -> str:
    title: dict[str, Any] = chart.to_dict()["title"]
    return " ".join([title["text"], *title["subtitle"]])


@pytest.fixture(scope="module")
def plan(drawn: Fit) -> Plan:
    return allocate(drawn, usd=2e4, device="h100-sxm", served_tokens=1e12)


@pytest.fixture(scope="module")
def found(drawn: Fit) -> Sensitivity:
    return sensitivity(drawn, Question(usd=2e4, rate=training_rate("h100-sxm")))


def test_every_point_of_a_line_has_its_loss_and_one_line_goes_through_the_plan(
    plan: Plan, drawn: Fit
) -> None:
    rows = rows_of(equal_loss_lines(plan, drawn), "series", "x", "value")
    surface = basis_of(drawn).surface()

    for name, line in rows.groupby("series"):
        losses = [float(surface.loss(n, d)[0]) for n, d in zip(line["x"], line["value"], strict=True)]
        assert losses == pytest.approx([float(str(name))] * len(line), rel=1e-3)  # four digits in the legend
    here = float(surface.loss(plan.params.value, plan.tokens.value)[0])
    assert f"{here:.4g}" in set(rows["series"])


def test_the_green_band_ends_where_the_tolerance_is_lost(plan: Plan, drawn: Fit) -> None:
    band = rows_of(equal_loss_lines(plan, drawn), "x", "low", "high").iloc[100]
    surface = basis_of(drawn).surface()

    for size, data in ((band["x"], band["low"]), (band["x"], band["high"])):
        lost = float(surface.loss(size, data)[0] / surface.loss(*surface.best(6 * size * data))[0]) - 1
        assert lost == pytest.approx(plan.near.tolerance, rel=0.05)  # a step of the grid


def test_the_trade_costs_what_the_law_says(plan: Plan, drawn: Fit) -> None:
    chart = trade_at_equal_loss(plan, drawn)
    rows = rows_of(chart, "series", "x", "value")
    surface = basis_of(drawn).surface()
    loss = float(surface.loss(plan.params.value, plan.tokens.value)[0])
    params, tokens = (float(one[0]) for one in surface.cheapest(loss))

    shown = rows[rows["series"].str.startswith("tokens")].iloc[::40]
    needed = [float(surface.tokens_for(loss, x * params)[0]) for x in shown["x"].tolist()]
    assert (tokens * shown["value"]).tolist() == pytest.approx(needed)
    assert "Half the size" in words(chart)


def test_the_plan_lies_on_its_own_trade(plan: Plan, drawn: Fit) -> None:
    rows = rows_of(trade_at_equal_loss(plan, drawn), "x", "value")
    curve = rows[rows["series"].fillna("").str.startswith("tokens")].sort_values("x")
    point = rows[rows["series"].isna()].iloc[0]

    at_plan = np.interp(np.log(point["x"]), np.log(curve["x"]), np.log(curve["value"]))
    assert point["value"] == pytest.approx(float(np.exp(at_plan)), rel=1e-3)


@pytest.mark.parametrize("spent", ["flops", "usd", "kilowatt_hours"])
def test_the_least_loss_is_that_of_the_best_split_of_what_is_spent(
    plan: Plan, drawn: Fit, spent: Any
) -> None:
    chart = least_loss(plan, drawn, spent)
    line = rows_of(chart, "x", "value", "low", "high").dropna(subset=["low"])
    line = line[line.get("left", pd.Series(np.nan, line.index)).isna()]
    assert plan.cost is not None
    assert plan.cost.run.energy is not None
    spending = {"flops": plan.flops, "usd": 2e4, "kilowatt_hours": plan.cost.run.energy.value}

    for x, value in line[["x", "value"]].iloc[::30].to_numpy(dtype=float).tolist():
        best = drawn.optimum(x / spending[spent] * plan.flops)
        assert value == pytest.approx(best.loss.value, rel=1e-6)


def test_runs_are_shown_against_compute_and_not_against_money(plan: Plan, drawn: Fit) -> None:
    assert f"Rings: {len(drawn.data)} runs" in words(least_loss(plan, drawn))
    assert "Rings" not in words(least_loss(plan, drawn, "usd"))


def test_a_plan_without_a_device_has_no_cost_to_show(drawn: Fit) -> None:
    with pytest.raises(InputError, match="has no money"):
        least_loss(allocate(drawn, flops=1e18), drawn, "usd")


def test_a_published_law_is_drawn_without_runs_and_without_ranges() -> None:
    plan = allocate("hoffmann_2022", flops=1e22)

    assert "No ranges: no draws." in words(least_loss(plan, "hoffmann_2022"))
    assert "No ranges: no draws." in words(trade_at_equal_loss(plan, "hoffmann_2022"))


def test_each_change_ends_at_its_answer_and_the_largest_is_first(found: Sensitivity) -> None:
    chart = what_would_change(found)
    rows = rows_of(chart, "what", "setting", "ratio").drop_duplicates()

    for change in found.ranked()[:5]:
        mine = rows[(rows["what"] == change.what) & (rows["setting"] == change.setting)]
        assert len(mine)
        assert mine["ratio"].to_numpy() == pytest.approx(found.over_base(change, "params"))
    assert rows["what"].iloc[0] == found.ranked()[0].what


def test_what_does_not_touch_a_number_is_left_out(found: Sensitivity) -> None:
    rows = rows_of(what_would_change(found, "loss"), "kind", "ratio")

    assert str(Kind.LAW) not in set(rows["kind"])  # their losses are of other texts
    assert {"price", "utilisation", "coefficient"} <= set(rows["kind"])


@pytest.mark.parametrize(("params", "tokens"), [(280e9, 300e9), (8e9, 1e14)])
def test_a_run_far_from_the_best_is_inside_the_picture_of_its_trade(params: float, tokens: float) -> None:
    run = standing("hoffmann_2022", params=params, tokens=tokens)

    curve = trade_at_equal_loss(run, "hoffmann_2022").to_dict()["layer"][-1]["encoding"]

    across, up = (curve[axis]["scale"]["domain"] for axis in "xy")
    best = run.params / run.params_ratio.value
    assert across[0] < params / best < across[1]
    data = run.compute_ratio.value / run.params_ratio.value
    assert up[0] < min(data, run.compute_ratio.value) <= max(data, run.compute_ratio.value) < up[1]


def test_pictures_of_a_run_on_repeated_tokens_go_through_it_and_name_the_stock() -> None:
    law = "muennighoff_2023"
    plan = allocate(law, flops=9.3e21, unique_tokens=25e9)
    repeated = float(plan.loss.value)

    lines, trade = equal_loss_lines(plan, law), trade_at_equal_loss(plan, law)

    assert f"{repeated:.4g}" in set(rows_of(lines, "series", "x", "value")["series"])
    curve = rows_of(trade, "series", "x", "value")
    here = rows_of(trade, "x", "value")
    here = here[here.get("series", pd.Series(np.nan, here.index)).isna()]
    assert here[["x", "value"]].to_numpy() == pytest.approx(np.ones((2, 2)), rel=1e-5)
    # Four times the size would take fewer tokens, and more of compute than were all of them fresh.
    compute = curve[curve["series"].str.startswith("compute")].sort_values("x")
    fresh = trade_at_equal_loss(allocate(law, flops=9.3e21), law)
    other = rows_of(fresh, "series", "x", "value")
    other = other[other["series"].str.startswith("compute")].sort_values("x")
    assert np.interp(4, compute["x"], compute["value"]) > np.interp(4, other["x"], other["value"])
    assert "Only 25B tokens are unique." in words(lines)
    assert "Only 25B tokens are unique." in words(trade)


def test_the_line_of_least_loss_on_a_stock_goes_through_the_plan_on_that_stock() -> None:
    law = "muennighoff_2023"
    plan = allocate(law, flops=9.3e21, unique_tokens=25e9)
    chart = least_loss(plan, law)

    line = rows_of(chart, "x", "value")
    line = line[line["x"] != plan.flops].sort_values("x")
    at_plan = np.interp(np.log(plan.flops), np.log(line["x"]), np.log(line["value"]))
    assert np.exp(at_plan) == pytest.approx(plan.loss.value, rel=1e-3)
    assert "Only 25B tokens are unique." in words(chart)


def test_a_served_plan_above_the_line_says_why(plan: Plan, drawn: Fit) -> None:
    assert "above the line because it is served" in words(least_loss(plan, drawn))
