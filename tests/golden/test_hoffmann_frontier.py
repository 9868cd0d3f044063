"""Approaches 1 and 2 on the 240 runs of Hoffmann et al. 2022: their table 2, within its intervals."""

from pathlib import Path

import pandas as pd
import pytest

from allometry.fitting.frontier.envelope import envelope
from allometry.fitting.frontier.isoflop import iso_flop
from allometry.runs.run import Runs

TABLE = Path(__file__).parents[3] / "shared" / "data" / "hoffmann_chinchilla_epoch.csv"
pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}"),
]

BUDGETS = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21]  # figure 3 of the paper


@pytest.fixture(scope="module")
def runs() -> Runs:
    table = Runs(pd.read_csv(TABLE), source="Hoffmann et al. 2022")
    return table.where("NOT excluded_in_published_fit", because="dropped by the replication")


def test_approach_1_meets_the_published_exponent(runs: Runs) -> None:
    slope = envelope(runs, draws=200).exponents()["params"]

    assert slope.value == pytest.approx(0.50, abs=0.02)  # from final runs here, from curves there
    assert slope.low < 0.50 < slope.high


def test_approach_2_overlaps_with_the_published_interval(runs: Runs) -> None:
    slope = iso_flop(runs, budgets=BUDGETS, tolerance=0.2, draws=200).exponents()["params"]

    assert slope.low < 0.49 < slope.high
    assert slope.low < 0.534
    assert slope.high > 0.462


def test_runs_read_from_a_figure_need_their_budgets_named(runs: Runs) -> None:
    with pytest.raises(ValueError, match="Name the budgets"):
        iso_flop(runs)
