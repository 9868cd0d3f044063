"""Whatever happens to the disk or to the process, the last good state is there or the damage is named."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from allometry.errors import CorruptFile, StudyBusy, StudyError
from allometry.lab import steps
from allometry.lab.checkpoints import load_checkpoint, newest_step, saved_steps
from allometry.lab.loop import Sitting, train
from allometry.lab.losses import head_loss
from allometry.recipe import Recipe
from allometry.runs.claiming import CLAIM, claimed
from allometry.runs.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", "")


def checkpoints(study: Study, recipe: Recipe) -> Path:
    return study.run_folder(recipe.run_id) / "checkpoints"


def stopping_at_line(number: int) -> Sitting:
    asked = count(1)
    return Sitting(should_stop=lambda: next(asked) == number)


def test_a_checkpoint_that_does_not_fit_the_disk_is_one_sentence_and_costs_nothing(
    tiny: Recipe, study: Study, files_of_at_most: Callable[[int], AbstractContextManager[None]]
) -> None:
    train(tiny, study=study, sitting=stopping_at_line(2))
    expected = train(tiny)

    with files_of_at_most(20_000), pytest.raises(StudyError, match="a file size limit was reached; raise it"):
        train(tiny, study=study)

    assert saved_steps(checkpoints(study, tiny)) == [16]
    assert load_checkpoint(checkpoints(study, tiny), 16).step == 16
    assert train(tiny, study=study).values["loss"] == expected.values["loss"]


def test_a_checkpoint_cut_anywhere_is_never_taken_for_a_whole_one(
    tiny: Recipe, study: Study, tmp_path: Path
) -> None:
    train(tiny, study=study, sitting=stopping_at_line(1))
    place = checkpoints(study, tiny) / "step-00000008"

    for name in ("state.safetensors", "manifest.json"):
        whole = (place / name).read_bytes()
        for size in {0, 1, 8, 9, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            (place / name).write_bytes(whole[:size])
            with pytest.raises(CorruptFile, match=r"step-00000008 .*Delete that folder"):
                load_checkpoint(place.parent, 8)
        (place / name).write_bytes(whole)
    assert load_checkpoint(place.parent, 8).step == 8


KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
import torch
from allometry import files
from allometry.lab.checkpoints import Checkpoint, save_checkpoint

folder, fatal = Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def counted(call):
    def wrapped(*inputs, **settings):
        global calls
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*inputs, **settings)
    return wrapped

save_checkpoint(folder, Checkpoint(step=8, tensors={"model.w": torch.zeros(9)}, notes={}))
for name in ("fsync", "replace", "rename"):
    setattr(os, name, counted(getattr(os, name)))
Path.replace, Path.rename, Path.mkdir = counted(Path.replace), counted(Path.rename), counted(Path.mkdir)
save_checkpoint(folder, Checkpoint(step=16, tensors={"model.w": torch.ones(9)}, notes={}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("fatal", range(1, 13))
def test_a_process_killed_at_any_call_of_a_save_leaves_a_good_checkpoint(tmp_path: Path, fatal: int) -> None:
    code = subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, str(tmp_path), str(fatal)]).returncode

    assert code in (0, -signal.SIGKILL)
    newest = newest_step(tmp_path, 99) or 0
    assert newest == 16 if code == 0 else newest in (8, 16)
    assert float(load_checkpoint(tmp_path, newest).tensors["model.w"].sum()) == (9.0 if newest == 16 else 0.0)


def test_a_run_that_another_process_trains_is_left_alone(tiny: Recipe, study: Study) -> None:
    with (
        claimed(study.run_folder(tiny.run_id)),
        pytest.raises(StudyBusy, match=rf"Run {tiny.run_id} is being made by another process \(.*\); wait"),
    ):
        train(tiny, study=study)


def test_a_run_that_another_has_taken_up_writes_nothing_more(tiny: Recipe, study: Study) -> None:
    folder = study.run_folder(tiny.run_id)

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    left: list[dict[str, bytes]] = []

    def taken_up() -> bool:
        if not left:
            (folder / CLAIM).write_text("another's")
            left.append(files())
        return False

    with pytest.raises(StudyBusy, match=r"was taken up by another process .* writes nothing more"):
        train(tiny, study=study, sitting=Sitting(should_stop=taken_up, checkpoint_seconds=0))

    assert files() == left[0]


TRAIN = """
import sys
from allometry.lab.devices import use_threads
from allometry.lab.loop import Sitting, train
from allometry.recipe import Recipe
from allometry.runs.study import Study

