"""Charts and report sections of task scores and model families show the library's own numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.chain_recipes import TaskForecasts, forecast_tasks
from allometry.capabilities.chain_steps import Steps
from allometry.capabilities.families import Families, observe_families
from allometry.errors import InputError
from allometry.plots.chains import task_forecasts
from allometry.plots.families import component_against_compute, target_by_ends
from allometry.report.chain_section import chain_section
from allometry.report.families_section import families_section
from allometry.report.writing import write_report
from allometry.runs.run import Runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tasks() -> TaskForecasts:
    """The ladder of the example, with a task at chance."""
    sys.path.insert(0, str(ROOT / "examples"))
    ladder = __import__("06_loss_to_task").ladder()
    chance = {"learnt": 0.25, "guessed": 0.25}
    words = ["learnt=answer_loss", "guessed=answer_loss"]
    place = {"params": 7e9, "tokens": 1.4e11}
    return forecast_tasks(ladder, words, place, chance=chance, steps=Steps(draws=20))


@pytest.fixture(scope="module")
def families() -> Families:
    rng = np.random.default_rng(0)
    rows = []
    for family, slope in (("a", 0.10), ("b", 0.12)):
        for flops in np.geomspace(1e21, 1e24, 8):
            ability = 0.2 + slope * np.log(flops / 1e21)
            scores = {f"m{k}": 0.1 + 0.1 * k * ability + 0.01 * rng.standard_normal() for k in (3, 4, 5)}
            rows.append({"family": family, "flops": flops, "target": min(ability, 0.7), **scores})
    return observe_families(
        Runs(pd.DataFrame(rows)), ["m3", "m4", "m5"], target="target", train="flops <= 6e22", components=1,
        draws=5,
    )  # fmt: skip


def rows_of(chart: alt.LayerChart, *fields: str) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows if set(fields) <= row.keys()]


def test_each_task_shows_its_forecast_and_a_declined_one_its_score_alone(tasks: TaskForecasts) -> None:
    rows = rows_of(task_forecasts(tasks), "task", "series", "x")

    table = tasks.table.set_index("task")
    shown = {(row["task"].split()[0], row["series"]): row["x"] for row in rows}
    assert shown["learnt", "through the loss"] == table.loc["learnt", "forecast"]
    assert shown["guessed", "largest run, unchanged"] == table.loc["guessed", "largest"]
    assert ("guessed", "through the loss") not in shown


def test_every_model_with_compute_is_shown_and_held_out_ones_are_hollow(families: Families) -> None:
    rows = rows_of(component_against_compute(families), "model", "trained")

    assert len(rows) == 16
    assert sum(row["trained"] for row in rows) == 10  # five of eight a family lie at or below 6e22 FLOP


def test_families_that_are_all_named_leave_no_others_in_the_legend(families: Families) -> None:
    spec = component_against_compute(families).to_dict()

    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == ["a", "b"]


def test_the_two_curves_are_those_of_the_result(families: Families) -> None:
    rows = rows_of(target_by_ends(families), "series", "low")

    assert families.fixed is not None
    for row in [row for row in rows if row["series"] == "upper end 1"][::20]:
        assert row["value"] == pytest.approx(families.fixed.predict(np.array([[row["x"]]]))[0])


def test_without_a_target_there_are_no_curves(families: Families) -> None:
    bare = observe_families(
        Runs(families.table.rename(columns={"pc1": "m"}).assign(m=0.5 + families.table["pc1"] / 9)),
        ["m"], components=1,
    )  # fmt: skip

    with pytest.raises(InputError, match="give target="):
        target_by_ends(bare)


def test_charts_hold_no_number_that_is_none(tasks: TaskForecasts, families: Families) -> None:
    for chart in (task_forecasts(tasks), component_against_compute(families), target_by_ends(families)):
        assert chart.to_dict()["description"]
        assert "NaN" not in json.dumps(chart.to_dict())


def test_sections_say_the_rule_the_declined_task_and_both_ends(
    tasks: TaskForecasts, families: Families
) -> None:
    first, second = chain_section(tasks, 1), families_section(families, 1)

    assert "Predictable: learnt." in first.sentences
    assert "At chance: guessed." in first.sentences
    assert "at chance in these runs" in first.tables[0].rows[1][-1]
    assert "standard deviations of one run" in first.tables[0].rows[0][-1]
    assert [header.text for header in second.tables[0].headers][-1] == "counts as"
    assert second.sentences[1].startswith("target with the upper end at 1 (1.00)")
    assert second.sentences[2].startswith("target with the upper end as fitted")


def test_a_report_shows_both(tmp_path: Path, tasks: TaskForecasts, families: Families) -> None:
    page = write_report([tasks, families], tmp_path / "report.html").read_text()

    assert "Scores of tasks, forecast through the loss" in page
    assert "Capability across model families" in page


def test_the_example_finds_the_truth_inside_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    sys.path.insert(0, str(ROOT / "examples"))
    __import__("06_loss_to_task").main()

    assert capsys.readouterr().out.endswith("inside.\n")
