"""Charts of approach 2 show the library's own numbers."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.fitting.frontier.envelope import envelope
from allometry.fitting.frontier.isoflop import IsoFlopFit, iso_flop
from allometry.laws import chinchilla
from allometry.plots.isoflop import compute_optimal_frontier, iso_flop_profiles
from allometry.runs.run import Runs

LAW = {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31}


def rows_of(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows if set(fields) <= row.keys()]


def words(chart: alt.LayerChart) -> str:
    title = chart.to_dict()["title"]
    return " ".join([title["text"], *title["subtitle"]])


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Four budgets; the last has small sizes only."""
    grid = np.geomspace(1 / 4, 4, 9)
    flops = np.repeat([1e17, 1e18, 1e19, 1e20], 9)
    params = np.sqrt(flops / 6) * np.concatenate([np.tile(grid, 3), grid / 8])
    loss = chinchilla.evaluate({"params": params, "tokens": flops / 6 / params}, LAW)
    return Runs(pd.DataFrame({"flops": flops, "params": params, "tokens": flops / 6 / params, "loss": loss}))


@pytest.fixture(scope="module")
def found(runs: Runs) -> IsoFlopFit:
    return iso_flop(runs, noise=0.002, draws=50)


def test_every_run_is_shown_and_unused_budgets_are_hollow(found: IsoFlopFit, runs: Runs) -> None:
    chart = iso_flop_profiles(found)

    rows = rows_of(chart, "used")
    assert sorted(row["value"] for row in rows) == sorted(runs.column("loss"))
    assert {row["series"] for row in rows if not row["used"]} == {"1e20"}
    assert "Hollow: 1 budget without a minimum" in words(chart)


def test_each_curve_has_its_least_point_at_the_star(found: IsoFlopFit) -> None:
    rows = pd.DataFrame([r for r in rows_of(iso_flop_profiles(found), "series", "x", "value") if len(r) == 3])

    for label, profile in zip(("1e17", "1e18", "1e19"), found.used, strict=True):
        mine = rows[rows["series"] == label].sort_values("value").iloc[0]
        assert (mine["x"], mine["value"]) == pytest.approx((profile.best, profile.best_output), rel=1e-9)


def test_the_frontier_is_the_power_laws_with_their_ranges(found: IsoFlopFit) -> None:
    lines = rows_of(compute_optimal_frontier(found, level=0.8), "low", "high")

    for row in lines[::17]:
        law = found.params_law if row["series"].startswith("param") else found.tokens_law
        at = law.at(row["x"], 0.8)
        assert (row["value"], row["low"], row["high"]) == (at.value, at.low, at.high)


def test_exponents_stand_in_the_subtitle(found: IsoFlopFit) -> None:
    assert "N* grows as C^0.500, D* as C^0.500" in words(compute_optimal_frontier(found))


def test_approach_1_is_drawn_alike_and_without_draws_there_is_no_band(runs: Runs) -> None:
    many = [
        runs.table.assign(params=runs.table["params"] * f, tokens=runs.table["tokens"] / f) for f in (1, 2)
    ]
    chart = compute_optimal_frontier(envelope(Runs(pd.concat(many, ignore_index=True)), draws=0))

    assert "No ranges: no draws." in words(chart)
    assert "area" not in json.dumps(chart.to_dict())


def test_charts_hold_no_number_that_is_none(found: IsoFlopFit) -> None:
    for chart in (iso_flop_profiles(found), compute_optimal_frontier(found)):
        assert chart.to_dict()["description"]
        assert "NaN" not in json.dumps(chart.to_dict())
