"""Two sweeps on one study share its runs: each skips what the other is making, and both end with the last."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import pytest

from allometry.recipe import Recipe
from allometry.runs.claiming import CLAIM, claimed
from allometry.runs.processes import Process
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Grid
from allometry.sweeps.executors.definition import Ended, Event, Job
from allometry.sweeps.executors.events import Died
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.working import work
from allometry.sweeps.running import run_sweep
from allometry.sweeps.status import planned_table
from allometry.sweeps.trainers import Command
from allometry.sweeps.trainers.watch import Watch

THEIRS = Command(command="python -c pass")  # needs no text, and here it is never started


@dataclass
class Claiming:
    """Makes runs as a worker does, in no time, and calls what a test wants in between."""

    study: Study
    made: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def room_for(self, needs: Needs) -> bool:
        return not self.events

    def shortage(self, needs: Needs) -> str:
        return ""

    def start(self, job: Job) -> None:
        self.started.append(job.run_id)
        self.events.append(self._make(job))

    def _make(self, job: Job) -> Event:
        with claimed(self.study.run_folder(job.run_id)):
            if self.study.run(job.run_id) is None:
                self.made.append(job.run_id)
                self.study.save_run(Run(run_id=job.run_id, status="done", values={"loss": 3.0}))
        return Ended(run_id=job.run_id, status="done")

    def wait(self, seconds: float) -> Sequence[Event]:
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        pass


@pytest.fixture
def grid(tiny: Recipe) -> Grid:
    return Grid(base=tiny, vary={"seed": list(range(4))})


@pytest.fixture
def worker(study: Study, monkeypatch: pytest.MonkeyPatch) -> Claiming:
    made = Claiming(study)
    monkeypatch.setattr(running, "open_executor", lambda *_, **__: made)
    monkeypatch.setattr(running, "_TICK", 0.01)
    return made


def names(grid: Grid) -> list[str]:
    return [planned.recipe.run_id for planned in grid.outline()]


def test_a_sweep_leaves_what_another_makes_and_ends_when_that_has(
    worker: Claiming, grid: Grid, study: Study
) -> None:
    theirs, *others = names(grid)
    late = Run(run_id=theirs, status="done", values={"loss": 2.0})

    with claimed(study.run_folder(theirs)):
        sweep = threading.Thread(target=run_sweep, args=(grid, study), kwargs={"trainer": THEIRS})
        sweep.start()
        deadline = time.monotonic() + 30
        while len(worker.made) < len(others) and time.monotonic() < deadline:
            time.sleep(0.01)
        sweep.join(0.1)
        assert sweep.is_alive()
        assert sorted(worker.made) == sorted(others)
        study.save_run(late)
    sweep.join(30.0)

    assert not sweep.is_alive()
    assert sorted(worker.started) == sorted(others)
    assert study.run(theirs) == late


def test_a_run_whose_maker_died_is_taken_up(worker: Claiming, grid: Grid, study: Study) -> None:
    left, *_ = names(grid)
    study.run_folder(left).mkdir(parents=True)
    own = Process.own()
    gone = asdict(Process(machine=own.machine, host=own.host, number=own.number, began="long ago"))
    claim = {"process": gone, "token": "theirs", "begun": "2026-01-01T00:00:00.000+00:00"}
    (study.run_folder(left) / CLAIM).write_text(json.dumps(claim))

    run_sweep(grid, study, trainer=THEIRS)

    assert sorted(worker.made) == sorted(names(grid))


def test_a_run_that_another_sweep_made_is_not_started(
    worker: Claiming, grid: Grid, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, last = names(grid)
    real = worker.start

    def start(job: Job) -> None:
        real(job)
        if study.run(last) is None:
            study.save_run(Run(run_id=last, status="done", values={"loss": 2.0}))

    monkeypatch.setattr(worker, "start", start)

    assert len(run_sweep(grid, study, trainer=THEIRS)) == 4
    assert last not in worker.started


def test_a_worker_whose_run_another_claimed_first_goes_on_with_the_next(tiny: Recipe, study: Study) -> None:
    job = Job(recipe=tiny, study=str(study.folder), design="grid", trainer=THEIRS)

    with claimed(study.run_folder(tiny.run_id)):
        event = work(job, Watch())

    assert isinstance(event, Ended)
    assert event.status == "elsewhere"
    assert study.run(tiny.run_id) is None


def test_a_failure_here_does_not_undo_a_success_there(worker: Claiming, tiny: Recipe, study: Study) -> None:
    theirs = Run(run_id=tiny.run_id, status="done", values={"loss": 2.0})

    def fail(job: Job) -> None:
        study.save_run(theirs)
        worker.events.append(Died(run_id=job.run_id, by_signal=False, reason="its worker broke"))

    worker.start = fail  # type: ignore[method-assign]
    run_sweep([tiny], study, trainer=THEIRS)

    assert study.run(tiny.run_id) == theirs


def test_the_status_tells_a_claimed_run_from_one_that_was_left(grid: Grid, study: Study) -> None:
    stopped = names(grid)[1]
    study.save_run(Run(run_id=stopped, status="stopped", values={}, reason="stopped on request"))

    with claimed(study.run_folder(names(grid)[0])), claimed(study.run_folder(stopped)):
        now = planned_table(grid.outline(), study)
    after = planned_table(grid.outline(), study)

    assert list(now["status"]) == ["running", "running", "planned", "planned"]
    assert list(after["status"]) == ["planned", "stopped", "planned", "planned"]
