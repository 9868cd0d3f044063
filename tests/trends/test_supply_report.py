"""Prices, walls and sample efficiency in a report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allometry.report.contents import Item, gather
from allometry.report.sections import sections
from allometry.runs.run import Runs
from allometry.trends.prices import price_trends
from allometry.trends.sample_efficiency import tokens_to_reach
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.walls import doublings_left


def test_a_report_shows_prices_walls_and_tokens_each_in_a_part_of_its_own() -> None:
    models = pd.DataFrame({"year": [2020, 2021, 2022, 2023], "usd": [8.0, 4, 2, 1]})
    tokens = np.geomspace(1e8, 1e10, 6)
    runs = pd.DataFrame({"recipe": "base", "tokens": tokens, "loss": 2 + 400 * tokens**-0.3})
    power = Constraint(name="power", now=Range.exactly(1e8), bound=Range(8e8, 3.2e9), source="stated")
    made: list[Item] = [
        price_trends(Runs(models), price="usd"),
        doublings_left([power], growth=Range(3.0, 5.0), start=2025, draws=50),
        tokens_to_reach(Runs(runs), 2.05, draws=10),
    ]

    found = list(sections(gather(made)))
    assert [one.title for one in found] == [
        "What a given score costs",
        "How far compute can grow",
        "Tokens to a loss of 2.05",
    ]
    assert [len(one.figures) for one in found] == [1, 1, 1]
    assert found[0].tables[0].rows[0][3] == "2"
    assert found[0].sentences[0].endswith("2× cheaper a year (90%: 2× to 2×), 4 models, 2020-01 to 2023-01.")
    assert "few_points" in {one.code for one in found[0].findings}
    assert "beyond_runs" in {one.code for one in found[2].findings}
