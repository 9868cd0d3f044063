"""`train`: one recipe to one run; exactly resumable, divergence is a result."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from allometry.errors import RecipeError, StudyError
from allometry.files import explained, sync_file, write_atomically
from allometry.lab.checkpoints import (
    Checkpoint,
    load_checkpoint,
    newest_step,
    prune_checkpoints,
    restore_tensors,
    save_checkpoint,
    state_tensors,
)
from allometry.lab.data import Batches, held_out_windows
from allometry.lab.devices import open_device
from allometry.lab.evaluate import evaluate
from allometry.lab.losses import head_loss
from allometry.lab.measures import recipe_facts
from allometry.lab.optimizers import build_optimizer, set_rate
from allometry.lab.parametrization import initialize
from allometry.lab.schedules import rate_at
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study

LOG_STEPS = 8  # steps averaged into one line of the curve
_HOPELESS = 1.0  # nats above the uniform guess ln(vocab): no healthy run is there after its first line
_REASONS = {
    "diverged": f"the loss was not finite, or in training over ln(vocab) + {_HOPELESS:g}",
    "stopped": "stopped on request; the next sweep goes on from there",
}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run in training says about itself."""

    run_id: str
    step: int
    steps: int
    tokens: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """How to train, as opposed to what: nothing here changes a bit of the result.

    Attributes:
        keep_steps: Checkpoints to keep for branches.
        checkpoint_seconds: Time between checkpoints.
        on_progress: Called about twice a second.
        should_stop: Asked every few steps; True saves a checkpoint and ends the sitting.
        design: Why the run is made; goes into the run's `design` column.
    """

    keep_steps: Collection[int] = ()
    checkpoint_seconds: float = 15.0
    on_progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    design: str = ""


def train(
    recipe: Recipe,
    *,
    study: Study | None = None,
    device: str = "cpu",
    sitting: Sitting | None = None,
    text: TokenData | None = None,
) -> Run:
    """Train a recipe, or take up where an earlier sitting or its trunk left off.

    Args:
        study: Where the run's folder is; a temporary one if none is given.
        device: "cpu", "cuda", "cuda:1" …; bits are reproducible per device and thread count.
        sitting: How to train.
        text: The recipe's text, if it is at hand already; read, or taken from the cache, if None.

    Returns:
        The run: done, diverged (kept, with the last good step) or stopped. It is saved in the study.

    Raises:
        CorruptFile: If the checkpoint to resume from is damaged.
        StudyError: If the study cannot be written, or the run was begun with other text.
        InputError: If the text is too short for the recipe, or there is no such device.
    """
    if study is None:
        with tempfile.TemporaryDirectory() as folder:
            return train(recipe, study=Study.create(folder, ""), device=device, sitting=sitting, text=text)
    data = text or prepare_tokens(recipe.data)
    training = _Training.begin(recipe, study, open_device(device), sitting or Sitting(), data)
    run = training.finish(training.advance())
    study.save_run(run)
    return run


