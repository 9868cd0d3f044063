"""A checkpoint is whole or not there."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from allometry.errors import CorruptFile, StudyError
from allometry.files import write_atomically
from allometry.lab import checkpoints
from allometry.lab.checkpoints import (
    Checkpoint,
    load_checkpoint,
    newest_step,
    prune_checkpoints,
    save_checkpoint,
    saved_steps,
)

Damage = Callable[[Path], object]


def checkpoint(step: int) -> Checkpoint:
    tensors = {"model.w": torch.arange(6.0).reshape(2, 3) / 7, "optimizer.w.step": torch.tensor(float(step))}
    return Checkpoint(step=step, tensors=tensors, notes={"pending": [0.1 + 0.2, math.inf], "seconds": 1e-3})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Checkpoints of steps 8 and 16."""
    for step in (8, 16):
        save_checkpoint(tmp_path / "checkpoints", checkpoint(step))
    return tmp_path / "checkpoints"


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_comes_back_bit_for_bit(folder: Path) -> None:
    loaded = load_checkpoint(folder, 16)

    assert loaded.step == 16
    assert loaded.notes == checkpoint(16).notes
    assert all(torch.equal(loaded.tensors[name], t) for name, t in checkpoint(16).tensors.items())


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: flip(place / "state.safetensors", -1),
        lambda place: flip(place / "state.safetensors", 0),
        lambda place: (place / "state.safetensors").write_bytes(b""),
        lambda place: (place / "state.safetensors").write_bytes(
            (place / "state.safetensors").read_bytes()[:-4]
        ),
        lambda place: (place / "state.safetensors").unlink(),
        lambda place: (place / "manifest.json").unlink(),
        lambda place: (place / "manifest.json").write_text(""),
        lambda place: (place / "manifest.json").write_text("[]"),
        lambda place: (place / "manifest.json").write_text("{}"),
        lambda place: (place / "manifest.json").write_text(
            (place / "manifest.json").read_text().replace("0.001", "0.002")
        ),
        lambda place: place.rename(place.with_name("step-00000099")),
    ],
    ids=[
        "last byte", "first byte", "no state", "short state", "state gone", "manifest gone", "manifest empty",
        "manifest a list", "manifest without keys", "a changed note", "renamed",
    ],
)  # fmt: skip
def test_any_damage_is_noticed_and_the_way_out_is_told(folder: Path, damage: Damage) -> None:
    damage(folder / "step-00000016")

    with pytest.raises(CorruptFile, match=r"Delete that folder and run the same command again"):
        load_checkpoint(folder, saved_steps(folder)[-1])


@pytest.mark.parametrize("failing", ["state.safetensors", "manifest.json"])
def test_a_crash_in_mid_save_leaves_the_older_checkpoint_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:

    def failing_write(path: Path, content: str | bytes) -> None:
        if path.name == failing:
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr(checkpoints, "write_atomically", failing_write)

    with pytest.raises(StudyError, match="the disk is full"):
        save_checkpoint(folder, checkpoint(24))

    assert newest_step(folder, 99) == 16
    assert load_checkpoint(folder, 16).step == 16
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000008", "step-00000016"]


def test_what_a_killed_save_left_is_no_checkpoint_and_goes_with_the_next_pruning(folder: Path) -> None:
    (folder / ".saving-x").mkdir()
    (folder / ".saving-x" / "state.safetensors").write_bytes(b"half")

    assert saved_steps(folder) == [8, 16]
    prune_checkpoints(folder, keep=(), last=2)
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000008", "step-00000016"]


def test_a_crash_while_pruning_leaves_no_half_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path, ignore_errors: bool) -> None:
        (path / "manifest.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("allometry.lab.checkpoints.shutil.rmtree", crash)
    with pytest.raises(KeyboardInterrupt):
        prune_checkpoints(folder, keep=(), last=1)

    assert [load_checkpoint(folder, step).step for step in saved_steps(folder)] == [16]


def test_pruning_keeps_the_newest_and_what_branches_start_from(folder: Path) -> None:
    for step in (24, 32, 40):
        save_checkpoint(folder, checkpoint(step))

    prune_checkpoints(folder, keep={8, 24}, last=1)

    assert saved_steps(folder) == [8, 24, 40]


def test_pruning_fewer_than_may_stay_keeps_them_all(folder: Path) -> None:
    prune_checkpoints(folder, keep=(), last=5)

    assert saved_steps(folder) == [8, 16]


def test_the_newest_checkpoint_may_be_asked_for_up_to_a_step(folder: Path) -> None:
    assert [newest_step(folder, step) for step in (7, 8, 15, 16, 99)] == [None, 8, 8, 16, 16]


def test_a_folder_that_somebody_put_aside_is_no_checkpoint(folder: Path) -> None:
    (folder / "step-00000016").rename(folder / "step-00000016.bak")

    assert saved_steps(folder) == [8]


def test_a_checkpoint_may_be_read_by_whoever_may_read_the_study(folder: Path) -> None:
    (folder / "plain").mkdir()

    assert (folder / "step-00000016").stat().st_mode == (folder / "plain").stat().st_mode


def test_a_step_is_saved_once(folder: Path) -> None:
    before = (folder / "step-00000016" / "manifest.json").stat().st_mtime_ns

    save_checkpoint(folder, checkpoint(16))

    assert (folder / "step-00000016" / "manifest.json").stat().st_mtime_ns == before


def test_a_checkpoint_of_another_version_is_refused_with_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_FORMAT", 999)

    with pytest.raises(StudyError, match=r"written by another version .* Delete .* to train the run anew"):
        load_checkpoint(folder, 16)
