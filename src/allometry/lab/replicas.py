"""`train_replicas`: runs of one shape (seeds, rates, schedules) trained together, each as if it were alone.

A small model's step is mostly overhead: starting kernels on pieces of work that are too short. Replicas share
one forward and backward pass; all else, from clipping to checkpoints, is each run's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from allometry.lab.devices import open_device
from allometry.lab.feeding import Feed
from allometry.lab.interruption import heeding_signals
from allometry.lab.lineage import require_ancestors
from allometry.lab.loop import train
from allometry.lab.memory import ran_out_of_memory, require_memory
from allometry.lab.siblings import replica_groups
from allometry.lab.sitting import Sitting
from allometry.lab.stacking import Made, Stack, can_stack
from allometry.lab.steps import Batch, Stepper, next_token
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.lab.training import Ending, Training
from allometry.recipe import Recipe
from allometry.runs.claiming import Claim, claimed
from allometry.runs.run import FINISHED, Run
from allometry.runs.study import Study

__all__ = ["replica_groups", "train_replicas"]


def train_replicas(
    recipes: Sequence[Recipe],
    *,
    study: Study | None = None,
    device: str = "cpu",
    sitting: Sitting | None = None,
    text: TokenData | None = None,
) -> list[Run]:
    """Train recipes that differ in seed, rates, schedule or length, with one pass for all where they can.

    Each run equals the one that `train` makes to rounding, not to the last bit, and is saved, resumed and
    stopped like it; one that diverges leaves the others as they are. Recipes of another shape, and
    architectures that cannot be stacked, are trained one after another.

    Args:
        recipes: On one text.
        study, device, sitting, text: As of `train`, for all of them.

    Returns:
        The runs, in the order of the recipes. The seconds and joules of a pass are shared out equally.

    Raises:
        As `train`.
    """
    if study is None:
        with tempfile.TemporaryDirectory() as folder:
            return train_replicas(
                recipes, study=Study.create(folder, ""), device=device, sitting=sitting, text=text
            )
    chosen = sitting or Sitting()
    runs: dict[str, Run] = {}
    for group in replica_groups(recipes, device=device):
        if len(group) == 1:
            runs[group[0].run_id] = train(group[0], study=study, device=device, sitting=chosen, text=text)
        else:
            runs |= _train_group(group, study, torch.device(device), chosen, text)
    return [runs[recipe.run_id] for recipe in recipes]


def _train_group(
    recipes: Sequence[Recipe], study: Study, device: torch.device, sitting: Sitting, text: TokenData | None
) -> dict[str, Run]:
    """Hold all runs of a group, and train those that have not ended."""
    with ExitStack() as stack:
        claims: dict[str, Claim] = {}
        for recipe in sorted(recipes, key=lambda one: one.run_id):  # in one order: no two wait for each other
            folder = study.run_folder(recipe.run_id)
            claims[recipe.run_id] = stack.enter_context(claimed(folder, patience=sitting.patience))
            require_ancestors(recipe, study)
        known = {recipe.run_id: study.run(recipe.run_id) for recipe in recipes}
        ended = {run_id: run for run_id, run in known.items() if run is not None and run.status in FINISHED}
        place = open_device(str(device))
        data = text or prepare_tokens(recipes[0].data)
        interrupted = stack.enter_context(heeding_signals())
        stack.enter_context(torch.random.fork_rng([place] if place.type == "cuda" else []))
        begun = [
            _begin(recipe, study, place, _confirming(sitting, claims[recipe.run_id]), data, interrupted)
            for recipe in recipes
            if recipe.run_id not in ended
        ]
        return ended | {run.run_id: run for run in _finished(begun, study)}


def _confirming(sitting: Sitting, claim: Claim) -> Sitting:
    return replace(sitting, confirm=claim.confirm)


def _begin(
    recipe: Recipe,
    study: Study,
    device: torch.device,
    sitting: Sitting,
    data: TokenData,
    interrupted: Callable[[], bool],
) -> Training:
    require_memory(recipe, device)
    torch.manual_seed(recipe.seed)
    return Training.begin(recipe, study, device, sitting, data, interrupted)


def _finished(trainings: Sequence[Training], study: Study) -> list[Run]:
    """Train all to their ends; each is saved as soon as it ended."""
    runs = []
    for training, ending in _advance(trainings):
        run = training.finish(ending)
        training.sitting.confirm()
        study.save_run(run)
        runs.append(run)
    return runs


def _advance(trainings: Sequence[Training]) -> Iterable[tuple[Training, Ending]]:
    """Turn about until all have ended; the stack is made anew when one leaves it.

    Where a shared pass does not fit the memory, each makes its own from there on, in parts if need be.
    """
    going = list(trainings)
    for training in going:
        training.costs.share = 1 / len(going)
    together = all(_can_share(training) for training in going)
    while going:
        crew = _Crew.of(going) if together and len(going) > 1 else None
        ended: list[tuple[Training, Ending]] = []
        while not ended:
            if crew is not None and not crew.make_gradients():
                crew.part()
                crew, together = None, False
            ended = [(one, ending) for one in going if (ending := one.turn()) is not None]
        if crew is not None:
            crew.part()
        yield from ended
        going = [one for one in going if one not in [left for left, _ in ended]]


def _can_share(training: Training) -> bool:
    taken = training.stepper
    return taken.objective is next_token and can_stack(taken.model)


@dataclass
class _Crew:
    """Trainings whose next gradients come from one pass."""

    trainings: list[Training]
    feeds: list[_KeptFeed]
    steppers: list[_HandedStepper]
    alone: list[tuple[Feed, Stepper]]
    stack: Stack

    @classmethod
    def of(cls, trainings: Sequence[Training]) -> _Crew:
        """Take over feed and stepper of each."""
        alone = [(one.feed, one.stepper) for one in trainings]
        feeds = [_KeptFeed(feed) for feed, _ in alone]
        steppers = [_HandedStepper.instead_of(stepper) for _, stepper in alone]
        for training, feed, stepper in zip(trainings, feeds, steppers, strict=True):
            training.feed, training.stepper = feed, stepper
        return cls(list(trainings), feeds, steppers, alone, Stack.of([one.model for one in steppers]))

    def make_gradients(self) -> bool:
        """For the next turn of each; one that has no step left ignores its own. False if they do not fit."""
        batches = [one.next_batch() for one in self.trainings]
        clips = [one.recipe.optimizer.clip for one in self.trainings]
        try:
            made = self.stack.gradients(batches, self.steppers[0].arithmetic, clips=clips)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            return False
        for stepper, handed in zip(self.steppers, made, strict=True):
            stepper.handed = handed
        return True

    def part(self) -> None:
        """Give feeds and steppers back."""
        for training, (feed, stepper) in zip(self.trainings, self.alone, strict=True):
            training.feed, training.stepper = feed, stepper


@dataclass
class _KeptFeed:
    """Keeps the last batch, which both the shared pass and the run's own turn ask for."""

    feed: Feed
    kept: tuple[int, Batch] | None = None

    def batch(self, step: int) -> Batch:
        if self.kept is None or self.kept[0] != step:
            self.kept = step, self.feed.batch(step)
        return self.kept[1]


@dataclass
class _HandedStepper(Stepper):
    """Steps with gradients that were made elsewhere."""

    handed: Made | None = field(default=None, init=False)

    @classmethod
    def instead_of(cls, stepper: Stepper) -> _HandedStepper:
        return cls(**{one.name: getattr(stepper, one.name) for one in fields(Stepper) if one.init})

    def _fitting_gradients(self, batch: Batch) -> Tensor:
        assert self.handed is not None
        for weight, gradient in self.handed.gradients:
            weight.grad = gradient
        return self.handed.loss

    def _clipped(self) -> Tensor:
        assert self.handed is not None
        made, self.handed = self.handed, None
        return made.norm  # clipped already, with those of the others
