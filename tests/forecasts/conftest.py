"""A study with nothing in it yet, and a forecast for a run in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.fitting.result import Forecast
from allometry.runs.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", 'name = "demo"')


@pytest.fixture
def forecast() -> Forecast:
    return Forecast(
        inputs={"params": 2.1e8, "tokens": 4.2e9},
        output="loss",
        unit="nat/token",
        median=3.25,
        low=3.1,
        high=3.5,
        level=0.9,
        quantiles={0.25: 3.2, 0.5: 3.25, 0.75: 3.35},
        beyond={"params": 2.1, "tokens": 1.0, "flops": 2.1},
        width={"coefficients": 0.7, "noise": 0.3},
        law="chinchilla",
        fit_hash="f1",
        data_hash="d1",
    )
