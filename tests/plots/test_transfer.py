"""The chart of learning-rate transfer shows every run, and marks as a minimum only what is one."""

from __future__ import annotations

import json
import math
from typing import Any

import altair as alt
import pandas as pd

from allometry.plots import learning_rate_transfer
from allometry.runs.run import Runs

RATES = (0.001, 0.002, 0.004, 0.008)


def basin(width: int, best: float) -> pd.DataFrame:
    losses = [3 + 0.2 * math.log(rate / best) ** 2 for rate in RATES]
    ids = [f"{width}-{rate}" for rate in RATES]
    columns = {"run_id": ids, "learning_rate": RATES, "loss": losses, "status": "done", "reason": "because"}
    return pd.DataFrame({"width": width, **columns})


def values(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    """The rows of all data sets in a chart that have these fields."""
    rows = [row for rows in chart.to_dict()["datasets"].values() for row in rows]
    return [row for row in rows if set(fields) <= row.keys()]


def title(chart: alt.LayerChart) -> str:
    return str(chart.to_dict()["title"]["text"])


def test_minima_between_tried_rates_carry_their_interval_and_the_title_their_drift() -> None:
    chart = learning_rate_transfer(Runs(pd.concat([basin(16, 0.004), basin(64, 0.002)])))

    minima = {(row["series"], row["low"], row["high"]) for row in values(chart, "edge")}
    assert minima == {("16", 0.002, 0.008), ("64", 0.001, 0.004)}
    assert title(chart) == "From width 16 to 64 the best learning rate goes as width^-0.50"
    assert {row["value"] for row in values(chart, "series")} >= set(basin(16, 0.004)["loss"])
    assert "NaN" not in json.dumps(chart.to_dict())


def test_a_lowest_loss_at_an_end_is_no_minimum_and_no_drift_is_claimed() -> None:
    table = pd.concat([basin(16, 0.004), basin(64, 0.0001)], ignore_index=True)
    table.loc[3, "status"] = "diverged"

    chart = learning_rate_transfer(Runs(table))

    assert title(chart) == "At 1 of 2 widths the lowest loss is at an end of the rates tried"
    assert [row["run_id"] for row in values(chart, "reason")] == ["16-0.008"]
    assert chart.to_dict()["title"]["subtitle"][-1] == "Cross: a rate at which a run diverged or failed."
