"""The Slurm executor's own parts, without a Slurm; tests/services has those with one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from allometry.errors import StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Slurm
from allometry.sweeps.executors.slurm import executor as slurm
from allometry.sweeps.executors.slurm.executor import SlurmExecutor, parameters
from allometry.sweeps.executors.slurm.queue import Place, Queued, queue
from allometry.sweeps.executors.slurm.task import Task
from allometry.sweeps.executors.working import SETTINGS
from allometry.sweeps.trainers import Command

HERE = Place(array="allometry-a", index=0)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task sets in its own process is put back here."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def job(recipe: Recipe, study: Study, command: str = "sh -c true") -> Job:
    return Job(recipe=recipe, study=str(study.folder), design="grid", trainer=Command(command=command))


@pytest.fixture
def adopting(tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch) -> SlurmExecutor:
    """An executor that finds the run in the queue, sent by a sweep that was killed."""
    (study.folder / "slurm" / "arrays").mkdir(parents=True)
    (study.folder / "slurm" / "arrays" / f"{HERE.array}.json").write_text(json.dumps([tiny.run_id]))
    there = {HERE: Queued(job="7_0", state="RUNNING")}
    monkeypatch.setattr(slurm, "queue", lambda: dict(there))
    monkeypatch.setattr(slurm, "needed", lambda *_: ModuleType("submitit"))  # cannot send anything
    made = SlurmExecutor.open(Slurm(poll_seconds=1e-6), study)
    made.start(job(tiny, study))
    made.wait(0.01)
    there.clear()
    return made


def test_a_run_in_the_queue_is_waited_for_and_its_answer_is_the_event(
    adopting: SlurmExecutor, tiny: Recipe, study: Study
) -> None:
    answers = study.folder / "slurm" / "answers"
    answers.mkdir()
    (answers / f"{HERE.array}-0.json").write_text(
        json.dumps({"kind": "ended", "run_id": tiny.run_id, "status": "done"})
    )

    assert adopting.wait(0.01) == [Ended(run_id=tiny.run_id, status="done")]
    assert adopting.wait(0.01) == []


def left(adopting: SlurmExecutor, monkeypatch: pytest.MonkeyPatch, state: str) -> Event:
    """What is told of a job that left the queue without an answer, once file systems had time."""
    monkeypatch.setattr(slurm, "last_state", lambda job: {"7_0": state}[job])
    looks = [adopting.wait(0.01) for _ in range(3)]
    assert looks[:2] == [[], []]
    (event,) = looks[2]
    return event


def test_a_job_that_left_the_queue_without_an_answer_is_a_death(
    adopting: SlurmExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = left(adopting, monkeypatch, "OUT_OF_MEMORY")

    assert isinstance(died, Died)
    assert died.by_signal
    assert "its Slurm job 7_0 left no answer (state OUT_OF_MEMORY" in died.reason


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL", "BOOT_FAIL"])
def test_one_that_was_taken_away_does_not_count_against_its_run(
    adopting: SlurmExecutor, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    ended = left(adopting, monkeypatch, state)

    assert isinstance(ended, Ended)
    assert ended.status == "stopped"


def test_it_does_once_so_many_were_taken_away_as_may_be(
    adopting: SlurmExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopting.settings = replace(adopting.settings, requeues=0)

    assert isinstance(left(adopting, monkeypatch, "NODE_FAIL"), Died)


def test_a_controller_that_does_not_answer_for_a_while_loses_nothing(
    adopting: SlurmExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> dict[Place, Queued]:
        raise StudyError("Slurm does not answer squeue")

    monkeypatch.setattr(slurm, "queue", silent)

    assert [adopting.wait(0.01) for _ in range(5)] == 5 * [[]]


def test_what_a_run_needs_is_what_slurm_is_asked_for() -> None:
    settings = Slurm(partition="gpu", minutes=30, options={"constraint": "a100"})

    asked = parameters(settings, Needs(processes=2, threads=3, gpus=2, memory_bytes=2**31, minutes=90))

    assert (asked["cpus_per_task"], asked["gpus_per_node"], asked["mem"], asked["time"]) == (
        6,
        2,
        "2048M",
        90,
    )
    assert asked["additional_parameters"] == {"requeue": True, "constraint": "a100"}
    assert "account" not in asked
    assert parameters(settings, Needs())["time"] == 30


def test_a_machine_without_slurm_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StudyError, match="There is no Slurm here: squeue is not found"):
        queue()


def test_a_task_leaves_its_event_as_an_answer(tiny: Recipe, study: Study, tmp_path: Path) -> None:
    here = Path.cwd()
    told = job(tiny, study, """sh -c 'printf "{{\\"loss\\": 3}}"'""").to_json()

    text = Task(job=told, answer=str(tmp_path / "a.json"), settings={}, requeues=0)()

    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(text)
    assert json.loads(text)["status"] == "done"
    assert Path.cwd() == here


@dataclass
class Told:
    """A task that was told to end while it made its run."""

    requeued: list[str]
    answer: Path


@pytest.fixture
def told(tiny: Recipe, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Make a run, and send its process a signal."""

    def tell(number: int, *, shown: str = "", requeues: int = 1) -> Told:
        sent: list[str] = []
        monkeypatch.setattr("allometry.sweeps.executors.slurm.task.requeue", sent.append)
        monkeypatch.setattr("allometry.sweeps.executors.slurm.queue._ask", lambda *_: shown)
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        going, answer = tmp_path / "going", tmp_path / "answer.json"
        made = job(tiny, study, f"sh -c 'touch {going}; sleep 60'").to_json()

        def signal_it() -> None:
            while not going.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), number)

        threading.Thread(target=signal_it).start()
        with contextlib.suppress(SystemExit):
            Task(job=made, answer=str(answer), settings={}, requeues=requeues)()
        run = study.run(tiny.run_id)
        assert run is not None
        assert run.status == "stopped"
        return Told(sent, answer)

    return tell


IN_GRACE = "JobId=12 JobState=RUNNING Reason=None\n PreemptTime=2026-01-31T19:48:11"
CANCELLED = "JobId=12 JobState=CANCELLED Reason=None\n PreemptTime=None"


def test_a_task_that_is_out_of_time_goes_back_to_the_queue(told: Callable[..., Told]) -> None:
    ended = told(signal.SIGUSR2)

    assert ended.requeued == ["12"]
    assert not ended.answer.exists()


def test_so_does_one_that_is_preempted_and_has_time(told: Callable[..., Told]) -> None:
    assert told(signal.SIGTERM, shown=IN_GRACE).requeued == ["12"]


def test_one_that_is_cancelled_does_not(told: Callable[..., Told]) -> None:
    ended = told(signal.SIGTERM, shown=CANCELLED)

    assert not ended.requeued
    assert not ended.answer.exists()


def test_one_that_went_back_as_often_as_it_may_says_so(told: Callable[..., Told]) -> None:
    ended = told(signal.SIGUSR2, requeues=0)

    assert not ended.requeued
    assert "went back to the queue 0 times (requeues)" in ended.answer.read_text()
