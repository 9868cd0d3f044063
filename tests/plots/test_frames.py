"""Which runs charts draw: all, or of very many a sample that says so and keeps the ends."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from allometry.fitting.solve import fit
from allometry.plots import frames, loss_against_compute, predicted_against_measured, residuals
from allometry.runs.run import Runs


@pytest.fixture(scope="module")
def many() -> Runs:
    rng = np.random.default_rng(0)
    flops = np.geomspace(1e18, 1e21, 3000)
    loss = 20 * flops**-0.05 * np.exp(0.003 * rng.standard_normal(3000))
    return Runs(pd.DataFrame({"run_id": [f"r{n}" for n in range(3000)], "flops": flops, "loss": loss}))


def test_of_very_many_runs_a_sample_is_drawn_with_the_ends_of_each_column() -> None:
    frame = pd.DataFrame({"x": np.arange(9000.0), "y": np.random.default_rng(1).permutation(9000)})

    drawn = frames.sampled(frame, "x", "y")

    assert len(drawn) == frames.MOST_DOTS
    assert (drawn["x"].min(), drawn["x"].max(), drawn["y"].min(), drawn["y"].max()) == (0, 8999, 0, 8999)
    assert drawn["x"].is_monotonic_increasing
    pd.testing.assert_frame_equal(drawn, frames.sampled(frame, "x", "y"))


def test_a_few_thousand_runs_are_all_drawn_and_nothing_is_said() -> None:
    frame = pd.DataFrame({"x": np.arange(2000.0)})

    assert frames.sampled(frame, "x") is frame
    assert frames.sample_words(frame) == ""


def test_charts_of_very_many_runs_say_how_many_they_draw(many: Runs) -> None:
    found = fit("power_law", many, inputs={"x": "flops"}, starts=2)

    for chart in (loss_against_compute(many, found), predicted_against_measured(found), residuals(found)):
        text = json.dumps(chart.to_dict())
        assert "Dots: a sample of 2,000 of 3,000 runs." in text
        assert 1900 < text.count('"run_id"') < 2500
