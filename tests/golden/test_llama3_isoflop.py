"""IsoFLOP profiles of Llama 3 (Fig. 2 of arXiv:2407.21783) as read by Open-Athena (arXiv:2603.22339)."""

from pathlib import Path

import pandas as pd
import pytest

from allometry.fitting.frontier.isoflop import IsoFlopFit, iso_flop
from allometry.runs.run import Runs

TABLE = Path(__file__).parents[3] / "shared" / "data" / "llama3_isoflop.csv"
pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}"),
]

DIGITS = 5e-5  # absolute: half a unit of the last published digit


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs(pd.read_csv(TABLE), source="Llama 3, Fig. 2")


@pytest.fixture(scope="module")
def both(runs: Runs) -> IsoFlopFit:
    """Both readings of the axis in one parabola a budget, as published; the residuals mean nothing."""
    return iso_flop(runs, along="tokens", flagged="outlier", draws=0)


@pytest.fixture(scope="module")
def raw(runs: Runs) -> IsoFlopFit:
    return iso_flop(runs.where("condition = 'raw_loss'", because="one reading"), flagged="outlier")


def test_tokens_grow_as_published(both: IsoFlopFit) -> None:
    assert both.tokens_law.coefficient == pytest.approx(0.2982, abs=DIGITS)
    assert both.tokens_law.exponent == pytest.approx(0.5369, abs=DIGITS)


def test_params_grow_as_published_in_one_reading(raw: IsoFlopFit) -> None:
    assert raw.params_law.exponent == pytest.approx(0.4632, abs=DIGITS)


def test_the_405_billion_budget_gives_the_published_optimum(both: IsoFlopFit) -> None:
    best = both.optimum(3.8e25)

    assert best.tokens.value == pytest.approx(16.1e12, abs=0.05e12)
    assert best.params.value == pytest.approx(393e9, abs=0.5e9)


def test_what_meta_chose_is_inside_the_interval(raw: IsoFlopFit) -> None:
    best = raw.optimum(3.8e25)

    assert best.params.low < 402e9 < best.params.high
    assert best.tokens.low < 16.55e12 < best.tokens.high


def test_the_flagged_points_move_the_exponent_as_published(both: IsoFlopFit, raw: IsoFlopFit) -> None:
    for found, rows, published in ((both, 35, 0.497), (raw, 17, 0.500)):
        without = found.sensitivity.set_index("change").loc[f"without {rows} flagged runs"]

        assert without["params_exponent"] == pytest.approx(published, abs=5e-4)
        assert "few_runs_decide" in {finding.code for finding in found.findings}


def test_the_interval_owns_up_to_that_sensitivity(raw: IsoFlopFit) -> None:
    slope = raw.exponents(level=0.95)["params"]

    assert slope.low < 0.4632 < 0.500 < slope.high
    assert "minima_scatter" in {finding.code for finding in raw.findings}


def test_two_readings_of_the_loss_in_one_table_are_noticed(both: IsoFlopFit) -> None:
    assert both.findings[0].code == "two_levels"
