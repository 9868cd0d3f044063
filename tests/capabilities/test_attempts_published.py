"""The published counts of Pythia on MATH: exponents, and forecasts of 10,000 attempts from 100."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.attempts import fit_line, forecast_pass, read_counts

pytestmark = pytest.mark.public_data
TABLE = Path(__file__).parents[3] / "shared" / "data" / "monkeys_pythia_math_counts.csv"
EXPONENTS = {"70M": 0.191, "410M": 0.286, "1B": 0.311, "12B": 0.370}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    if not TABLE.exists():
        pytest.skip(f"the public table {TABLE.name} is not here")
    return pd.read_csv(TABLE)


@pytest.mark.parametrize("size", list(EXPONENTS))
def test_the_exponent_of_the_line_is_the_published_one(table: pd.DataFrame, size: str) -> None:
    line = fit_line(read_counts(table, where=f"model = 'Pythia {size}'"))

    assert line.b == pytest.approx(EXPONENTS[size], abs=0.005)


def test_ten_thousand_attempts_are_forecast_from_a_hundred(table: pd.DataFrame) -> None:
    errors, inside = [], []
    for size in ("70M", "12B"):
        every = read_counts(table, where=f"model = 'Pythia {size}'")
        for seed in range(2):  # all twenty are in benchmarks/attempts_forecasts.py
            found = forecast_pass(every.thinned(100, seed), 10_000, draws=300, seed=seed)
            errors.append(abs(found.median[0] - every.solved))
            inside.append(found.low[0] <= every.solved <= found.high[0])

    assert np.mean(errors) <= 0.05
    assert np.mean(inside) >= 0.75
