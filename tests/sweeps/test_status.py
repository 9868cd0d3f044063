"""The status says what is planned, what moves, what stopped and what ended; a sweep reads each run once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from allometry.cli import run
from allometry.recipe import Recipe
from allometry.recipe.facts import recipe_facts
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Grid
from allometry.sweeps.executors.definition import Ended, Event, Job
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.running import run_sweep
from allometry.sweeps.status import counts, planned_table, study_status

_GIVEN = 'name = "demo"\n[design]\nkind = "given"'


def written(study: Study, recipe: Recipe, *, seconds_ago: float) -> None:
    folder = study.run_folder(recipe.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    curve = folder / "history.jsonl"
    curve.write_text('{"step": 1, "loss": 4.0}\n')
    os.utime(curve, (time.time() - seconds_ago,) * 2)


def ended(study: Study, recipe: Recipe, status: str) -> None:
    values = {**recipe_facts(recipe), "design": "grid", "loss": 3.0}
    study.save_run(Run(run_id=recipe.run_id, status=status, values=values))  # type: ignore[arg-type]


@pytest.fixture
def grid(tiny: Recipe) -> Grid:
    return Grid(base=tiny, vary={"seed": list(range(6))})


def test_every_state_a_run_can_be_in_is_told(study: Study, grid: Grid) -> None:
    planned = grid.outline()
    recipes = [one.recipe for one in planned]
    written(study, recipes[1], seconds_ago=2)
    written(study, recipes[2], seconds_ago=3600)
    for recipe, status in zip(recipes[3:], ("done", "diverged", "failed"), strict=True):
        written(study, recipe, seconds_ago=3600)
        ended(study, recipe, status)

    table = planned_table(planned, study)

    assert list(table["status"]) == ["planned", "running", "stopped", "done", "diverged", "failed"]
    assert str(table.loc[2, "reason"]).startswith("no sign of life for")
    assert counts(table) == dict.fromkeys(("planned", "running", "done", "diverged", "failed", "stopped"), 1)


@pytest.mark.filterwarnings("default:Left out")
def test_a_damaged_run_is_a_row_of_its_own_and_is_named_on_standard_error(
    tmp_path: Path, grid: Grid, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study.create(tmp_path / "given", _GIVEN)
    first, second, third, *_ = (one.recipe for one in grid.outline())
    written(study, first, seconds_ago=2)
    for recipe in (first, second, third):
        ended(study, recipe, "done")
    for recipe in (first, third):  # one with its recipe, one without
        (study.run_folder(recipe.run_id) / "run.json").write_text("{")

    assert run(["status", str(study.folder), "--json"]) == 0

    shown = capsys.readouterr()
    states = {row["run_id"]: row["status"] for row in json.loads(shown.out)}
    unreadable = {first.run_id: "unreadable", third.run_id: "unreadable"}
    assert states == {second.run_id: "done", **unreadable}
    assert shown.err.count("Left out") == 1
    assert first.run_id in shown.err
    assert third.run_id in shown.err
    for verb in (["watch"], ["query"], ["report"]):
        words = [*verb, str(study.folder), *(["SELECT run_id FROM runs"] if verb == ["query"] else [])]
        assert run(words) == 0, verb
        assert first.run_id in capsys.readouterr().err


def test_a_run_that_no_design_asks_for_is_told_from_its_own_files(tmp_path: Path, grid: Grid) -> None:
    study = Study.create(tmp_path / "given", _GIVEN)
    first, second, *_ = (one.recipe for one in grid.outline())
    ended(study, first, "done")
    written(study, second, seconds_ago=2)

    table = study_status(study).set_index("run_id")

    assert table.loc[first.run_id, "status"] == "done"
    assert table.loc[first.run_id, "flops"] == first.flops()
    assert table.loc[second.run_id, "status"] == "running"
    assert table.loc[second.run_id, "params"] == second.architecture.params()


def test_what_is_no_run_below_runs_is_passed_over(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "given", _GIVEN)
    (study.folder / "runs" / ".aside").mkdir(parents=True)

    assert study_status(study).empty


class AtOnce:
    """An executor whose runs end when they are started."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.started: list[str] = []

    def room_for(self, needs: Needs) -> bool:
        return len(self.started) < 2

    def shortage(self, needs: Needs) -> str:
        return ""

    def start(self, job: Job) -> None:
        self.started.append(job.run_id)
        ended(self.study, job.recipe, "done")

    def wait(self, seconds: float) -> Sequence[Event]:
        return [Ended(run_id=self.started.pop(0), status="done", reason="")] if self.started else []

    def close(self) -> None:
        pass


def test_a_sweep_reads_each_run_once_however_many_end_after_it(
    study: Study, grid: Grid, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    parsed: list[object] = []
    real = json.loads

    def noted(text: str) -> object:
        parsed.append(text)
        return real(text)

    monkeypatch.setattr(running, "open_executor", lambda *_, **__: AtOnce(study))
    monkeypatch.setattr(json, "loads", noted)
    table = run_sweep(grid, study).table

    assert list(table["status"]) == ["done"] * 6
    assert len([text for text in parsed if '"run_id"' in str(text)]) == 6


def test_a_design_that_answers_slowly_is_not_asked_after_every_run(
    study: Study, grid: Grid, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    asked: list[int] = []
    real = Grid.recipes

    def slowly(self: Grid, runs: object) -> object:
        asked.append(1)
        time.sleep(0.06)
        return real(self, runs)  # type: ignore[arg-type]

    monkeypatch.setattr(Grid, "recipes", slowly)
    monkeypatch.setattr(running, "open_executor", lambda *_, **__: AtOnce(study))

    assert len(run_sweep(grid, study)) == 6
    assert len(asked) <= 4  # not seven: at the start, and when nothing is running
