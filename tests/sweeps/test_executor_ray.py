"""The Ray executor's own words, without a Ray; tests/services has those with one."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from allometry.errors import StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors import ray
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event, Unusable, event_to_json
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.executors.ray import RayExecutor
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command


class RayError(Exception):
    """As in ray.exceptions, from which tests/services take the real ones."""


class TaskCancelledError(RayError):
    pass


class RayTaskError(RayError):
    pass


class LocalRayletDiedError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class WorkerCrashedError(RayError):
    pass


ERRORS = (RayError, TaskCancelledError, RayTaskError, LocalRayletDiedError, NodeDiedError, WorkerCrashedError)


class EndingRay(ModuleType):
    """A Ray whose tasks end at once, each by an error or with an answer."""

    exceptions = SimpleNamespace(**{error.__name__: error for error in ERRORS})

    def __init__(self, *endings: Exception | str) -> None:
        super().__init__("ray")
        self.endings = list(endings)
        self.asked: list[dict[str, object]] = []

    def init(self, *_: object, **__: object) -> None:
        return None

    def remote(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(options=self.options)

    def options(self, **asked: object) -> SimpleNamespace:
        self.asked.append(asked)
        return SimpleNamespace(remote=lambda *_: object())

    def wait(self, tasks: list[object], **_: object) -> tuple[list[object], list[object]]:
        return tasks, []

    def get(self, _: object) -> str:
        ending = self.endings.pop(0)
        if isinstance(ending, str):
            return ending
        raise ending

    def cancel(self, _: object) -> None:
        return None

    def shutdown(self) -> None:
        return None


def open_with(monkeypatch: pytest.MonkeyPatch, error: Exception, place: Ray, study: Study) -> None:
    """Begin with a Ray that does not come up."""

    def init(*_: object, **__: object) -> None:
        raise error

    broken = EndingRay()
    monkeypatch.setattr(broken, "init", init)
    monkeypatch.setattr(ray, "needed", lambda *_: broken)
    RayExecutor.open(place, study)


def after(error: Exception, job: Job, *, requeues: int = 100) -> Event:
    """What a run's end by an error of Ray is told as."""
    executor = RayExecutor(ray=EndingRay(error), place=Ray(requeues=requeues), cores=1)
    executor.start(job)
    (event,) = executor.wait(0.0)
    return event


@pytest.fixture
def job(tiny: Recipe, study: Study) -> Job:
    return Job(recipe=tiny, study=str(study.folder), design="grid", trainer=Command(command="never"))


@pytest.mark.parametrize("kind", [Exception, OSError, RuntimeError, ValueError])
def test_a_ray_that_does_not_start_is_a_sentence(
    study: Study, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    with pytest.raises(StudyError, match=r"cannot be started on this machine \(node timed out\)\. See that"):
        open_with(monkeypatch, kind("node timed out.\nTraceback"), Ray(), study)


def test_a_cluster_that_does_not_answer_is_a_sentence(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StudyError, match=r"There is no Ray cluster at 'auto' \(none\)\. Start one with"):
        open_with(monkeypatch, ConnectionError("none"), Ray(address="auto"), study)


def test_an_error_of_rays_own_is_a_sentence(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StudyError, match=r"There is no Ray cluster at 'auto' \(wrong token\)\. Start one"):
        open_with(monkeypatch, RayError("wrong token"), Ray(address="auto"), study)


def test_a_mistake_of_ours_is_not_taken_for_a_missing_cluster(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError):
        open_with(monkeypatch, TypeError("no such argument"), Ray(), study)


def test_ray_is_asked_for_what_each_run_needs(job: Job) -> None:
    cluster = EndingRay()
    executor = RayExecutor(ray=cluster, place=Ray(), cores=8)

    executor.start(replace(job, needs=Needs(processes=2, threads=3, gpus=2, memory_bytes=2**31)))
    executor.start(job)

    asked = [(one["num_cpus"], one["num_gpus"], one["memory"]) for one in cluster.asked]
    assert asked == [(6, 2, 2**31), (1, 0, None)]


def test_a_lost_worker_counts_against_the_run(job: Job) -> None:
    died = after(WorkerCrashedError("The worker died.\nSee logs."), job)

    reason = "its worker was lost (WorkerCrashedError: The worker died.)"
    assert died == Died(run_id=job.run_id, by_signal=True, reason=reason)


def test_a_lost_node_does_not(job: Job) -> None:
    ended = after(NodeDiedError("heartbeats missed"), job)

    reason = "its node was lost (heartbeats missed)"
    assert ended == Ended(run_id=job.run_id, status="stopped", reason=reason)


def test_it_does_once_so_many_were_lost_that_the_run_may_be_what_ends_them(job: Job) -> None:
    assert isinstance(after(NodeDiedError("heartbeats missed"), job, requeues=0), Died)


def test_a_run_that_lost_four_nodes_is_made_on_a_fifth(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = event_to_json(Ended(run_id=tiny.run_id, status="failed", reason="it said so itself"))
    cluster = EndingRay(*(NodeDiedError("gone") for _ in range(4)), answer)
    monkeypatch.setattr(ray, "needed", lambda *_: cluster)

    runs = run_sweep([tiny], study, executor=Ray(), trainer=Command(command="never"))

    assert runs.table["reason"].tolist() == ["it said so itself"]


def test_a_ray_that_lost_its_daemon_ends_the_sweep_in_a_sentence_and_leaves_the_run_planned(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "needed", lambda *_: EndingRay(LocalRayletDiedError("died")))

    with pytest.raises(StudyError, match=r"has lost its daemon on this machine .*: start the sweep again"):
        run_sweep([tiny], study, executor=Ray(), trainer=Command(command="never"))

    assert study.run(tiny.run_id) is None


def test_it_is_no_end_of_a_run(job: Job) -> None:
    assert isinstance(after(LocalRayletDiedError("died"), job), Unusable)
