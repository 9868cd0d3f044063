"""The commands on a study, in their order, over runs that obey a known law (nothing is trained)."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from allometry.cli import run
from allometry.forecasts.register import read_outcomes
from allometry.recipe import Recipe
from allometry.recipe.facts import recipe_facts
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder
from allometry.sweeps.fits import target_recipe
from allometry.sweeps.spec import quickstart_path, read_spec

TRUTH = {"Nc": 3e9, "Dc": 9e9, "aN": 0.12, "aD": 0.13}


def law(params: float, tokens: float) -> float:
    """Kaplan et al. 2020, eq. 1.5."""
    of_size = (TRUTH["Nc"] / params) ** (TRUTH["aN"] / TRUTH["aD"])
    return float((of_size + TRUTH["Dc"] / tokens) ** TRUTH["aD"])


def measure(study: Study, recipe: Recipe, design: str) -> None:
    """Record a run as if it had been trained; checks have a basin around a rate of 0.56 / width."""
    facts = recipe_facts(recipe, unique_tokens=1_400_000) | {"design": design}
    best = 0.56 / recipe.architecture.width
    off = 0.1 * math.log(recipe.optimizer.learning_rate / best) ** 2 if "check" in design else 0.0
    loss = law(facts["params"], facts["tokens"]) + off
    study.save_run(Run(run_id=recipe.run_id, status="done", values=facts | {"loss": loss}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    few_draws = quickstart_path().read_text().replace("[[fits]]", "[[fits]]\ndraws = 20")
    study = Study.create(tmp_path_factory.mktemp("made") / "study", few_draws)
    ladder = read_spec(study).design
    assert isinstance(ladder, Ladder)
    for _ in range(2):  # the checks, then what they decide
        for planned in ladder.recipes(study.runs()):
            measure(study, planned.recipe, planned.design)
    return study.folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:
    """The quickstart's study with every run of its ladder made."""
    return Study.open(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture(scope="module")
def made_fits(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(made, tmp_path_factory.mktemp("made_fits") / "study")
    assert run(["fit", str(folder)]) == 0
    return folder


@pytest.fixture
def fitted(made_fits: Path, tmp_path: Path) -> Study:
    """The same after `allometry fit`."""
    return Study.open(shutil.copytree(made_fits, tmp_path / "fitted"))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_the_whole_path_states_a_forecast_before_its_run_and_scores_it(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(study.folder)
    target = target_recipe(study)

    assert run(["fit", folder]) == 0
    assert run(["check", folder]) == 0
    assert run(["sweep", folder, "--target"]) == 3
    assert f"State it before the run: allometry forecast {folder}" in said(capsys)
    assert run(["forecast", folder]) == 0
    assert run(["score", folder]) == 0
    assert "not run yet" in said(capsys)
    measure(study, target, "target")
    assert run(["score", folder, "--json"]) == 0
    (scored,) = json.loads(capsys.readouterr().out)
    assert scored["outcome"] == pytest.approx(law(target.architecture.params(), target.tokens))
    assert scored["error"] == pytest.approx(0.0, abs=1e-6)


def test_a_forecast_stated_again_adds_nothing_even_after_the_run(
    fitted: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(fitted.folder)
    assert [run([verb, folder]) for verb in ("forecast", "forecast")] == [0, 0]
    register = (fitted.folder / "forecasts.jsonl").read_bytes()
    measure(fitted, target_recipe(fitted), "target")

    assert [run([verb, folder]) for verb in ("fit", "forecast")] == [0, 0]

    assert (fitted.folder / "forecasts.jsonl").read_bytes() == register
    assert register.count(b"\n") == 1


def test_the_outcome_is_attached_when_the_target_lands(
    fitted: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = str(fitted.folder), target_recipe(fitted)
    assert run(["forecast", folder]) == 0
    measure(fitted, target, "target")

    assert [run(["sweep", folder, "--target"]) for _ in range(2)] == [0, 0]

    assert [one.target for one in read_outcomes(fitted)] == [target.run_id]
    assert said(capsys).count(f"measured by run {target.run_id}, is line 2 of the register.") == 1


def test_a_target_that_was_trained_without_a_forecast_gets_none(
    fitted: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(fitted, target_recipe(fitted), "target")

    assert run(["forecast", str(fitted.folder)]) == 3
    register = fitted.folder / "forecasts.jsonl"
    assert not register.exists() or not register.read_text()


def test_the_target_waits_for_the_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = Study.create(tmp_path / "empty", quickstart_path().read_text())

    assert run(["sweep", str(empty.folder), "--target"]) == 3
    assert f"Make them with: allometry sweep {empty.folder}" in said(capsys)


def test_the_target_is_in_no_fit(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    measure(study, target_recipe(study), "target")

    assert run(["fit", str(study.folder), "--json"]) == 0

    fits = json.loads(capsys.readouterr().out)
    assert fits["kaplan"]["runs"] == fits["chinchilla"]["runs"] == 16
    assert fits["kaplan"]["coefficients"] == pytest.approx(TRUTH, rel=1e-4)
    assert fits["loss_by_params"]["runs"] == fits["loss_by_tokens"]["runs"] == 4


def test_the_plan_is_for_ten_times_the_largest_run(fitted: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", str(fitted.folder), "--json"]) == 0

    largest = fitted.runs().column("flops").max()
    assert json.loads(capsys.readouterr().out)["flops"] == pytest.approx(10 * largest)


def test_status_and_queries_see_every_run(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", str(study.folder), "--json"]) == 0
    statuses = [row["status"] for row in json.loads(capsys.readouterr().out)]
    assert statuses.count("done") == 32
    assert statuses.count("planned") == 1

    assert run(["query", str(study.folder), "SELECT count(*) AS n FROM runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 32}]
    assert run(["query", str(study.folder), "SELECT nothing FROM runs"]) == 2
    assert "There are two tables" in said(capsys)


def test_a_study_says_itself_what_is_fitted(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", str(study.folder), "--where", "loss < 3"]) == 2
    assert "study.toml says what is fitted" in said(capsys)


def test_another_folder_for_an_existing_study_is_refused(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", str(study.folder), "--into", str(tmp_path / "other")]) == 2
    assert "is a study already" in said(capsys)


def test_a_device_that_is_not_there_is_refused_before_any_run(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", str(study.folder), "--device", "cuda:99"]) == 2
    assert "There is no device 'cuda:99' here. There are: cpu" in said(capsys)


def test_a_law_that_is_named_is_fitted_to_a_study_instead_of_its_own(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    law = "power_law_with_floor"

    assert (
        run(["fit", str(study.folder), "--law", law, "--inputs", "x=flops", "--draws", "20", "--json"]) == 0
    )

    assert list(json.loads(capsys.readouterr().out)) == [law]
    assert not list((study.folder / "fits").glob("*"))


def test_a_status_loads_neither_fits_nor_charts_nor_statistics() -> None:
    needed = "allometry.cli, allometry.report.terminal, allometry.sweeps.status"
    heavy = "{'scipy', 'sympy', 'altair', 'allometry.fitting'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {needed}; sys.exit(bool({heavy} & set(sys.modules)))"]
    )

    assert done.returncode == 0
