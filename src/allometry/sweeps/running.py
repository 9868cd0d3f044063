"""`run_sweep`: every run of a design, once; resumable, and a failed cell does not stop the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from allometry.errors import StudyError
from allometry.files import locked
from allometry.recipe import Recipe
from allometry.runs.run import Run, Runs
from allometry.runs.study import Study
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.executors.definition import Executor, Job
from allometry.sweeps.executors.events import Advanced, Died, Ended, Event, Unusable
from allometry.sweeps.executors.needs import Needs, needs_of
from allometry.sweeps.executors.places import Local, Ray, Slurm, open_executor, read_place
from allometry.sweeps.progress import Board, Display
from allometry.sweeps.trainers import AnyTrainer, Lab

_LIVES = 3  # times a run may lose its worker to a signal before it is recorded as failed
_TICK = 0.5  # seconds between looks at the clock when nothing happens
_FINISHED = ("done", "diverged")


def run_sweep(
    design: Design | Sequence[Recipe],
    study: Study,
    *,
    executor: str | Local | Ray | Slurm = "local",
    workers: int | None = None,
    trainer: AnyTrainer | None = None,
    device: str = "cpu",
    checkpoint_seconds: float = 15.0,
    display: Display | None = None,
) -> Runs:
    """Make every run of a design that the study does not hold yet.

    Runs are known by the hash of their recipe: a finished one is never trained again, wherever it was made,
    one that was interrupted goes on from its last checkpoint, one that failed is tried again.

    Args:
        design: A design, or recipes to train as they are.
        executor: Where runs are made: "local", "ray", "slurm", the path of a .toml file, or a `Local`, `Ray`
            or `Slurm` with its settings.
        workers: Processes on this machine; if not given, one per core, or one alone on an accelerator.
        trainer: What makes them; the lab of this package if None.
        device: "cpu", "cuda", …
        checkpoint_seconds: Time between a run's checkpoints.
        display: Told what happens; nothing is shown if None.

    Returns:
        All runs of the study that ended, whichever sweep made them.

    Raises:
        StudyError: If the study cannot be written, is in use, or was begun with other text; if a cluster
            cannot be reached.
        MissingExtra: If what the trainer or the executor needs is not installed.
        InputError: If there is no such device, or a command has a field that a recipe does not have.
    """
    place = _with_workers(read_place(executor) if isinstance(executor, str) else executor, workers, device)
    way = _Way(
        trainer=trainer or Lab(), needs=place.needs, device=device, checkpoint_seconds=checkpoint_seconds
    )
    asked = way.without_trunks(design if not isinstance(design, Sequence) else _AsGiven(design))
    recipes = [planned.recipe for planned in asked.outline()]
    way.trainer.require(recipes, device=device, directory=way.directory)
    busy = f"{study.folder} is in use by another sweep; wait for it, or choose another folder."
    with locked(study.folder / ".sweep.lock", busy=busy):
        opened = open_executor(place, study, trainer=way.trainer, runs=len(recipes))
        with closing(opened), display or Display() as shown:
            way.trainer.prepare(study, recipes)
            _Sweep(design=asked, study=study, executor=opened, way=way, shown=shown).run()
    return study.runs()


def _with_workers(place: Local | Ray | Slurm, workers: int | None, device: str) -> Local | Ray | Slurm:
    if isinstance(place, Slurm):
        return place
    if isinstance(place, Local) and device != "cpu" and not place.gpus:
        workers = workers or 1  # runs on one accelerator would slow each other
    return replace(place, workers=workers) if workers else place


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How the runs of a sweep are made."""

    trainer: AnyTrainer
    needs: Sequence[Needs]
    device: str
    checkpoint_seconds: float
    directory: str = field(default_factory=lambda: str(Path.cwd()))

    def job(self, chosen: Planned, study: Study, keep_steps: Sequence[int]) -> Job:
        return Job(
            recipe=chosen.recipe,
            study=str(study.folder.resolve()),
            design=chosen.design,
            keep_steps=tuple(keep_steps),
            trainer=self.trainer,
            needs=needs_of(chosen.recipe, self.needs),
            device=self.device,
            checkpoint_seconds=self.checkpoint_seconds,
            directory=self.directory,
        )

    def without_trunks(self, design: Design) -> Design:
        return design if self.trainer.branches else _Straight(design)


@dataclass(frozen=True)
class _Straight:
    """A design for a trainer that takes up no run from a checkpoint of another: it needs no trunks."""

    design: Design

    def recipes(self, runs: Runs) -> list[Planned]:
        return [planned for planned in self.design.recipes(runs) if planned.design != "trunk"]

    def outline(self) -> list[Planned]:
        return [planned for planned in self.design.outline() if planned.design != "trunk"]


@dataclass(frozen=True)
class _AsGiven:
    """Recipes as a design."""

    given: Sequence[Recipe]

    def recipes(self, runs: Runs) -> list[Planned]:
        return self.outline()

    def outline(self) -> list[Planned]:
        return [Planned(recipe=recipe, design="given") for recipe in self.given]


