"""Published tables by name, from the folder beside the repository; tests are skipped where it is absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from allometry.runs.importers.table import read_runs
from allometry.runs.run import Runs

SHARED = Path(__file__).parents[3] / "shared" / "data"


class Published:
    """Reads published tables; `dated` adds decimal years, as the laws of the calendar read them."""

    def __call__(self, name: str) -> Runs:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ALLOMETRY_DATA", str(SHARED))
            return read_runs(f"published:{name}")

    def dated(self, name: str, column: str, *, days_a_year: float = 365.25) -> Runs:
        runs = self(name)
        days = (pd.to_datetime(runs.table[column]) - pd.Timestamp("2020-01-01")).dt.days
        return replace(runs, table=runs.table.assign(year=2020 + days / days_a_year))


@pytest.fixture(scope="session")
def published() -> Published:
    if not SHARED.is_dir():
        pytest.skip(f"the public tables are not at {SHARED}")
    return Published()
