"""`watch` over studies whose curves obey a known law (nothing is trained)."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import InputError
from allometry.plots.watched import watch_chart
from allometry.recipe import Recipe
from allometry.report.watching import follow
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder
from allometry.sweeps.fits import fit_study, target_inputs, target_recipe
from allometry.sweeps.spec import quickstart_path, read_spec
from allometry.sweeps.watching import watch

QUICKSTART = quickstart_path().read_text()
SPEC = 'name = "watched"\n[[fits]]\nlaw = "kaplan"\ndraws = 8\n' + QUICKSTART[
    QUICKSTART.index("[design]") :
].replace("check_tokens = 131072", "check_tokens = 0")


def law(params: float, tokens: float) -> float:
    """Kaplan et al. 2020, eq. 1.5."""
    return float(((3e9 / params) ** (0.12 / 0.13) + 9e9 / tokens) ** 0.13)


def draw(study: Study, recipe: Recipe, *, share: float = 1.0, off: float = 0.0, seed: int = 0) -> None:
    """A curve 5% above the law all along, with the luck of its run; `off` is in logs."""
    rng = np.random.default_rng(seed)
    params, luck = recipe.architecture.params(), 0.002 * rng.standard_normal()
    tokens = recipe.tokens * np.arange(1, int(64 * share) + 1) / 64
    scatter = 0.05 + off + luck + 0.002 * rng.standard_normal(len(tokens))
    lines = [
        {"step": place, "tokens": float(d), "loss": law(params, d) * math.exp(by)}
        for place, (d, by) in enumerate(zip(tokens, scatter, strict=True))
    ]
    folder = study.run_folder(recipe.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def finish(study: Study, recipe: Recipe, design: str, by: float = 0.0) -> None:
    params = recipe.architecture.params()
    values = {
        "design": design, "parent": recipe.parent, "params": params, "tokens": recipe.tokens,
        "flops": recipe.flops(), "learning_rate": recipe.optimizer.learning_rate,
        "loss": law(params, recipe.tokens) * math.exp(by), "decayed": design != "trunk",
    }  # fmt: skip
    study.save_run(Run(run_id=recipe.run_id, status="done", values=values))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = Study.create(tmp_path_factory.mktemp("watching") / "study", SPEC)
    ladder = read_spec(study).design
    assert isinstance(ladder, Ladder)
    for seed, planned in enumerate(ladder.outline()):
        draw(study, planned.recipe, seed=seed)
        finish(study, planned.recipe, planned.design, by=0.001 * math.sin(seed))
    fit_study(study)
    return study.folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:
    """A ladder that is done and fitted, with a law that its losses obey."""
    return Study.open(shutil.copytree(made, tmp_path / "study"))


def test_a_target_on_forecast_heads_for_what_the_law_says(study: Study) -> None:
    draw(study, target_recipe(study), share=0.5, seed=99)

    made = watch(study)

    (row,) = made.runs.to_dict("records")
    at = target_inputs(study)
    assert (row["status"], row["says"], row["share"]) == ("running", "on forecast", 0.5)
    assert row["heading"] == pytest.approx(law(at["params"], at["tokens"]), rel=0.01)
    assert row["low"] < row["loss"] < row["high"]
    assert made.warnings == ()
    assert made.unfinished == 1


def test_a_target_off_forecast_is_called_so_early(study: Study) -> None:
    draw(study, target_recipe(study), share=0.15, off=math.log(1.3), seed=99)

    made = watch(study)

    (warning,) = made.warnings
    assert warning.code == "off_forecast"
    assert "% above after 12% of its tokens" in warning.sentence
    at = target_inputs(study)
    heading = float(made.runs["heading"][0])
    assert heading == pytest.approx(1.3 * law(at["params"], at["tokens"]), rel=0.01)


def test_a_registered_forecast_moves_the_band_to_its_median(study: Study) -> None:
    target = target_recipe(study)
    draw(study, target, share=0.5, seed=99)

    plain, moved = (watch(study, stated=stated).runs for stated in ({}, {target.run_id: 9.0}))

    at = target_inputs(study)
    ratio = 9.0 / law(at["params"], at["tokens"])
    assert float(moved["expected"][0] / plain["expected"][0]) == pytest.approx(ratio, rel=0.01)


def test_finished_runs_of_the_design_are_on_forecast_trunks_as_their_longest_branch(study: Study) -> None:
    found = watch(study, finished=True, alarms=1e-4)

    assert set(found.runs["says"]) == {"on forecast"}
    trunks = found.runs[found.runs["design"] == "trunk"]
    assert trunks["share"].to_numpy() == pytest.approx([0.75] * 4)  # 25% of the steps decay
    assert "0 of 20 runs off forecast" in json.dumps(watch_chart(found).to_dict())


def test_a_run_is_not_held_against_its_own_trunk(study: Study) -> None:
    ladder = read_spec(study).design
    assert isinstance(ladder, Ladder)
    smallest = min(one.recipe.architecture.params() for one in ladder.outline())
    for planned in ladder.outline():
        if planned.recipe.architecture.params() == smallest:
            shutil.rmtree(study.run_folder(planned.recipe.run_id))

    says = set(watch(study, finished=True).runs["says"])

    assert says == {"not judged: 2 finished runs to compare with, 3 needed"}  # of the three sizes left


def test_a_check_whose_rate_is_varied_is_not_judged(study: Study) -> None:
    check = replace(target_recipe(study), seed=7)
    draw(study, check, off=0.3, seed=99)
    finish(study, check, "learning_rate_check")

    found = watch(study, finished=True, alarms=1e-4)

    (row,) = found.runs[found.runs["run_id"] == check.run_id].to_dict("records")
    assert row["says"] == "not judged: its rate is varied on purpose"
    assert found.warnings == ()


def test_without_a_law_only_rises_are_seen(study: Study) -> None:
    shutil.rmtree(study.folder / "fits")
    target = target_recipe(study)
    draw(study, target, share=0.9, seed=99)
    path = study.run_folder(target.run_id) / "history.jsonl"
    last = json.loads(path.read_text().splitlines()[-1])
    for _ in range(4):
        last["loss"] += 0.5
        with path.open("a") as file:
            file.write(json.dumps(last) + "\n")

    made = watch(study)

    assert [one.code for one in made.warnings] == ["rises"]
    assert "no law is fitted" in made.summary()


def test_a_diverged_run_is_a_warning(study: Study) -> None:
    target = target_recipe(study)
    draw(study, target, share=0.3, seed=99)
    facts = {"design": "target", "params": 1e5, "tokens": target.tokens, "flops": 1e9, "learning_rate": 0.1}
    study.save_run(Run(run_id=target.run_id, status="diverged", values=facts, reason="not finite"))

    assert [one.code for one in watch(study).warnings] == ["diverged"]


def test_a_rung_that_lies_off_the_law_of_the_others_is_a_warning(study: Study) -> None:
    ladder = read_spec(study).design
    assert isinstance(ladder, Ladder)
    branches = [one.recipe for one in ladder.outline() if one.design == "ladder"]
    sizes = sorted({recipe.architecture.params() for recipe in branches})
    for recipe in branches:
        if recipe.architecture.params() == sizes[1]:
            finish(study, recipe, "ladder", by=0.05)
    fit_study(study)

    (warning,) = watch(study).warnings

    assert warning.code == "rung_off"


def test_the_command_says_by_its_exit_code_whether_anything_is_off(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(study.folder)
    assert run(["watch", folder]) == 0
    assert "No run is in training" in capsys.readouterr().out
    draw(study, target_recipe(study), share=0.5, off=0.3, seed=99)

    assert run(["watch", folder, "--plot", str(tmp_path / "watch.svg"), "--json"]) == 1

    assert json.loads(capsys.readouterr().out)["warnings"][0]["code"] == "off_forecast"
    assert "<svg" in (tmp_path / "watch.svg").read_text()
    assert run(["watch", folder, "--alarms", "2"]) == 2
    assert run(["watch", folder, "--every", "0"]) == 2


def test_watching_goes_on_until_control_c(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter([None, None])

    def pass_by(seconds: float) -> None:
        if next(waits, 0) is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr("allometry.report.watching.time.sleep", pass_by)
    assert run(["watch", str(study.folder), "--every", "60"]) == 130

    assert capsys.readouterr().out.count("No run is in training") == 3


def test_a_picture_of_a_study_without_a_run_in_training_is_empty_and_whole(study: Study) -> None:
    assert "0 of 0 runs off forecast" in json.dumps(watch_chart(watch(study)).to_dict())


def test_a_share_of_false_alarms_is_between_none_and_all(study: Study) -> None:
    with pytest.raises(InputError, match=r"between 0 and 1, such as 0.05"):
        watch(study, alarms=0.0)


def test_live_status_is_printed_once_where_there_is_no_terminal(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", str(study.folder), "--live"]) == 0

    assert capsys.readouterr().out.count("ladder") == 16


def test_live_status_ends_when_all_runs_have_ended_and_on_control_c() -> None:
    row = {"design": "grid", "run_id": "a", "params": 1e6, "tokens": 1e7, "loss": None, "reason": ""}
    states = iter(["running", "running", "done", "done"])
    drawn: list[object] = []

    follow(lambda: pd.DataFrame([{**row, "status": next(states)}]), drawn.append, iter([None] * 9))
    assert len(drawn) == 3

    def interrupted() -> pd.DataFrame:
        raise KeyboardInterrupt

    follow(interrupted, drawn.append, iter([None]))
    assert len(drawn) == 3
