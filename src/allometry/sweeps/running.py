"""`run_sweep`: every run of a design, once; resumable, and a failed cell does not stop the others."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from allometry.errors import StudyError
from allometry.files import require_writable
from allometry.lab.siblings import most_replicas, shared_by_replicas
from allometry.recipe import Recipe
from allometry.runs.claiming import holder_of
from allometry.runs.run import FINISHED, Run, Runs
from allometry.runs.study import Study
from allometry.storage import in_object_storage
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.executors.definition import Executor, Job
from allometry.sweeps.executors.events import Advanced, Died, Ended, Event, Unusable
from allometry.sweeps.executors.needs import Needs, needs_of
from allometry.sweeps.executors.places import Local, Ray, Slurm, open_executor, read_place
from allometry.sweeps.progress import Board, Display
from allometry.sweeps.scratch import Uploading, require_this_machine, scratch_of
from allometry.sweeps.trainers import AnyTrainer, Lab
from allometry.sweeps.urgency import most_urgent_first

_LIVES = 3  # times a run may lose its worker to a signal before it is recorded as failed
_TICK = 0.5  # seconds between looks at the clock when nothing happens
_LEAST = Needs()
_CHEAP = 0.005  # seconds: a design that answers faster is asked whenever a run ends


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
    one that was interrupted goes on from its last checkpoint, one that failed is tried again. Any number of
    sweeps may work on one study, on one machine or many that share its folder: each passes over what another
    is making, and ends when all runs have. Runs of a study in object storage are made in a folder below the
    cache on this machine, by one sweep at a time, and put there as each ends.

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
        StudyError: If the study cannot be written, or was begun with other text; if a cluster cannot be
            reached.
        MissingExtra: If what the trainer or the executor needs is not installed.
        InputError: If there is no such device, or a command has a field that a recipe does not have.
    """
    place = _with_workers(read_place(executor) if isinstance(executor, str) else executor, workers, device)
    if in_object_storage(study.folder):
        require_this_machine(study, place)
        local = scratch_of(study)
        shown_too = Uploading(display or Display(), local, study)
        run_sweep(
            design, local, executor=place, trainer=trainer, device=device,
            checkpoint_seconds=checkpoint_seconds, display=shown_too,
        )  # fmt: skip
        return study.runs()
    way = _Way(
        trainer=trainer or Lab(),
        needs=place.needs,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        adopts=isinstance(place, Slurm),
    )
    asked = way.without_trunks(design if not isinstance(design, Sequence) else _AsGiven(design))
    recipes = [planned.recipe for planned in asked.outline()]
    way.trainer.require(recipes, device=device, directory=way.directory)
    require_writable(study.folder)
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
    adopts: bool  # runs that an earlier sweep sent there, which are claimed, are followed
    directory: str = field(default_factory=lambda: str(Path.cwd()))

    def job(
        self, chosen: Planned, study: Study, keep_steps: Sequence[int], siblings: Sequence[Planned] = ()
    ) -> Job:
        return Job(
            recipe=chosen.recipe,
            study=str(study.folder.resolve()),
            design=chosen.design,
            keep_steps=tuple(keep_steps),
            stop_after=chosen.part[1] if chosen.part else 0,
            trainer=self.trainer,
            needs=needs_of(chosen.recipe, self.needs),
            device=self.device,
            checkpoint_seconds=self.checkpoint_seconds,
            directory=self.directory,
            siblings=tuple(one.recipe for one in siblings),
        )

    def shares_passes(self, recipe: Recipe) -> bool:
        return self.trainer.shares_passes and needs_of(recipe, self.needs).processes == 1

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


