"""`Training`: one sitting of a run, a step at a time; what it saves, and how it takes up what was saved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from allometry.errors import RecipeError, StudyError
from allometry.files import write_atomically
from allometry.lab.checkpoints import (
    Checkpoint,
    generator_tensors,
    load_checkpoint,
    newest_step,
    prune_checkpoints,
    restore_generators,
    restore_tensors,
    save_checkpoint,
    state_tensors,
)
from allometry.lab.costs import Costs
from allometry.lab.curve import LOG_STEPS, Curve
from allometry.lab.data import ScoredWindows
from allometry.lab.divergence import Watch
from allometry.lab.energy import open_meter
from allometry.lab.evaluate import HeldOut, evaluate
from allometry.lab.evaluations import is_evaluated
from allometry.lab.feeding import Feed, open_feed
from allometry.lab.lineage import (
    FROM_SCRATCH,
    Inheritance,
    choose_objective,
    inherit,
    teacher_facts,
)
from allometry.lab.measures import peak_memory, throughput
from allometry.lab.meters import Meter, Moment
from allometry.lab.noise_scale import NoiseScaleMeter
from allometry.lab.norms import NormMeter
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model, rate_multipliers
from allometry.lab.precision import choose_arithmetic, loss_scale_for
from allometry.lab.schedules import rate_at
from allometry.lab.sitting import Progress, Sitting
from allometry.lab.steps import Batch, Stepper
from allometry.lab.tasks.scoring import task_facts
from allometry.lab.tokens import TokenData
from allometry.recipe import Measure, Recipe, TaskProblems
from allometry.recipe.facts import recipe_facts
from allometry.runs.run import Run
from allometry.runs.study import Study

__all__ = ["Ending", "Training"]

Ending = Literal["done", "diverged", "stopped"]
METERS: Mapping[Measure, Callable[[], Meter]] = {"norms": NormMeter, "noise_scale": NoiseScaleMeter}


@dataclass
class Training:
    """One sitting in progress: the only mutable state of the lab."""

    recipe: Recipe
    folder: Path
    device: torch.device
    sitting: Sitting
    data: TokenData
    scored: Sequence[ScoredWindows]
    unique_tokens: int
    feed: Feed
    stepper: Stepper
    meters: Sequence[Meter]
    watch: Watch
    costs: Costs
    interrupted: Callable[[], bool]
    taught: Mapping[str, Any]  # columns that a teacher adds
    inheritance: Inheritance = FROM_SCRATCH
    step: int = 0
    begun_step: int = 0
    pending: list[Tensor] = field(default_factory=list)  # losses since the last line of the curve
    measured: dict[str, float] = field(default_factory=dict)  # by the meters, for the next line
    held_out: dict[int, HeldOut] = field(default_factory=dict)  # the last evaluation, by its step
    started: str = ""
    trouble: str = ""  # why the run has diverged
    saved: float = field(default_factory=time.perf_counter)  # when a checkpoint was last due
    shown: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(
        cls,
        recipe: Recipe,
        study: Study,
        device: torch.device,
        sitting: Sitting,
        data: TokenData,
        interrupted: Callable[[], bool],
    ) -> Self:
        """Set up a run as its recipe or its newest checkpoint says."""
        folder = study.run_folder(recipe.run_id)
        write_atomically(folder / "recipe.toml", recipe.to_toml())
        context = recipe.architecture.context
        batches = data.batches(context=context, batch_tokens=recipe.batch_tokens, seed=recipe.seed)
        training = cls(
            recipe=recipe,
            folder=folder,
            device=device,
            sitting=sitting,
            data=data,
            scored=data.scored(context=context, tokens=recipe.data.held_out_tokens),
            unique_tokens=batches.unique_tokens,
            feed=open_feed(batches, context=context, device=device, places=data.scored_places(context)),
            stepper=_stepper(recipe, study, device),
            meters=[*(METERS[name]() for name in recipe.measures), *(make() for make in sitting.meters)],
            watch=Watch(recipe.architecture.vocab),
            costs=Costs(open_meter(str(device))),
            interrupted=interrupted,
            taught=teacher_facts(recipe, study),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        training._take_up(study)
        if sitting.compiled:
            _compile(training.stepper, device)
        return training

    def advance(self) -> Ending:
        """Train to the end, to a divergence, or until asked to stop."""
        ending = None
        while ending is None:
            ending = self.turn()
        return ending

    def turn(self) -> Ending | None:
        """Take one step and do what follows it; how the sitting ended, None while it goes on."""
        if self.step >= self.recipe.steps:
            return self._come_to_the_end()
        if 0 < self.sitting.stop_after <= self.step:
            self._save()
            return "stopped"
        at_line = self._one_step()
        loss = self._log() if at_line else 0.0
        if self.step in self.sitting.keep_steps:
            self._save()
        if self.interrupted():
            self._save()
            return "stopped"
        return self._look_around(loss) if at_line else None

    def _look_around(self, loss: float) -> Ending | None:
        """What is done at a line of the curve only."""
        if self.trouble:
            return "diverged"
        self.show(loss)
        if self.sitting.should_stop():
            self._save()
            return "stopped"
        if self.save_is_due():
            self._save()
        return None

    def show(self, loss: float) -> None:
        """Say how far the run is, about twice a second."""
        if time.perf_counter() - self.shown > 0.5:
            self.shown = time.perf_counter()
            self.sitting.on_progress(self._progress(loss))

    def save_is_due(self) -> bool:
        """Whether it is time for a checkpoint; asked once, as the next one is then later."""
        due = time.perf_counter() - self.saved > self.sitting.checkpoint_seconds
        if due:
            self.saved = time.perf_counter()
        return due

    def _come_to_the_end(self) -> Ending:
        self._save()
        if self.pending:
            self._log()
        return "diverged" if self.trouble else "done"

    def finish(self, status: Ending) -> Run:
        """Measure what came out."""
        values = self._facts()
        if status != "done":
            return self._unfinished(status, values)
        held_out = self._evaluate()
        if not math.isfinite(held_out.loss):
            self.trouble = "the last update ruined the weights"
            return self._unfinished("diverged", values)
        self._prune(last=1)
        values |= {**held_out.losses(), "held_out_tokens": held_out.tokens, **self._costs()}
        if isinstance(self.recipe.data.corpus, TaskProblems):
            values |= task_facts(self.stepper.model, self.recipe.data, self.device)
        return Run(run_id=self.recipe.run_id, status="done", values=values)

    def _unfinished(self, status: Literal["diverged", "stopped"], values: dict[str, Any]) -> Run:
        line_before = max(0, self.step - 1) // LOG_STEPS * LOG_STEPS
        last_good = min(line_before, self.watch.last_good) if status == "diverged" else self.step
        enough = 0 < self.sitting.stop_after <= self.step
        asked = "trained as far as its branches need" if enough else "stopped on request"
        reason = self.trouble or f"{asked}; the next sweep goes on from there"
        return Run(
            run_id=self.recipe.run_id,
            status=status,
            values={**values, "last_good_step": last_good, **self._costs()},
            reason=f"{reason}, at step {self.step} of {self.recipe.steps}",
        )

    def _one_step(self) -> bool:
        """Take a step; true if a line of the curve is due."""
        batch = self.next_batch()
        measured = self._ends_line(self.step + 1) and self.meters
        if measured:
            for meter in self.meters:
                meter.before(self._moment(batch))
        self.pending.append(self.stepper.take(self.step, batch))
        self.step += 1
        if measured:
            self.measured = self._measure(batch)
        return self.step % LOG_STEPS == 0

    def next_batch(self) -> Batch:
        """The batch of the step that comes next."""
        return self.feed.batch(self.inheritance.first_step + self.step)

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
        line: dict[str, float] = {
            "step": self.step,
            "tokens": self.step * self.recipe.batch_tokens,
            "loss": loss,
            "learning_rate": self.recipe.optimizer.learning_rate * rate_at(self.recipe, self.step - 1),
        }
        self.trouble = self.watch.verdict(self.step, loss)
        if is_evaluated(self.step, self.recipe.evaluations) and not self.trouble:
            line |= self._evaluate().losses("held_out_")
        self.sitting.confirm()
        self._curve.add(line | self.measured)
        self.pending.clear()
        self.measured = {}
        return loss

    def _evaluate(self) -> HeldOut:
        """The held-out loss as of now, measured once a step."""
        if self.step not in self.held_out:
            with self.costs.aside():
                taken = self.stepper
                self.held_out = {self.step: evaluate(taken.model, self.scored, self.device, taken.arithmetic)}
        return self.held_out[self.step]

    @property
    def _curve(self) -> Curve:
        return Curve(self.folder / "history.jsonl")

    def _save(self) -> None:
        with self.costs.aside():
            folder = self.folder / "checkpoints"
            self.sitting.confirm()
            self._curve.flush()  # the checkpoint counts on the lines before it
            state = state_tensors(self.stepper.model, self.stepper.optimizer)
            tensors = state | generator_tensors(self.device)
            save_checkpoint(folder, Checkpoint(step=self.step, tensors=tensors, notes=self._notes()))
            self._prune(last=2)

    def _prune(self, *, last: int) -> None:
        self.sitting.confirm()
        prune_checkpoints(self.folder / "checkpoints", keep=self.sitting.keep_steps, last=last)

    def _notes(self) -> dict[str, Any]:
        return {
            "pending": [float(loss) for loss in self.pending],
            "measured": self.measured,
            "meters": [dict(meter.notes()) for meter in self.meters],
            "stepper": self.stepper.notes(),
            "inheritance": asdict(self.inheritance),
            "started": self.started,
            "data_hash": self.data.data_hash,
            **self.costs.notes(),
        }

    def _take_up(self, study: Study) -> None:
        """Restore the newest state there is: of an earlier sitting, else of the trunk, else the start."""
        own = newest_step(self.folder / "checkpoints", self.recipe.steps)
        source = self.folder
        if own is not None:
            notes = self._restore(self.folder, own)
            self.costs.take_up(notes)
            self.started = notes["started"]
        elif self.recipe.parent:
            source = study.run_folder(self.recipe.parent)
            _require_same_trunk(self.recipe, source / "recipe.toml")
            shared = newest_step(source / "checkpoints", self.recipe.trunk_steps)
            if shared is not None:
                self._restore(source, shared)
        if self.step == 0:
            taken = self.stepper
            self.inheritance = inherit(self.recipe, study, taken.model, taken.optimizer)
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
        restore_generators(checkpoint.tensors, self.device)
        self.step = checkpoint.step
        self.pending = [torch.tensor(loss, device=self.device) for loss in notes["pending"]]
        self.measured = dict(notes["measured"])
        self.inheritance = Inheritance(**notes["inheritance"])
        self.stepper.take_up(notes["stepper"])
        for meter, taken in zip(self.meters, notes["meters"], strict=False):
            meter.take_up(taken)
        return notes

    def _progress(self, loss: float) -> Progress:
        taken = (self.step - self.begun_step) * self.recipe.batch_tokens
        return Progress(
            run_id=self.recipe.run_id,
            step=self.step,
            steps=self.recipe.steps,
            tokens=self.step * self.recipe.batch_tokens,
            loss=loss,
            tokens_per_second=taken / self.costs.sitting_seconds(),
        )

    def _facts(self) -> dict[str, Any]:
        """What the run is, and where it was trained."""
        facts = {**recipe_facts(self.recipe, unique_tokens=self.unique_tokens), **self.inheritance.facts}
        facts |= self.taught
        for meter in self.meters:
            facts |= meter.totals()
        return {
            **facts,
            **self.stepper.arithmetic.facts(),
            "design": self.sitting.design,
            "compiled": self.sitting.compiled,
            "started": self.started,
            "data_hash": self.data.data_hash,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "torch_version": torch.__version__,
            "allometry_version": version("allometry"),
        }

    def _costs(self) -> dict[str, Any]:
        steps, seconds = self.step - self.begun_step, self.costs.training_seconds()
        return {
            **self.costs.facts(),
            **throughput(self.recipe, self.stepper.arithmetic, steps=steps, seconds=seconds),
            **peak_memory(self.device),
        }


def _stepper(recipe: Recipe, study: Study, device: torch.device) -> Stepper:
    model = build_model(recipe).to(device)
    arithmetic = choose_arithmetic(recipe.precision, device)
    return Stepper(
        recipe,
        model,
        build_optimizer(model, recipe.optimizer, rate_multipliers(recipe)),
        objective=choose_objective(recipe, study, device),
        arithmetic=arithmetic,
        loss_scale=loss_scale_for(arithmetic),
    )


def _compile(stepper: Stepper, device: torch.device) -> None:
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    stepper.model.features = torch.compile(stepper.model.features, mode=mode)  # type: ignore[method-assign]


def _require_same_trunk(recipe: Recipe, path: Path) -> None:
    if not path.exists():
        return  # no trunk was trained: the branch is trained straight, with the same result
    trunk = Recipe.from_toml(path.read_text(), str(path))
    if replace(trunk, tokens=recipe.trunk().tokens) != recipe.trunk():
        raise RecipeError(
            f"{path} is not a trunk of run {recipe.run_id}: they differ in more than their length."
        )
