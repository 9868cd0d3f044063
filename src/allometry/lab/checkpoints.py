"""Checkpoints that are whole or not there: written aside, flushed, renamed, checked by hash when read.

checkpoints/step-00000768/state.safetensors   tensors by name
checkpoints/step-00000768/manifest.json       step, what else a resumed run needs, hash of it all
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from allometry.errors import CorruptFile, StudyError
from allometry.files import explained, sync_folder, write_atomically

_FORMAT = 2  # raise it when what a checkpoint holds, or the names of weights, change


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run after a number of steps.

    Attributes:
        step: Optimizer steps taken.
        tensors: Model and optimizer state by name.
        notes: Plain values a resumed run needs: pending losses, seconds.
    """

    step: int
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash at any moment leaves either all of it or nothing.

    Raises:
        StudyError: If it cannot be written; older checkpoints are untouched.
    """
    place = _path(folder, checkpoint.step)
    if place.exists():
        return  # the same step of the same recipe is the same state
    with explained(place):
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".saving-{uuid.uuid4().hex[:8]}"
        aside.mkdir()
        try:
            state = save(
                {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
            )
            write_atomically(aside / "state.safetensors", state)
            manifest = {"format": _FORMAT, "step": checkpoint.step, "notes": dict(checkpoint.notes)}
            manifest["sha256"] = _digest(state, manifest)
            write_atomically(aside / "manifest.json", json.dumps(manifest))
            aside.rename(place)
            sync_folder(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def load_checkpoint(folder: Path, step: int) -> Checkpoint:
    """Read a checkpoint and check it against its hash.

    Raises:
        CorruptFile: If a byte differs from what was written, or a file is missing.
        StudyError: If another version wrote it.
    """
    place = _path(folder, step)
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        state = (place / "state.safetensors").read_bytes()
        intact = manifest.pop("sha256") == _digest(state, manifest) and manifest["step"] == step
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{place} cannot be read ({error}). {_WAY_OUT}") from error
    if not intact:
        raise CorruptFile(f"{place} does not match its checksum. {_WAY_OUT}")
    if manifest.get("format") != _FORMAT:
        raise StudyError(
            f"{place} was written by another version of allometry, and a run resumed from it would not be "
            f"the same run. Delete {folder.parent} to train the run anew."
        )
    return Checkpoint(step=step, tensors=load(state), notes=manifest["notes"])


def _digest(state: bytes, manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(state + json.dumps(manifest, sort_keys=True).encode()).hexdigest()


_WAY_OUT = "Delete that folder and run the same command again: the run goes on from the checkpoint before it."


def saved_steps(folder: Path) -> list[int]:
    """Steps at which checkpoints are there, ascending."""
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-" + "[0-9]" * 8))


def newest_step(folder: Path, at_most: int) -> int | None:
    """The last checkpoint at or before a step, or None."""
    return max((step for step in saved_steps(folder) if step <= at_most), default=None)


def prune_checkpoints(folder: Path, *, keep: Collection[int], last: int) -> None:
    """Delete checkpoints but for the named steps and the newest ones, and what a crash left half written.

    Args:
        keep: Steps to keep, such as those where branches leave.
        last: How many of the newest others to keep.
    """
    others = [step for step in saved_steps(folder) if step not in keep]
    for step in others[: max(0, len(others) - last)]:
        # Out of sight first: a crash in the middle of deleting must not leave half a checkpoint.
        _path(folder, step).rename(folder / f".deleting-{step:08d}")
    for pattern in (".saving-*", ".deleting-*"):
        for leftover in folder.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def state_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All state of a model and its optimizer, by name."""
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    return weights | {
        f"optimizer.{name}.{kind}": value
        for name, weight in model.named_parameters()
        for kind, value in optimizer.state[weight].items()
    }


@torch.no_grad()
def restore_tensors(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put state from `state_tensors` back, on the devices where the model is."""
    restore_model(model, tensors)
    for name, weight in model.named_parameters():
        state = _below(f"optimizer.{name}.", tensors)
        optimizer.state[weight] = {kind: tensor.to(weight.device) for kind, tensor in state.items()}


def restore_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put the weights from `state_tensors` back, and leave the optimizer alone."""
    model.load_state_dict(_below("model.", tensors))


def generator_tensors(device: torch.device) -> dict[str, Tensor]:
    """State of torch's own generators: of the CPU, and of the device if it is another."""
    states = {"generator.cpu": torch.get_rng_state()}
    return states if device.type == "cpu" else states | {"generator.cuda": torch.cuda.get_rng_state(device)}


def restore_generators(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put state from `generator_tensors` back; a device's is left out if the run has changed devices."""
    states = _below("generator.", tensors)
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
