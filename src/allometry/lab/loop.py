"""`train`: one recipe to one run; exactly resumable, divergence is a result."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from allometry.errors import RecipeError, StudyError
from allometry.files import write_atomically
from allometry.lab.checkpoints import (
    Checkpoint,
    load_checkpoint,
    newest_step,
    prune_checkpoints,
    restore_tensors,
    save_checkpoint,
    state_tensors,
)
from allometry.lab.curve import LOG_STEPS, Curve
from allometry.lab.data import Batches, held_out_windows
from allometry.lab.devices import open_device
from allometry.lab.divergence import Watch
from allometry.lab.evaluate import evaluate
from allometry.lab.feeding import Feed, HostFeed
from allometry.lab.measures import recipe_facts
from allometry.lab.meters import Meter, Moment
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model, rate_multipliers
from allometry.lab.schedules import rate_at
from allometry.lab.steps import Batch, Stepper
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study


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
        meters: What else is measured; each is made anew for the run.
    """

    keep_steps: Collection[int] = ()
    checkpoint_seconds: float = 15.0
    on_progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    design: str = ""
    meters: Sequence[Callable[[], Meter]] = ()


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
    unique_tokens: int
    feed: Feed
    stepper: Stepper
    meters: Sequence[Meter]
    watch: Watch
    step: int = 0
    seconds: float = 0.0  # of earlier sittings
    pending: list[Tensor] = field(default_factory=list)  # losses since the last line of the curve
    started: str = ""
    begun: float = field(default_factory=time.perf_counter)
    begun_step: int = 0
    measured: dict[str, float] = field(default_factory=dict)  # by the meters, for the next line
    trouble: str = ""  # why the run has diverged

    @classmethod
    def begin(
        cls, recipe: Recipe, study: Study, device: torch.device, sitting: Sitting, data: TokenData
    ) -> _Training:
        folder = study.run_folder(recipe.run_id)
        write_atomically(folder / "recipe.toml", recipe.to_toml())
        context = recipe.architecture.context
        batches = Batches(data.train, context=context, batch_tokens=recipe.batch_tokens, seed=recipe.seed)
        training = cls(
            recipe=recipe,
            folder=folder,
            device=device,
            sitting=sitting,
            data=data,
            held_out=held_out_windows(data.held_out, context=context, tokens=recipe.data.held_out_tokens),
            unique_tokens=batches.unique_tokens,
            feed=HostFeed(batches, device),
            stepper=_stepper(recipe, device),
            meters=[make() for make in sitting.meters],
            watch=Watch(recipe.architecture.vocab),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        training._take_up(study)
        return training

    def advance(self) -> Literal["done", "diverged", "stopped"]:
        """Train to the end, to a divergence, or until asked to stop."""
        saved = shown = time.perf_counter()
        while self.step < self.recipe.steps:
            at_line = self._one_step()
            loss = self._log() if at_line else 0.0
            if self.step in self.sitting.keep_steps:
                self._save()
            if not at_line:
                continue
            now = time.perf_counter()
            if self.trouble:
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
        if self.pending:
            self._log()
        return "diverged" if self.trouble else "done"

    def finish(self, status: Literal["done", "diverged", "stopped"]) -> Run:
        """Measure what came out."""
        values = recipe_facts(self.recipe, unique_tokens=self.unique_tokens) | self._circumstances()
        for meter in self.meters:
            values |= meter.totals()
        if status != "done":
            return self._unfinished(status, values)
        held_out = evaluate(self.stepper.model, self.held_out, self.data.token_bytes, self.device)
        if not math.isfinite(held_out.loss):
            self.trouble = "the last update ruined the weights"
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
        last_good = min(line_before, self.watch.last_good) if status == "diverged" else self.step
        reason = self.trouble or "stopped on request; the next sweep goes on from there"
        return Run(
            run_id=self.recipe.run_id,
            status=status,
            values=values | {"last_good_step": last_good},
            reason=f"{reason}, at step {self.step} of {self.recipe.steps}",
        )

    def _one_step(self) -> bool:
        """Take a step; true if a line of the curve is due."""
        batch = self.feed.batch(self.step)
        measured = self._ends_line(self.step + 1) and self.meters
        if measured:
            for meter in self.meters:
                meter.before(self._moment(batch))
        self.pending.append(self.stepper.take(self.step, batch))
        self.step += 1
        if measured:
            self.measured = self._measure(batch)
        return self.step % LOG_STEPS == 0

    def _ends_line(self, step: int) -> bool:
        return step % LOG_STEPS == 0 or step == self.recipe.steps

    def _measure(self, batch: Batch) -> dict[str, float]:
        moment = replace(self._moment(batch), gradient_norm=self.stepper.gradient_norm)
        return {name: float(x) for meter in self.meters for name, x in meter.after(moment).items()}

    def _moment(self, batch: Batch) -> Moment:
        taken = self.stepper
        return Moment(
            step=self.step,
            model=taken.model,
            optimizer=taken.optimizer,
            batch=batch,
            objective=taken.objective,
        )

    def _log(self) -> float:
        """Add a line to the curve; the only place where the device is waited for."""
        loss = float(torch.stack(self.pending).double().mean())
        line = {
            "step": self.step,
            "tokens": self.step * self.recipe.batch_tokens,
            "loss": loss,
            "learning_rate": self.recipe.optimizer.learning_rate * rate_at(self.recipe, self.step - 1),
        }
        self._curve.add(line | self.measured)
        self.pending.clear()
        self.measured = {}
        self.trouble = self.watch.verdict(self.step, loss)
        return loss

    @property
    def _curve(self) -> Curve:
        return Curve(self.folder / "history.jsonl")

    def _save(self) -> None:
        notes = {
            "pending": [float(loss) for loss in self.pending],
            "measured": self.measured,
            "meters": [dict(meter.notes()) for meter in self.meters],
            "seconds": self._seconds(),
            "started": self.started,
            "data_hash": self.data.data_hash,
        }
        folder = self.folder / "checkpoints"
        self._curve.flush()  # the checkpoint counts on the lines before it
        tensors = state_tensors(self.stepper.model, self.stepper.optimizer)
        save_checkpoint(folder, Checkpoint(step=self.step, tensors=tensors, notes=notes))
        prune_checkpoints(folder, keep=self.sitting.keep_steps, last=2)

    def _take_up(self, study: Study) -> None:
        """Restore the newest state there is: of an earlier sitting, else of the trunk, else the start."""
        own = newest_step(self.folder / "checkpoints", self.recipe.steps)
        source = self.folder
        if own is not None:
            notes = self._restore(self.folder, own)
            self.seconds, self.started = notes["seconds"], notes["started"]
        elif self.recipe.parent:
            source = study.run_folder(self.recipe.parent)
            _require_same_trunk(self.recipe, source / "recipe.toml")
            shared = newest_step(source / "checkpoints", self.recipe.trunk_steps)
            if shared is not None:
                self._restore(source, shared)
        self.watch.follow(self._curve.start_from(Curve(source / "history.jsonl"), self.step))
        self.begun_step = self.step

    def _restore(self, folder: Path, step: int) -> Mapping[str, Any]:
        checkpoint = load_checkpoint(folder / "checkpoints", step)
        notes = checkpoint.notes
        if notes["data_hash"] != self.data.data_hash:
            raise StudyError(
                f"{folder} was begun with other text than its recipe names now. Bring the old text back, or "
                f"delete that folder to train the run anew."
            )
        restore_tensors(self.stepper.model, self.stepper.optimizer, checkpoint.tensors)
        self.step = checkpoint.step
        self.pending = [torch.tensor(loss, device=self.device) for loss in notes["pending"]]
        self.measured = dict(notes.get("measured", {}))
        for meter, taken in zip(self.meters, notes.get("meters", []), strict=False):
            meter.take_up(taken)
        return notes

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


def _stepper(recipe: Recipe, device: torch.device) -> Stepper:
    model = build_model(recipe).to(device)
    return Stepper(recipe, model, build_optimizer(model, recipe.optimizer, rate_multipliers(recipe)))


def _require_same_trunk(recipe: Recipe, path: Path) -> None:
    if not path.exists():
        return  # no trunk was trained: the branch is trained straight, with the same result
    trunk = Recipe.from_toml(path.read_text(), str(path))
    if replace(trunk, tokens=recipe.trunk().tokens) != recipe.trunk():
        raise RecipeError(
            f"{path} is not a trunk of run {recipe.run_id}: they differ in more than their length."
        )