@dataclass
class _Sweep:
    """One sweep in progress."""

    design: Design
    study: Study
    executor: Executor
    way: _Way
    shown: Display
    running: dict[str, Planned] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)  # failed in this sweep: the next one tries again
    deaths: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        board = Board.of(_distinct(self.design.outline()))
        planned = self._ask()
        while self._start(planned) or self.running:
            board = board.refreshed(planned, self._ended(planned))
            self.shown.update(board)
            events = self.executor.wait(_TICK)
            for event in events:
                board = board.told(event)
                self._handle(event)
            if any(not isinstance(event, Advanced) for event in events):
                planned = self._ask()
        self.shown.update(board.refreshed(planned, self._ended(planned)))

    def _ask(self) -> list[Planned]:
        return _distinct(self.design.recipes(self.study.runs()))

    def _ended(self, planned: Sequence[Planned]) -> dict[str, Run]:
        runs = ((p.recipe.run_id, self.study.run(p.recipe.run_id)) for p in planned)
        return {run_id: run for run_id, run in runs if run is not None and run_id not in self.running}

    def _start(self, planned: Sequence[Planned]) -> bool:
        """Start what is ready on free workers; true if anything was started or failed for good."""
        waiting = [p for p in planned if self._is_open(p.recipe.run_id)]
        asked = {p.recipe.run_id for p in planned}
        moved = False
        for chosen in sorted(waiting, key=_urgency, reverse=True):
            needs = needs_of(chosen.recipe, self.way.needs)
            if reason := self._doomed(chosen.recipe, asked) or self.executor.shortage(needs):
                self._record_failure(chosen, reason)
                moved = True
            elif self.executor.room_for(needs) and self._is_ready(chosen.recipe, asked):
                self._launch(chosen, planned)
                moved = True
        return moved

    def _is_open(self, run_id: str) -> bool:
        if run_id in self.running or run_id in self.given_up:
            return False
        run = self.study.run(run_id)
        return run is None or run.status not in _FINISHED

    def _is_ready(self, recipe: Recipe, asked: Collection[str]) -> bool:
        """A branch waits until its trunk has come to where they part; one without a trunk does not.

        A run that begins with another's weights, or learns from it, waits until that one is done.
        """
        if not all(self._is_done(ancestor) for ancestor in recipe.ancestors):
            return False
        if recipe.parent not in asked or self._has_parted(recipe):
            return True
        return self._is_done(recipe.parent)

    def _is_done(self, run_id: str) -> bool:
        run = self.study.run(run_id)
        return run is not None and run.status == "done"

    def _has_parted(self, recipe: Recipe) -> bool:
        part = self.study.run_folder(recipe.parent) / "checkpoints" / f"step-{recipe.trunk_steps:08d}"
        return part.exists()

    def _doomed(self, recipe: Recipe, asked: Collection[str]) -> str:
        """Why a run cannot be made; empty if it can. What a trunk did after they parted is no reason."""
        for ancestor in recipe.ancestors:
            coming = ancestor in self.running or (ancestor in asked and self._is_open(ancestor))
            if not coming and not self._is_done(ancestor):
                return self._without(ancestor)
        if recipe.parent not in asked or self._has_parted(recipe) or self._is_open(recipe.parent):
            return ""
        trunk = self.study.run(recipe.parent)
        if trunk is None or trunk.status in ("done", "stopped"):
            return ""
        return f"its trunk {recipe.parent} {trunk.status}: {trunk.reason}"

    def _without(self, ancestor: str) -> str:
        run = self.study.run(ancestor)
        if run is None:
            return f"it needs run {ancestor}, which is not in {self.study.folder}: train that one there first"
        return f"it needs run {ancestor}, which {run.status}: {run.reason}"

    def _launch(self, chosen: Planned, planned: Sequence[Planned]) -> None:
        run_id = chosen.recipe.run_id
        branches = {p.recipe.trunk_steps for p in planned if p.recipe.parent == run_id}
        parting = sorted({*branches, *chosen.partings})
        self.running[run_id] = chosen
        self.executor.start(self.way.job(chosen, self.study, parting))

    def _handle(self, event: Event) -> None:
        match event:
            case Advanced():
                pass
            case Ended(status="failed"):
                self._record_failure(self.running.pop(event.run_id), event.reason)
            case Ended():
                self.running.pop(event.run_id)
            case Died():
                self._bury(event)
            case Unusable():
                raise StudyError(event.reason)

    def _bury(self, event: Died) -> None:
        chosen = self.running.pop(event.run_id)
        self.deaths[event.run_id] = self.deaths.get(event.run_id, 0) + 1
        if not event.by_signal or self.deaths[event.run_id] >= _LIVES:
            self._record_failure(chosen, f"{event.reason} ({self.deaths[event.run_id]} times)")

    def _record_failure(self, chosen: Planned, reason: str) -> None:
        run_id = chosen.recipe.run_id
        self.given_up.add(run_id)
        values = {"design": chosen.design, "parent": chosen.recipe.parent, "tokens": chosen.recipe.tokens}
        self.study.save_run(Run(run_id=run_id, status="failed", values=values, reason=reason))


def _distinct(planned: Iterable[Planned]) -> list[Planned]:
    """Every run once, however often it is asked for: two workers must not train the same one."""
    return list({p.recipe.run_id: p for p in planned}.values())


def _urgency(planned: Planned) -> tuple[float, int, int]:
    """Largest models first, and of one size what others wait for: the longest must not start last."""
    stage = {"learning_rate_check": 2, "trunk": 1}.get(planned.design, 0)
    return planned.recipe.architecture.flops_per_token(), stage, planned.recipe.tokens
