"""Forecasts of held-out runs are those of fits that never saw them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.fitting.solve import fit
from allometry.runs.run import Runs
from allometry.trends.held_out import held_out_forecasts


def noisy_runs() -> Runs:
    flops = np.geomspace(1e15, 1e19, 24)
    noise = 0.02 * np.random.default_rng(0).standard_normal(24)
    return Runs(pd.DataFrame({"flops": flops, "loss": (2 + 400 * flops**-0.15) * np.exp(noise)}))


def test_each_run_is_forecast_with_the_scatter_of_the_other_folds_by_a_law_fitted_to_them() -> None:
    runs, fold = noisy_runs(), np.arange(24) % 3
    law, inputs = "power_law_with_floor", {"x": "flops"}
    logs = np.log(runs.column("loss"))

    found = held_out_forecasts(fit(law, runs, inputs=inputs), fold)

    for held in range(3):
        alone = fit(law, Runs(runs.table[fold != held]), inputs=inputs)
        said = np.log(alone.law.evaluate({"x": runs.column("flops")}, alone.coefficients))
        left = (said - logs)[fold != held]
        rows = found[fold == held]
        assert rows.mean(axis=1) == pytest.approx(said[fold == held], abs=1e-6)
        # 16 runs carry 3 coefficients; forty points in equal steps of probability spread a little less.
        spread = np.sqrt((left**2).sum() / 13)
        assert rows.std(axis=1) == pytest.approx(np.full(8, spread), rel=0.03)
