"""Growth of the inputs of training: known answers, the largest at release, the levelling alternative."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import FitError, InputError
from allometry.plots.inputs import growth_of_inputs
from allometry.runs.run import Runs
from allometry.trends.inputs import input_growth, largest_at_release

YEARS = np.linspace(2012, 2025, 14)


def models(scatter: float = 0.4) -> pd.DataFrame:
    noise = scatter * np.random.default_rng(0).standard_normal(len(YEARS))
    return pd.DataFrame({
        "year": YEARS, "flops": 1e18 * 4.0 ** (YEARS - 2012 + noise), "cost_usd": 1e3 * 2.5 ** (YEARS - 2012),
    })  # fmt: skip


def test_each_input_has_its_factor_and_its_alternative() -> None:
    found = input_growth(Runs(models(0)), ["flops", "cost_usd"], draws=20)

    assert found.table["factor"].tolist() == pytest.approx([4.0, 2.5])
    assert found["flops"].trend.doubling_days.value == pytest.approx(365.25 / 2)
    assert found.summary().count("By forecasts of later points levelling off has a weight of") == 2


def test_on_the_chart_inputs_of_any_unit_begin_together_and_part_by_their_growth() -> None:
    spec = growth_of_inputs(input_growth(Runs(models(0)), ["flops", "cost_usd"], draws=20)).to_dict()

    lines = [rows for rows in spec["datasets"].values() if "label" not in rows[0]]
    ends = {row["series"].split(":")[0]: row["value"] for row in lines[0][1::2]}
    assert [row["value"] for row in lines[0][::2]] == pytest.approx([1, 1])
    assert ends == {"training compute": pytest.approx(4.0**13), "cost usd": pytest.approx(2.5**13)}


def test_growth_that_has_stopped_is_told_from_growth_that_goes_on() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(len(YEARS))
    rising = np.exp2(2 * (YEARS - 2012) + noise)
    stopped = rising / (1 + np.exp2(2 * (YEARS - 2019)))
    table = pd.DataFrame({"year": YEARS, "rising": rising, "stopped": stopped})

    found = input_growth(Runs(table), ["rising", "stopped"], draws=20).table
    assert found["forms_apart"].iloc[0] > 0
    assert found["forms_apart"].iloc[1] < -4
    assert found["levelling"].iloc[1] > 0.6


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_largest_at_release_are_those_with_few_as_large_before_them(count: int) -> None:
    rng = np.random.default_rng(count)
    year, flops = rng.integers(2010, 2020, 200) * 1.0, rng.integers(1, 40, 200) * 1.0  # many ties of either
    flops[::17] = np.nan

    kept = largest_at_release(Runs(pd.DataFrame({"year": year, "flops": flops, "row": range(200)})), count)

    as_large = ((year[None, :] <= year[:, None]) & (flops[None, :] >= flops[:, None])).sum(axis=1)
    assert kept.table["row"].tolist() == np.flatnonzero((as_large <= count) & (as_large > 0)).tolist()


def test_the_largest_at_release_are_judged_over_all_rows_before_the_window_and_without_the_input() -> None:
    table = pd.DataFrame({
        "date": [2014, 2015, 2016, 2017, 2018, 2018, 2019, None],
        "flops": [9.0, 5, 8, 7, 10, 3, 11, 99],
        "cost": [np.nan, 1, 2, 3, 4, 5, 6, 7],
    })  # fmt: skip

    # By hand: ranks 1, 2, 2, 3, 1, 6, 1; the one without a date is never large.
    assert largest_at_release(Runs(table), 2).table["flops"].tolist() == [9, 5, 8, 10, 11]
    found = input_growth(Runs(table), ["cost"], since=2015, largest=2, draws=20)
    assert found["cost"].series.values.tolist() == [1, 2, 4, 6]


def test_wrong_input_gets_a_sentence() -> None:
    runs = Runs(models())
    with pytest.raises(InputError, match="Say which inputs"):
        input_growth(runs, [])
    with pytest.raises(InputError, match="one or more, not 0"):
        input_growth(runs, ["flops"], largest=0)
    with pytest.raises(FitError, match="needs 4 dated points or more; there are 1"):
        input_growth(runs, ["flops"], since=2024.4)
    with pytest.raises(InputError, match="'tokens' was not asked for"):
        input_growth(runs, ["flops"], draws=20)["tokens"]


def test_the_command_prints_each_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(0).to_csv(tmp_path / "models.csv", index=False)

    words = [
        "trend",
        "growth",
        str(tmp_path / "models.csv"),
        "--input",
        "price_usd",
    ]  # as cost_usd is called once read
    assert run([*words, "--draws", "20", "--plot", str(tmp_path / "growth.svg"), "--json"]) == 0
    assert "How fast the inputs of training grow" in (tmp_path / "growth.svg").read_text()
    rows = json.loads(capsys.readouterr().out)["inputs"]
    assert [row["factor"] for row in rows] == pytest.approx([2.5])
