"""The commands on single recipes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.cli import run
from allometry.fitting.result import Forecast
from allometry.forecasts.register import read_outcomes, register
from allometry.recipe import FineTune, Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.spec import open_collection


@pytest.fixture
def recipe_file(tiny: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny.to_toml())
    return path


def test_recipes_are_trained_into_one_study_once(
    recipe_file: Path, tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = replace(tiny, seed=1, start=FineTune(run=tiny.run_id))
    (tmp_path / "tuned.toml").write_text(tuned.to_toml())
    folder = tmp_path / "lab"

    into = ["--into", str(folder), "--workers", "1"]
    assert run(["train", str(tmp_path / "tuned.toml"), str(recipe_file), *into, "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in rows] == ["done", "done"]
    assert [row["run_id"] for row in rows] == [tuned.run_id, tiny.run_id]
    written = (Study.open(folder).run_folder(tiny.run_id) / "run.json").stat().st_mtime_ns
    assert run(["train", str(recipe_file), *into]) == 0
    assert (Study.open(folder).run_folder(tiny.run_id) / "run.json").stat().st_mtime_ns == written
    capsys.readouterr()
    assert run(["status", str(folder), "--json"]) == 0
    assert {row["run_id"] for row in json.loads(capsys.readouterr().out)} == {tuned.run_id, tiny.run_id}


def test_a_recipe_that_was_forecast_gets_its_outcome_attached(
    recipe_file: Path, tiny: Recipe, tmp_path: Path
) -> None:
    study = open_collection(tmp_path / "lab")
    said = Forecast(
        inputs={}, output="loss", unit="", median=3.0, low=2.9, high=3.1, level=0.9, quantiles={}, beyond={},
        width={}, law="kaplan", fit_hash="", data_hash="",
    )  # fmt: skip
    register(said, study, target=tiny.run_id)
    study.save_run(Run(run_id=tiny.run_id, status="done", values={"loss": 3.05, "design": "given"}))

    assert run(["train", str(recipe_file), "--into", str(study.folder), "--workers", "1"]) == 0

    assert [one.value for one in read_outcomes(study)] == [3.05]


def test_a_dry_run_makes_nothing(
    recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(recipe_file), "--into", str(tmp_path / "lab"), "--dry-run"]) == 0

    assert "planned" in capsys.readouterr().out
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give at least one recipe: a .toml file"),
        (["nowhere.toml"], "There is no recipe at nowhere.toml."),
    ],
)
def test_what_is_no_recipe_is_said_in_a_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", *arguments]) == 2

    assert says in capsys.readouterr().err


def test_a_recipe_is_counted_without_training(
    recipe_file: Path, tiny: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["count", str(recipe_file), "--json"]) == 0

    counted = json.loads(capsys.readouterr().out)
    assert counted["params"]["total"] == sum(counted["groups"].values())
    assert counted["flops"]["matmul"] == tiny.flops()
    assert run(["count", str(recipe_file)]) == 0
    assert "Parameters by convention" in capsys.readouterr().out


def test_recipes_are_made_where_the_command_says(
    recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(recipe_file), "--into", str(tmp_path / "lab"), "--executor", "nowhere"]

    assert run(arguments) == 2

    assert "'nowhere'" in capsys.readouterr().err
