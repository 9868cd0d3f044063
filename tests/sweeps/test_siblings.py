"""A sweep whose trainer may share passes gives alike runs to one worker together, and loses none by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Ladder
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.working import work
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Lab
from allometry.sweeps.trainers.watch import Watch


@dataclass
class Working:
    """Makes jobs as a worker does, siblings included. What has an entry in `script` happens instead."""

    script: dict[str, list[Event]] = field(default_factory=dict)
    started: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)

    def room_for(self, needs: Needs) -> bool:
        return not self.waiting

    def shortage(self, needs: Needs) -> str:
        return ""

    def start(self, job: Job) -> None:
        assert [started.run_id for started in self.started].count(job.run_id) < 9, "an endless sweep"
        self.started.append(job)
        self.waiting.append(job)

    def wait(self, seconds: float) -> Sequence[Event]:
        if not self.waiting:
            return []
        job = self.waiting.pop()
        scripted = self.script.get(job.run_id)
        return [scripted.pop(0) if scripted else work(job, Watch())]

    def close(self) -> None:
        self.waiting.clear()


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> Working:
    made = Working()
    monkeypatch.setattr(running, "open_executor", lambda *_, **__: made)
    return made


@pytest.fixture(scope="module")
def short(tiny: Recipe) -> Recipe:
    return replace(tiny, tokens=16 * 64)


@pytest.fixture(scope="module")
def alike(short: Recipe) -> list[Recipe]:
    return [replace(short, seed=seed) for seed in (0, 1, 2)]


SHARING = Lab(replicas=True)


def groups(worker: Working) -> list[int]:
    return [1 + len(job.siblings) for job in worker.started]


def test_alike_runs_are_one_job_and_equal_those_made_alone(
    alike: list[Recipe], study: Study, worker: Working
) -> None:
    other = replace(alike[0], architecture=replace(alike[0].architecture, width=24))

    runs = run_sweep([*alike, other], study, trainer=SHARING).table.set_index("run_id")

    assert sorted(groups(worker)) == [1, 3]
    assert runs["status"].tolist() == ["done"] * 4
    apart = run_sweep(alike, Study.create(study.folder / "apart", "")).table.set_index("run_id")
    assert runs["loss"][apart.index].tolist() == pytest.approx(apart["loss"].tolist(), rel=1e-5)


def test_passes_are_shared_on_request_only(alike: list[Recipe], study: Study, worker: Working) -> None:
    run_sweep(alike, study)

    assert groups(worker) == [1, 1, 1]


@pytest.mark.parametrize(
    "ending",
    [
        Ended(run_id="", status="failed", reason="one of them is to blame"),
        Died(run_id="", by_signal=True, reason="out of memory"),
    ],
)
def test_the_runs_of_a_job_that_failed_are_made_one_by_one(
    alike: list[Recipe], study: Study, worker: Working, ending: Ended | Died
) -> None:
    first = alike[0].run_id
    worker.script[first] = [replace(ending, run_id=first)]

    runs = run_sweep(alike, study, trainer=SHARING)

    assert groups(worker) == [3, 1, 1, 1]
    assert runs.table["status"].tolist() == ["done"] * 3


def test_a_trunk_is_made_alone_and_its_branches_together(
    ladder: Ladder, study: Study, worker: Working
) -> None:
    runs = run_sweep(replace(ladder, sizes=ladder.sizes[:1]), study, trainer=SHARING)

    assert groups(worker) == [1, 2]
    assert worker.started[0].keep_steps
    assert set(runs.table["status"]) == {"done"}


def test_runs_that_ended_are_no_siblings(alike: list[Recipe], study: Study, worker: Working) -> None:
    run_sweep(alike[:1], study)

    run_sweep(alike, study, trainer=SHARING)

    assert groups(worker) == [1, 2]


def test_a_job_with_siblings_travels_as_text(alike: list[Recipe]) -> None:
    job = Job(recipe=alike[0], study="s", design="grid", siblings=tuple(alike[1:]), trainer=SHARING)

    assert Job.from_json(job.to_json()) == job