@dataclass(kw_only=True)
class _Answer:
    """What a design last asked for.

    Asking ten thousand cells takes seconds, so it is asked again only when that costs a tenth of the time, or
    nothing is left to wait for.
    """

    planned: Sequence[Planned] = ()
    unmade: Sequence[Planned] = ()  # the most urgent first
    took: float = 0.0
    outdated: bool = True
    at: float = field(default_factory=time.monotonic)

    def is_due(self, *, idle: bool) -> bool:
        cheap = self.took < _CHEAP or time.monotonic() - self.at >= 9 * self.took
        return self.outdated and (idle or cheap)


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
    ended: dict[str, Run] = field(default_factory=dict)  # as last looked at
    needed: dict[str, int] = field(default_factory=dict)  # steps of each trunk that is asked for in part
    siblings: dict[str, list[str]] = field(default_factory=dict)  # in training with a run that has its job
    apart: set[str] = field(default_factory=set)  # to be made alone: a job that they shared failed
    contended: set[str] = field(default_factory=set)  # another process had them when they were to be made
    elsewhere: set[str] = field(default_factory=set)  # another process was making them when last looked
    answer: _Answer = field(default_factory=_Answer)

    def run(self) -> None:
        board = Board.of(_distinct(self.design.outline()))
        while self._start(planned := self._planned()) or self.running or self.elsewhere:
            board = board.refreshed(planned, self._shown_ended(), elsewhere=len(self.elsewhere))
            self.shown.update(board)
            for event in self.executor.wait(_TICK):
                board = board.told(event)
                self._handle(event)
            if self.elsewhere and not self.running:
                time.sleep(_TICK)  # an executor with nothing to do may not wait
        self.shown.update(board.refreshed(planned, self._shown_ended()))

    def _planned(self) -> Sequence[Planned]:
        """What the design asks for, asked anew after runs ended."""
        if self.answer.is_due(idle=not self.running):
            begun = time.monotonic()
            ended = {run.run_id: run for run in self.study.ended()}
            runs = Runs.of(ended.values(), source=str(self.study.folder))
            planned = _distinct(self.design.recipes(runs))
            asked = (p.recipe.run_id for p in planned)
            self.ended = {run_id: ended[run_id] for run_id in asked if run_id in ended}
            self.needed = {p.recipe.run_id: p.part[1] for p in planned if p.part}
            unmade = most_urgent_first([p for p in planned if not self._has_ended(p.recipe.run_id)])
            took = time.monotonic() - begun
            self.answer = _Answer(planned=planned, unmade=unmade, took=took, outdated=False)
        return self.answer.planned

    def _shown_ended(self) -> dict[str, Run]:
        return {run_id: run for run_id, run in self.ended.items() if run_id not in self.running}

    def _look_at(self, run_id: str) -> None:
        """Take note of a run that ended: of the others nothing is read."""
        self.answer.outdated = True
        if run := self.study.run(run_id):
            self.ended[run_id] = run

    def _start(self, planned: Sequence[Planned]) -> bool:
        """Start what is ready on free workers; true if anything was started, ended or failed for good."""
        asked = {p.recipe.run_id for p in planned}
        moved = False
        self.elsewhere.clear()
        for chosen, needs in self._startable():
            if reason := self._doomed(chosen.recipe, asked) or self.executor.shortage(needs):
                self._record_failure(chosen, reason)
                moved = True
            elif self._is_ready(chosen.recipe, asked):
                if self._is_free(chosen.recipe.run_id):
                    self._launch(chosen, planned, self._siblings(chosen, planned))
                moved |= chosen.recipe.run_id not in self.elsewhere
        return moved

    def _startable(self) -> Iterator[tuple[Planned, Needs]]:
        """Runs to make for which there is room now, or never will be, and what they need."""
        for one in self.answer.unmade:
            if not self._is_open(one.recipe.run_id):
                continue
            needs = needs_of(one.recipe, self.way.needs)
            if self.executor.room_for(needs) or self.executor.shortage(needs):
                yield one, needs
            elif not self.executor.room_for(_LEAST):
                return  # none of ten thousand that wait needs to be looked at until a run ends

    def _is_free(self, run_id: str) -> bool:
        """Whether no other process is making the run, or has made it meanwhile."""
        looked_at = run_id in self.contended or not self.way.adopts
        if looked_at and holder_of(self.study.run_folder(run_id)) is not None:
            self.elsewhere.add(run_id)
            return False
        # After the claim: who makes a run saves it first and lets go then.
        if self.study.run(run_id) is not self.ended.get(run_id):
            self._look_at(run_id)
        return self._is_open(run_id)

    def _is_open(self, run_id: str) -> bool:
        if run_id in self.running or run_id in self.given_up:
            return False
        return not self._has_ended(run_id)

    def _has_ended(self, run_id: str) -> bool:
        run = self.ended.get(run_id)
        return run is not None and (run.status in FINISHED or self._is_far_enough(run))

    def _is_far_enough(self, run: Run) -> bool:
        """Whether a trunk has come as far as the branches that are asked for need it."""
        needed = self.needed.get(run.run_id, math.inf)
        return run.status == "stopped" and run.values.get("last_good_step", 0) >= needed

    def _is_ready(self, recipe: Recipe, asked: Collection[str]) -> bool:
        """A branch waits until its trunk has come to where they part; one without a trunk does not.

        A run that begins with another's weights, or learns from it, waits until that one is done.
        """
        if not all(self._is_done(ancestor) for ancestor in recipe.ancestors):
            return False
        if recipe.parent not in asked or self._has_parted(recipe):
            return True
        trunk = self.ended.get(recipe.parent)
        return self._is_done(recipe.parent) or (trunk is not None and self._is_far_enough(trunk))

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

    def _launch(self, chosen: Planned, planned: Sequence[Planned], siblings: Sequence[Planned]) -> None:
        run_id = chosen.recipe.run_id
        self.running |= {one.recipe.run_id: one for one in (chosen, *siblings)}
        self.siblings[run_id] = [one.recipe.run_id for one in siblings]
        self.executor.start(self.way.job(chosen, self.study, _partings(chosen, planned), siblings))

    def _siblings(self, chosen: Planned, planned: Sequence[Planned]) -> list[Planned]:
        """Runs that are made in the same passes, where the trainer can."""
        alone = chosen.recipe.run_id in self.apart or _partings(chosen, planned)
        if alone or not self.way.shares_passes(chosen.recipe):
            return []
        asked = {p.recipe.run_id for p in planned}
        alike = (
            other
            for other in self.answer.unmade
            if _is_alike(chosen, other)
            and other.recipe.run_id not in self.running.keys() | self.apart
            and not _partings(other, planned)
            and self._is_ready(other.recipe, asked)
            and self._is_free(other.recipe.run_id)
        )
        return list(itertools.islice(alike, most_replicas(chosen.recipe, device=self.way.device) - 1))

    def _let_go(self, run_id: str) -> Planned:
        """A job has ended, and with it the runs that were made in the same passes."""
        for sibling in self.siblings.pop(run_id, []):
            self.running.pop(sibling)
            self._look_at(sibling)
        return self.running.pop(run_id)

    def _part(self, run_id: str) -> None:
        """Whichever of a job's runs was to blame, the others must not suffer: each is made alone."""
        self.apart |= {run_id, *self.siblings[run_id]}
        self._let_go(run_id)
        self._look_at(run_id)

    def _handle(self, event: Event) -> None:
        match event:
            case Advanced():
                pass
            case Ended(status="failed" | "elsewhere") | Died() if self.siblings.get(event.run_id):
                self._part(event.run_id)
            case Ended(status="elsewhere"):
                self.contended.add(event.run_id)
                self._let_go(event.run_id)
            case Ended(status="failed"):
                self._record_failure(self._let_go(event.run_id), event.reason)
            case Ended():
                self._let_go(event.run_id)
                self._look_at(event.run_id)
            case Died():
                self._bury(event)
            case Unusable():
                raise StudyError(event.reason)

    def _bury(self, event: Died) -> None:
        chosen = self._let_go(event.run_id)
        self.deaths[event.run_id] = self.deaths.get(event.run_id, 0) + 1
        if not event.by_signal or self.deaths[event.run_id] >= _LIVES:
            self._record_failure(chosen, f"{event.reason} ({self.deaths[event.run_id]} times)")
        self._look_at(event.run_id)

    def _record_failure(self, chosen: Planned, reason: str) -> None:
        run_id = chosen.recipe.run_id
        self.given_up.add(run_id)
        self._look_at(run_id)
        if run_id in self.ended and self.ended[run_id].status in FINISHED:
            return  # by another sweep, with more luck
        values = {"design": chosen.design, "parent": chosen.recipe.parent, "tokens": chosen.recipe.tokens}
        self.study.save_run(Run(run_id=run_id, status="failed", values=values, reason=reason))
        self._look_at(run_id)


def _partings(chosen: Planned, planned: Sequence[Planned]) -> list[int]:
    """Steps at which others branch off a run."""
    branches = {p.recipe.trunk_steps for p in planned if p.recipe.parent == chosen.recipe.run_id}
    return sorted({*branches, *chosen.partings})


def _is_alike(chosen: Planned, other: Planned) -> bool:
    """Whether two runs can be made in the same passes, and for the same reason."""
    if other is chosen or other.design != chosen.design:
        return False
    return shared_by_replicas(other.recipe) == shared_by_replicas(chosen.recipe)


def _distinct(planned: Iterable[Planned]) -> list[Planned]:
    """Every run once, however often it is asked for: two workers must not train the same one."""
    return list({p.recipe.run_id: p for p in planned}.values())
