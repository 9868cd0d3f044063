"""Progress of a known law is recovered, with uncertainty over forms; multipliers become doublings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError, MissingColumn
from allometry.fitting.comparison.recipes import Multiplier
from allometry.laws import LAWS
from allometry.plots.progress import halving_by_form
from allometry.report.contents import gather
from allometry.report.sections import sections
from allometry.runs.run import Runs
from allometry.trends.efficiency import FORMS, Progress, algorithmic_progress, multiplier_series
from allometry.trends.trend import exponential_trend

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "a": 0.3, "b": 0.6}
HALVING = 12 * np.log(2) / 0.9  # months


def simulated(count: int = 36, **rates: float) -> Runs:
    rng = np.random.default_rng(0)
    inputs = {
        "params": 10 ** rng.uniform(7, 10, count),
        "tokens": 10 ** rng.uniform(9, 11, count),
        "year": rng.uniform(2014, 2023, count),
    }
    loss = LAWS["algorithmic_progress"].evaluate(inputs, TRUTH | rates)
    return Runs(pd.DataFrame({**inputs, "loss": loss * np.exp(0.01 * rng.standard_normal(count))}))


@pytest.fixture(scope="module")
def progress() -> Progress:
    return algorithmic_progress(simulated(), draws=30)


def test_the_halving_time_of_a_known_law_lies_in_the_interval(progress: Progress) -> None:
    assert progress.halving_months.low < HALVING < progress.halving_months.high
    assert progress.halving_months.value == pytest.approx(HALVING, rel=0.25)


def test_the_form_the_runs_were_made_by_has_the_weight_and_beats_no_progress(progress: Progress) -> None:
    weights = progress.table.set_index("form")["weight"]

    assert weights.idxmax() == "parameters and data"
    assert weights.sum() == pytest.approx(1)
    assert progress.no_progress_error > 2 * progress.table["error"].min()
    assert "no progress" in progress.summary()


def test_forms_hold_what_they_leave_out_at_zero(progress: Progress) -> None:
    rows = progress.table.set_index("form")

    assert rows.loc["parameters alone", "b"] == 0
    assert rows.loc["data alone", "a"] == 0
    assert progress.fits["without a floor"].coefficients["E"] == 0


def test_the_chart_shows_every_form_below_the_mixture(progress: Progress) -> None:
    spec = halving_by_form(progress).to_dict()

    rows = {row["label"]: row for some in spec["datasets"].values() for row in some}
    assert rows["all forms, by their weights"]["value"] == progress.halving_months.value
    assert sum(label.split(",")[0] in FORMS for label in rows) == len(FORMS)


def test_an_interval_without_an_end_reaches_the_edge_of_the_chart_and_is_said_to(progress: Progress) -> None:
    endless = replace(progress, halving_months=replace(progress.halving_months, high=np.inf))

    spec = halving_by_form(endless).to_dict()

    rows = [row for some in spec["datasets"].values() for row in some]
    (mixed,) = {row["high"] for row in rows if row["label"].startswith("all forms")}
    assert mixed > 2 * max(row["high"] for row in rows if not row["label"].startswith("all forms"))
    assert "touches the right edge has no end" in " ".join(spec["title"]["subtitle"])
    assert "no end" not in " ".join(halving_by_form(progress).to_dict()["title"]["subtitle"])


def test_the_report_shows_the_forms_with_their_chart(progress: Progress) -> None:
    (section,) = sections(gather([progress]))

    assert len(section.figures) == 1
    assert len(section.tables[0].rows) == len(FORMS)


@pytest.mark.slow  # another two dozen fits
def test_without_progress_no_halving_time_is_to_be_quoted() -> None:
    found = algorithmic_progress(simulated(a=0.0, b=0.0), draws=40)

    assert "no_progress_seen" in {one.code for one in found.findings}


def test_too_few_runs_one_date_and_missing_columns_are_refused() -> None:
    with pytest.raises(FitError, match="16 dated runs or more; there are 10"):
        algorithmic_progress(simulated(10))
    with pytest.raises(FitError, match="All runs have one date"):
        algorithmic_progress(Runs(simulated(20).table.assign(year=2020.0)))
    with pytest.raises(MissingColumn, match="no 'tokens'"):
        algorithmic_progress(Runs(simulated(20).table.drop(columns="tokens")))


def compared() -> Multiplier:
    table = pd.DataFrame({
        "recipe": ["b", "c", "d"], "multiplier": [2.0, 4.0, 8.0],
        "low": [1.8, 3.6, 7.2], "high": [2.2, 4.4, 8.8],
    })  # fmt: skip
    return Multiplier(
        by="recipe", reference="a", what="compute", level=0.9, table=table, slopes=pd.DataFrame(),
        across=pd.DataFrame(), fit=None, free=None, noise=0.0,  # type: ignore[arg-type]
        noise_from="", precisions={},
    )  # fmt: skip


def test_multipliers_that_double_every_year_are_a_trend_of_one_doubling_a_year() -> None:
    dates = {"a": "2020-01-01", "b": "2021-01-01", "c": "2022-01-01", "d": "2023-01-01"}
    series = multiplier_series(compared(), dates)
    made = exponential_trend(series)

    assert series.values.tolist() == [1, 2, 4, 8]
    assert made.doublings.value == pytest.approx(1, abs=0.01)
    # Each multiplier is known to 10%, which is 0.14 doublings at the far ends of three years.
    assert 0.02 < made.doublings.high - made.doublings.low < 0.2


def test_a_recipe_without_a_date_is_named() -> None:
    with pytest.raises(InputError, match="no date for c, d"):
        multiplier_series(compared(), {"a": 2020, "b": 2021})
