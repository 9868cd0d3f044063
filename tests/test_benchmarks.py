"""The parts of the benchmarks on which their verdicts rest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

import allometry as al

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks are run from the repository, not installed

from benchmarks import interval_coverage
from benchmarks.interval_coverage import Coverage, Kind, covered
from benchmarks.parts import published
from benchmarks.parts.asymmetric import AsymmetricError
from benchmarks.parts.baselines import SEED, Workload
from benchmarks.parts.clock import shown
from benchmarks.parts.page import Table, placed


def _runs(rows: int) -> al.Runs:
    rng = np.random.default_rng(0)
    inputs = {"params": 10 ** rng.uniform(7, 10, rows), "tokens": 10 ** rng.uniform(9, 12, rows)}
    loss = al.laws.chinchilla.evaluate(inputs, al.laws.chinchilla.typical)
    return al.Runs(pd.DataFrame({**inputs, "loss": loss * np.exp(0.01 * rng.standard_normal(rows))}))


def _table(name: str, cell: str) -> Table:
    return Table(name=name, title=name, command="x.py", says="Says.", header=("a",), rows=[(cell,)])


def test_a_table_takes_the_place_of_its_own_older_one_and_of_no_other() -> None:
    page = placed(placed("# Page\n", _table("one", "old")), _table("two", "kept"))

    page = placed(page, _table("one", "new"))

    assert "| new |" in page
    assert "| old |" not in page
    assert "| kept |" in page
    assert page.index("## one") < page.index("## two")


def test_times_are_shown_in_the_unit_that_reads_best() -> None:
    assert [shown(seconds) for seconds in (0.0412, 2.345, 1248.3)] == ["41 ms", "2.3 s", "1,248 s"]


def test_the_published_grid_has_4500_starts() -> None:
    assert published.grid().shape == (4500, 5)


def test_the_published_gradient_is_that_of_its_objective() -> None:
    runs = _runs(12)
    counts = np.arange(12.0)
    params, tokens, loss = (runs.column(name) for name in ("params", "tokens", "loss"))
    data = published.Data.of(params, tokens, loss, counts)

    slopes = approx_fprime(published.HOFFMANN, published.objective, 1e-7, *data)

    np.testing.assert_allclose(published.gradient(published.HOFFMANN, *data), slopes, rtol=1e-4)


def test_the_tilted_error_counts_tenfold_above_a_run_and_falls_off_with_its_slope() -> None:
    tilted = AsymmetricError(name="lad", delta=1e-9, on="raw")

    np.testing.assert_allclose(tilted.penalty(np.array([-0.2, 0.2])), [0.2, 2.0], rtol=1e-6)
    np.testing.assert_allclose(tilted.slope(np.array([-0.2, 0.2])), [-1.0, 10.0])


def test_both_procedures_are_compared_on_the_same_resamples() -> None:
    runs = _runs(40)
    fitted = al.fit("chinchilla", runs)
    work = Workload.of(fitted, runs, starts=1, refits=3)
    drawn = al.bootstrap(fitted, draws=3, unit="row", resampling="pairs", seed=SEED).draws

    rows = np.repeat(np.arange(40), work.counts[2].astype(np.int64))
    again = al.fit("chinchilla", al.Runs(runs.table.iloc[rows].reset_index(drop=True)))

    assert drawn is not None
    assert drawn.iloc[2].to_dict() == pytest.approx(again.coefficients, rel=1e-3)


def test_without_noise_to_speak_of_every_interval_closes_around_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interval_coverage, "CHECKED", 0)  # the checks are slow and have tests of their own

    found = covered(Kind(law="power_law_with_floor", noise=1e-5, runs=10), first=0, studies=2, draws=20)

    assert found.width < 1e-3
    assert found.verdict == "few runs"


def test_a_share_of_86_percent_misses_the_goal_and_one_of_88_does_not() -> None:
    made = Coverage(
        law="chinchilla",
        noise=0.005,
        runs=60,
        first=0,
        studies=500,
        draws=200,
        refused=0,
        forecast=0.88,
        exponents={"alpha": 0.92, "beta": 0.86},
        width=0.1,
        warned=0.0,
    )

    assert made.verdict == "MISSED by beta"
    assert replace(made, studies=50).verdict == "few studies"


def test_studies_measured_on_count_by_their_number() -> None:
    few = Coverage(
        law="power_law_with_floor",
        noise=0.005,
        runs=60,
        first=0,
        studies=500,
        draws=200,
        refused=1,
        forecast=0.96,
        exponents={"alpha": 0.92},
        width=0.1,
        warned=0.0,
    )

    both = few.and_(
        replace(few, first=500, studies=1500, refused=2, forecast=0.90, exponents={"alpha": 0.88})
    )

    assert (both.studies, both.refused) == (2000, 3)
    assert both.forecast == pytest.approx((480 + 1350) / 2000)
    assert both.exponents["alpha"] == pytest.approx((460 + 1320) / 2000)
