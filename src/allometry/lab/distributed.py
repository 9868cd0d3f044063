"""One run over several processes: each takes its share of every batch's sequences.

    torchrun --nproc-per-node 2 -m allometry.lab.distributed recipe.toml --study FOLDER --sharding fsdp

With "ddp" every process holds the whole model and optimizer (DistributedDataParallel), with "fsdp" a share of
them (fully_shard). Process 0 writes curve, checkpoints and result, in the same form as a run of one process:
a run may be taken up with another number of processes, or with one.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import tomli_w
import torch
import torch.distributed as dist
from torch import Tensor

from allometry.errors import AllometryError, RecipeError
from allometry.lab.checkpoints import Checkpoint, generator_tensors, save_checkpoint
from allometry.lab.curve import Curve
from allometry.lab.devices import open_device
from allometry.lab.evaluate import HeldOut
from allometry.lab.interruption import heeding_signals
from allometry.lab.lineage import require_ancestors
from allometry.lab.memory import require_memory
from allometry.lab.shared_costs import SharedMeter, most_memory
from allometry.lab.sharing import SharedStepper, ShareFeed, reshard, shard, whole_state
from allometry.lab.sitting import Sitting
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.lab.training import Ending, Training
from allometry.recipe import Recipe
from allometry.runs.claiming import claimed
from allometry.runs.run import FINISHED, Run
from allometry.runs.study import SPEC, Study

Sharding = Literal["ddp", "fsdp"]
_GO, _SAVE, _STOP = 0, 1, 2  # what process 0 decides for all at a line of the curve


def train_distributed(
    recipe: Recipe,
    *,
    study: Study,
    sharding: Sharding = "ddp",
    device: str = "cpu",
    sitting: Sitting | None = None,
) -> Run:
    """Train a recipe together with the other processes that torchrun started; all call it alike.

    The run equals that of one process to rounding: gradients are averaged over equal shares of the batch. The
    balance of a mixture of experts is then that of each process's share, averaged.

    Args:
        study: On storage that all processes see.
        sharding: Whether each process holds all of the model, or a share.
        device: "cpu", or "cuda" for one device a process.
        sitting: Its callbacks are those of process 0.

    Raises:
        RecipeError: If a batch's sequences cannot be split evenly.
        As `train`.
    """
    # Before the processes meet: one that refused would leave the others waiting for it, or be lost to them.
    _require_even_shares(recipe, int(os.environ.get("WORLD_SIZE", "1")))
    place = open_device(_own_device(device))
    with _process_group(place):
        return _made_together(recipe, study, sharding, place, sitting or Sitting())


def _made_together(
    recipe: Recipe, study: Study, sharding: Sharding, place: torch.device, given: Sitting
) -> Run:
    # Apart from the group, which must outlive the model: what wraps that waits for its peers when it goes.
    with ExitStack() as stack:
        if _is_first():
            claim = stack.enter_context(claimed(study.run_folder(recipe.run_id)))
            given = replace(given, confirm=claim.confirm)
        ended = study.run(recipe.run_id)
        dist.barrier()  # all have looked before one writes
        if ended is not None and ended.status in FINISHED:
            return ended
        require_ancestors(recipe, study)
        require_memory(recipe, place, processes=dist.get_world_size())
        interrupted = stack.enter_context(heeding_signals())
        torch.manual_seed(recipe.seed)
        chosen = _agreed(given, interrupted)
        training = SharedTraining.begin(recipe, study, place, chosen, _text(recipe), lambda: False)
        training.join(sharding)
        run = training.finish(training.advance())
        if _is_first():
            given.confirm()
            study.save_run(run)
        return run


def _own_device(device: str) -> str:
    return device if device == "cpu" else f"cuda:{os.environ['LOCAL_RANK']}"


@contextmanager
def _process_group(device: torch.device) -> Iterator[None]:
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def _is_first() -> bool:
    return dist.get_rank() == 0


def _text(recipe: Recipe) -> TokenData:
    """Encoded by process 0 and then read by all from its cache."""
    if not _is_first():
        dist.barrier()
        return prepare_tokens(recipe.data)
    data = prepare_tokens(recipe.data)
    dist.barrier()
    return data


def _require_even_shares(recipe: Recipe, processes: int) -> None:
    sequences = recipe.batch_tokens // recipe.architecture.context
    if sequences % processes:
        raise RecipeError(
            f"A batch of {sequences} sequences cannot be shared out evenly to {processes} processes; take "
            f"another number of processes, or a batch_tokens that is a multiple of "
            f"{processes * recipe.architecture.context}."
        )


def _agreed(sitting: Sitting, interrupted: Callable[[], bool]) -> Sitting:
    """A signal stops the run at a line of the curve, where all processes stop together."""
    return replace(sitting, should_stop=lambda: interrupted() or sitting.should_stop())


class _UnwrittenCurve(Curve):
    """What processes other than the first have: all know the same losses, and one writes them."""

    def add(self, line: Mapping[str, Any]) -> None:
        pass

    def flush(self) -> None:
        pass

    def start_from(self, source: Curve, step: int) -> list[dict[str, Any]]:
        return source.leading_to(step)


class SharedTraining(Training):
    """A training of which this process does its share."""

    meter: SharedMeter

    def join(self, sharding: Sharding) -> None:
        """From here on gradients are those of all processes."""
        if sharding == "fsdp":
            shard(self.stepper)
        self.feed = ShareFeed(self.feed, rank=dist.get_rank(), processes=dist.get_world_size())
        self.stepper = SharedStepper.instead_of(self.stepper)
        self.costs.meter = self.meter = SharedMeter(self.costs.meter, self.device)

    def _look_around(self, loss: float) -> Ending | None:
        """As alone, but process 0 decides for all, or they would wait for each other forever."""
        decided = torch.tensor(_GO, device=self.device)
        if _is_first():
            decided.fill_(self._decision(loss))
        dist.broadcast(decided, src=0)
        if self.trouble:
            return "diverged"
        if decided.item() in (_SAVE, _STOP):
            self._save()
        return "stopped" if decided.item() == _STOP else None

    def _decision(self, loss: float) -> int:
        self.show(loss)
        if self.sitting.should_stop():
            return _STOP
        return _SAVE if self.save_is_due() else _GO

    def _evaluate(self) -> HeldOut:
        held_out = super()._evaluate()
        reshard(self.stepper.model)
        return held_out

    def _save(self) -> None:
        with self.costs.aside():
            tensors = whole_state(self.stepper.model, self.stepper.optimizer)
            self.meter.gather()
            if _is_first():
                self._write(tensors)
            dist.barrier()

    def _write(self, tensors: dict[str, Tensor]) -> None:
        folder = self.folder / "checkpoints"
        self.sitting.confirm()
        self._curve.flush()
        state = tensors | generator_tensors(self.device)
        save_checkpoint(folder, Checkpoint(step=self.step, tensors=state, notes=self._notes()))
        self._prune(last=2)

    def _prune(self, *, last: int) -> None:
        if _is_first():
            super()._prune(last=last)

    @property
    def _curve(self) -> Curve:
        return super()._curve if _is_first() else _UnwrittenCurve(super()._curve.path)

    def _costs(self) -> dict[str, Any]:
        self.meter.gather()
        costs, processes = super()._costs(), dist.get_world_size()
        if "peak_share" in costs:
            costs["peak_flops_per_second"] *= processes
            costs["peak_share"] /= processes
        return costs | most_memory(costs, self.device) | {"processes": processes}


def open_or_make(folder: Path) -> Study:
    """The study of a folder, or a new one whose design asks for nothing itself."""
    if (folder / SPEC).is_file():
        return Study.open(folder)
    return Study.create(folder, tomli_w.dumps({"name": folder.resolve().name, "design": {"kind": "given"}}))


def main(words: Sequence[str] | None = None) -> int:
    """Train the recipe of a file; the exit status is 2 for a mistake of the user."""
    parser = argparse.ArgumentParser(
        prog="allometry.lab.distributed", description="Train one run over processes."
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--study", type=Path, required=True, help="folder, made if it is not there")
    parser.add_argument("--sharding", choices=("ddp", "fsdp"), default="ddp")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--design", default="", help="why the run is made")
    parser.add_argument("--keep-steps", default="", help="checkpoints to keep for branches, as in 8,64")
    parser.add_argument("--stop-after", type=int, default=0, help="steps of a trunk that are needed; 0: all")
    parser.add_argument("--checkpoint-seconds", type=float, default=15.0)
    chosen = parser.parse_args(words)
    sitting = Sitting(
        keep_steps=[int(step) for step in chosen.keep_steps.split(",") if step],
        stop_after=chosen.stop_after,
        checkpoint_seconds=chosen.checkpoint_seconds,
        design=chosen.design,
    )
    try:
        recipe = Recipe.from_toml(chosen.recipe.read_text(), str(chosen.recipe))
        study = open_or_make(chosen.study)
        run = train_distributed(
            recipe, study=study, sharding=chosen.sharding, device=chosen.device, sitting=sitting
        )
    except AllometryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(f"{run.run_id} {run.status} {run.values.get('loss', run.reason)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