@dataclass
class _Training:
    """One sitting in progress: the only mutable state of the lab."""

    recipe: Recipe
    folder: Path
    device: torch.device
    sitting: Sitting
    data: TokenData
    held_out: npt.NDArray[np.int64]
    batches: Batches
    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0  # of earlier sittings
    pending: list[Tensor] = field(default_factory=list)  # losses since the last line of the curve
    started: str = ""
    begun: float = field(default_factory=time.perf_counter)
    begun_step: int = 0

    @classmethod
    def begin(
        cls, recipe: Recipe, study: Study, device: torch.device, sitting: Sitting, data: TokenData
    ) -> _Training:
        folder = study.run_folder(recipe.run_id)
        write_atomically(folder / "recipe.toml", recipe.to_toml())
        model = recipe.architecture.build()
        initialize(model, torch.Generator().manual_seed(recipe.seed))
        model.to(device)
        training = cls(
            recipe=recipe,
            folder=folder,
            device=device,
            sitting=sitting,
            data=data,
            held_out=held_out_windows(
                data.held_out, context=recipe.architecture.context, tokens=recipe.data.held_out_tokens
            ),
            batches=Batches(
                data.train,
                context=recipe.architecture.context,
                batch_tokens=recipe.batch_tokens,
                seed=recipe.seed,
            ),
            model=model,
            optimizer=build_optimizer(model, recipe.optimizer),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        training._take_up(study)
        return training

    def advance(self) -> Literal["done", "diverged", "stopped"]:
        """Train to the end, to a divergence, or until asked to stop."""
        saved = shown = time.perf_counter()
        while self.step < self.recipe.steps:
            self._one_step()
            at_line = self.step % LOG_STEPS == 0
            loss = self._log() if at_line else 0.0
            if self.step in self.sitting.keep_steps:
                self._save()
            if not at_line:
                continue
            now = time.perf_counter()
            if self._hopeless(loss):
                return "diverged"
            if now - shown > 0.5:
                shown = now
                self.sitting.on_progress(self._progress(loss))
            if self.sitting.should_stop():
                self._save()
                return "stopped"
            if now - saved > self.sitting.checkpoint_seconds:
                saved = now
                self._save()
        self._save()
        return "diverged" if self.pending and self._hopeless(self._log()) else "done"

    def finish(self, status: Literal["done", "diverged", "stopped"]) -> Run:
        """Measure what came out."""
        unique = self.batches.unique_tokens
        values = recipe_facts(self.recipe, unique_tokens=unique) | self._circumstances()
        if status != "done":
            return self._unfinished(status, values)
        held_out = evaluate(self.model, self.held_out, self.data.token_bytes, self.device)
        if not math.isfinite(held_out.loss):  # the last step's update was the one too many
            return self._unfinished("diverged", values)
        prune_checkpoints(self.folder / "checkpoints", keep=self.sitting.keep_steps, last=1)
        values |= {
            "loss": held_out.loss,
            "bits_per_byte": held_out.bits_per_byte,
            "held_out_tokens": held_out.tokens,
        }
        return Run(run_id=self.recipe.run_id, status="done", values=values)

    def _unfinished(self, status: Literal["diverged", "stopped"], values: dict[str, Any]) -> Run:
        line_before = max(0, self.step - 1) // LOG_STEPS * LOG_STEPS
        last_good = line_before if status == "diverged" else self.step
        return Run(
            run_id=self.recipe.run_id,
            status=status,
            values=values | {"last_good_step": last_good},
            reason=f"{_REASONS[status]}, at step {self.step} of {self.recipe.steps}",
        )

    def _one_step(self) -> None:
        ids = torch.from_numpy(self.batches.batch(self.step)).to(self.device, non_blocking=True)
        hidden = self.model.hidden(ids[:, :-1])  # type: ignore[operator]
        loss = head_loss(hidden, self.model.head.weight, ids[:, 1:])  # type: ignore[arg-type, union-attr]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip)
        set_rate(self.optimizer, self.recipe.optimizer.learning_rate * rate_at(self.recipe, self.step))
        self.optimizer.step()
        self.pending.append(loss.detach())
        self.step += 1

    def _log(self) -> float:
        """Add a line to the curve; the only place where the device is waited for."""
        losses = torch.stack(self.pending).double()
        loss = float(losses.mean())
        line = {
            "step": self.step,
            "tokens": self.step * self.recipe.batch_tokens,
            "loss": loss,
            "learning_rate": self.recipe.optimizer.learning_rate * rate_at(self.recipe, self.step - 1),
        }
        with explained(self._curve), self._curve.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.pending.clear()
        return loss

    @property
    def _curve(self) -> Path:
        return self.folder / "history.jsonl"

    def _save(self) -> None:
        notes = {
            "pending": [float(loss) for loss in self.pending],
            "seconds": self._seconds(),
            "started": self.started,
            "data_hash": self.data.data_hash,
        }
        folder = self.folder / "checkpoints"
        sync_file(self._curve)  # the checkpoint counts on the lines before it
        tensors = state_tensors(self.model, self.optimizer)
        save_checkpoint(folder, Checkpoint(step=self.step, tensors=tensors, notes=notes))
        prune_checkpoints(folder, keep=self.sitting.keep_steps, last=2)

    def _take_up(self, study: Study) -> None:
        """Restore the newest state there is: of an earlier sitting, else of the trunk, else the start."""
        own = newest_step(self.folder / "checkpoints", self.recipe.steps)
        if own is not None:
            notes = self._restore(self.folder, own)
            self.seconds, self.started = notes["seconds"], notes["started"]
        elif self.recipe.parent:
            trunk = study.run_folder(self.recipe.parent)
            _require_same_trunk(self.recipe, trunk / "recipe.toml")
            shared = newest_step(trunk / "checkpoints", self.recipe.trunk_steps)
            if shared is not None:
                self._restore(trunk, shared)
        self._keep_curve(self.folder if own is not None else study.run_folder(self.recipe.parent or "-"))
        self.begun_step = self.step

    def _restore(self, folder: Path, step: int) -> Mapping[str, Any]:
        checkpoint = load_checkpoint(folder / "checkpoints", step)
        if checkpoint.notes["data_hash"] != self.data.data_hash:
            raise StudyError(
                f"{folder} was begun with other text than its recipe names now. Bring the old text back, or "
                f"delete that folder to train the run anew."
            )
        restore_tensors(self.model, self.optimizer, checkpoint.tensors)
        self.step = checkpoint.step
        self.pending = [torch.tensor(loss, device=self.device) for loss in checkpoint.notes["pending"]]
        return checkpoint.notes

    def _keep_curve(self, source: Path) -> None:
        """Keep the lines of the curve that lead to the state taken up; later ones are written again."""
        path = source / "history.jsonl"
        lines = path.read_text().splitlines() if self.step and path.exists() else []
        kept = [line for line in lines if line.endswith("}") and self._leads_here(json.loads(line)["step"])]
        write_atomically(self._curve, "".join(line + "\n" for line in kept))

    def _leads_here(self, step: int) -> bool:
        # A run's last line may average fewer steps; its losses are still pending in the checkpoint.
        return step <= self.step and step % LOG_STEPS == 0

    def _seconds(self) -> float:
        return self.seconds + time.perf_counter() - self.begun

    def _progress(self, loss: float) -> Progress:
        taken = (self.step - self.begun_step) * self.recipe.batch_tokens
        return Progress(
            run_id=self.recipe.run_id,
            step=self.step,
            steps=self.recipe.steps,
            tokens=self.step * self.recipe.batch_tokens,
            loss=loss,
            tokens_per_second=taken / (time.perf_counter() - self.begun),
        )

    def _hopeless(self, loss: float) -> bool:
        return not loss <= math.log(self.recipe.architecture.vocab) + _HOPELESS  # so that NaN is hopeless too

    def _circumstances(self) -> dict[str, Any]:
        return {
            "design": self.sitting.design,
            "seconds": self._seconds(),
            "started": self.started,
            "data_hash": self.data.data_hash,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "torch_version": torch.__version__,
            "allometry_version": version("allometry"),
        }


def _require_same_trunk(recipe: Recipe, path: Path) -> None:
    if not path.exists():
        return  # no trunk was trained: the branch is trained straight, with the same result
    trunk = Recipe.from_toml(path.read_text(), str(path))
    if replace(trunk, tokens=recipe.trunk().tokens) != recipe.trunk():
        raise RecipeError(
            f"{path} is not a trunk of run {recipe.run_id}: they differ in more than their length."
        )