use_threads(1)
recipe = Recipe.from_toml(open(sys.argv[1]).read())
train(recipe, study=Study.open(sys.argv[2]), sitting=Sitting(patience=60, checkpoint_seconds=0))
"""


@pytest.mark.slow
def test_processes_that_train_the_same_run_at_once_make_it_once(
    tiny: Recipe, study: Study, tmp_path: Path
) -> None:
    (tmp_path / "r.toml").write_text(tiny.to_toml())
    command = [sys.executable, "-c", TRAIN, str(tmp_path / "r.toml"), str(study.folder)]
    processes = [subprocess.Popen(command) for _ in range(3)]

    assert [process.wait(120) for process in processes] == [0, 0, 0]
    run = study.run(tiny.run_id)
    assert run is not None
    assert run.values["loss"] == train(tiny).values["loss"]


def test_a_run_that_is_done_is_not_trained_again(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(tiny, study=study)
    written = (study.run_folder(tiny.run_id) / "run.json").stat().st_mtime_ns
    monkeypatch.setattr(steps, "head_loss", None)

    assert train(tiny, study=study) == done
    assert (study.run_folder(tiny.run_id) / "run.json").stat().st_mtime_ns == written


def test_a_run_that_ran_out_of_memory_on_its_way_ends_as_it_would_have(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(tiny)
    attempts = count()

    def cramped(x_BTD: torch.Tensor, head_VD: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        if len(x_BTD) > 1 and next(attempts) >= 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return head_loss(x_BTD, head_VD, targets_BT)

    monkeypatch.setattr(steps, "head_loss", cramped)

    run = train(tiny, study=study)

    assert run.status == "done"
    assert run.values["loss"] == pytest.approx(expected.values["loss"], abs=1e-3)


@pytest.mark.parametrize("stops", [[], [4]], ids=["straight", "resumed in the spike"])
def test_a_spike_that_stays_ends_the_run_as_diverged(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch, stops: list[int]
) -> None:
    taken = count()

    def spiking(*inputs: torch.Tensor) -> torch.Tensor:
        return head_loss(*inputs) - (4.0 if next(taken) < 16 else 0.0)  # as if it had been far better before

    monkeypatch.setattr(steps, "head_loss", spiking)

    recipe = replace(tiny, tokens=81 * 64)
    for line in stops:
        train(recipe, study=study, sitting=stopping_at_line(line))

    run = train(recipe, study=study)

    assert (run.status, run.values["last_good_step"]) == ("diverged", 16)
    assert "stayed more than 1 nat above its best for 4 lines" in run.reason
    assert run.reason.endswith("at step 48 of 81")


def test_draws_from_torchs_own_generator_go_on_where_they_were(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_dropout(x_BTD: torch.Tensor, head_VD: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        return head_loss(functional.dropout(x_BTD, 0.3), head_VD, targets_BT)

    monkeypatch.setattr(steps, "head_loss", with_dropout)
    straight, before = train(tiny), torch.get_rng_state()

    train(tiny, study=study, sitting=stopping_at_line(2))
    resumed = train(tiny, study=study)

    assert resumed.values["loss"] == straight.values["loss"]
    assert torch.equal(torch.get_rng_state(), before)  # the user's own draws go on as they would have


@pytest.mark.skipif(os.name == "nt", reason="folders are copied with their links")
def test_a_study_may_be_copied_in_the_middle_of_a_run(tiny: Recipe, study: Study, tmp_path: Path) -> None:
    train(tiny, study=study, sitting=stopping_at_line(3))
    copy = Study.open(shutil.copytree(study.folder, tmp_path / "copy"))

    assert train(tiny, study=copy).values["loss"] == train(tiny, study=study).values["loss"]
