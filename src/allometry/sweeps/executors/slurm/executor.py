"""Runs on a cluster with Slurm: arrays of jobs, which go on whether or not the sweep that sent them does."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from allometry.errors import StudyError
from allometry.extras import needed
from allometry.files import write_atomically
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event, event_from_json
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.slurm.queue import Place, Queued, cancel, last_state, queue
from allometry.sweeps.executors.slurm.task import Task
from allometry.sweeps.trainers.curve import CurveReader

if TYPE_CHECKING:
    from allometry.sweeps.executors.places import Slurm

_LONGEST_ARRAY = 1000  # Slurm's MaxArraySize is 1001 unless a site says otherwise
_LETTING_GO = 90.0  # seconds that cancelled jobs have to save and leave the queue
_TAKEN_AWAY = ("PREEMPTED", "NODE_FAIL", "BOOT_FAIL")  # what a run can do nothing about
_LOOKS = 3  # times a job may be neither in the queue nor answered before it is lost: file systems lag
_PASSED_ON = ("ALLOMETRY_CACHE", "XDG_CACHE_HOME", "HF_HOME")


@dataclass
class _Running:
    job: Job
    place: Place
    curve: CurveReader
    number: str = ""  # Slurm's, once it was seen in the queue
    unseen: int = 0


@dataclass
class SlurmExecutor:
    """Jobs of Slurm, one a run.

    Which run is which job of which array is written down before the array is sent, so that a sweep that was
    killed at any moment finds its jobs again: a run in the queue is waited for and not sent twice.
    """

    submitit: ModuleType
    settings: Slurm
    folder: Path
    _asked: list[Job] = field(default_factory=list)
    _running: dict[str, _Running] = field(default_factory=dict)
    _adopted: dict[str, Place] = field(default_factory=dict)
    _looked: float = -math.inf
    _moves: Counter[str] = field(default_factory=Counter)  # jobs of each run that were taken away

    @classmethod
    def open(cls, settings: Slurm, study: Study) -> SlurmExecutor:
        """See that Slurm answers, and which runs of the study it has already.

        Raises:
            StudyError: If there is no Slurm here.
            MissingExtra: If submitit is not installed.
        """
        submitit = needed("submitit", "Sending runs to Slurm", "slurm")
        folder = study.folder.resolve() / "slurm"
        there = queue()
        sent = _sent(folder)
        return cls(
            submitit=submitit,
            settings=settings,
            folder=folder,
            _adopted={run_id: place for place, run_id in sent.items() if place in there},
        )

    def room_for(self, needs: Needs) -> bool:
        """Always: Slurm has a queue."""
        return True

    def shortage(self, needs: Needs) -> str:
        """Nothing that Slurm would not say when it is asked."""
        return ""

    def start(self, job: Job) -> None:
        """Remember a run for the next array, unless Slurm has it already."""
        if place := self._adopted.pop(job.run_id, None):
            self._follow(job, place)
        else:
            self._asked.append(job)

    def wait(self, seconds: float) -> list[Event]:
        """Send what was asked for, and look at the queue when it is time to."""
        self._send()
        due = self._looked + self.settings.poll_seconds - time.monotonic()
        if due > 0:
            time.sleep(min(seconds, due))
            return []
        self._looked = time.monotonic()
        with contextlib.suppress(StudyError):  # a controller that is restarted answers the next time
            there = queue()
            return [event for running in list(self._running.values()) for event in self._news(running, there)]
        return []

    def close(self) -> None:
        """Cancel what is in the queue: runs in training save first."""
        self._asked.clear()
        deadline = time.monotonic() + _LETTING_GO
        cancel(self._own())
        while self._own() and time.monotonic() < deadline:
            time.sleep(min(1.0, self.settings.poll_seconds))
        self._running.clear()

    def _own(self) -> dict[Place, Queued]:
        places = {running.place for running in self._running.values()}
        return {place: queued for place, queued in queue().items() if place in places} if places else {}

    def _follow(self, job: Job, place: Place) -> None:
        reader = CurveReader(Path(job.study) / "runs" / job.run_id, job.run_id)
        self._running[job.run_id] = _Running(job, place, reader)

    def _send(self) -> None:
        """Arrays of jobs with equal needs; Slurm starts those of one array in their order."""
        asked, self._asked = self._asked, []
        for _, group in groupby(sorted(asked, key=_resources), key=_resources):
            alike = list(group)
            for first in range(0, len(alike), _LONGEST_ARRAY):
                self._send_array(alike[first : first + _LONGEST_ARRAY])

    def _send_array(self, jobs: Sequence[Job]) -> None:
        array = f"allometry-{uuid.uuid4().hex[:12]}"
        write_atomically(self.folder / "arrays" / f"{array}.json", json.dumps([job.run_id for job in jobs]))
        executor = self.submitit.SlurmExecutor(self.folder / "logs")
        executor.update_parameters(job_name=array, **parameters(self.settings, jobs[0].needs))
        tasks = [self._task(job, Place(array=array, index=index)) for index, job in enumerate(jobs)]
        with _refusals_explained():
            executor.map_array(_call, tasks)
        for index, job in enumerate(jobs):
            self._follow(job, Place(array=array, index=index))

    def _task(self, job: Job, place: Place) -> Task:
        return Task(
            job=job.to_json(),
            answer=str(self._answer(place)),
            settings={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            requeues=self.settings.requeues,
        )

    def _answer(self, place: Place) -> Path:
        return self.folder / "answers" / f"{place.array}-{place.index}.json"

    def _news(self, running: _Running, there: dict[Place, Queued]) -> Iterable[Event]:
        answer = self._answer(running.place)
        if answer.exists():
            del self._running[running.job.run_id]
            return [event_from_json(answer.read_text())]
        if queued := there.get(running.place):
            running.number, running.unseen = queued.job, 0
            word = running.curve.word()
            return [] if word is None else [word]
        running.unseen += 1
        return [self._lost(running)] if running.unseen >= _LOOKS else []

    def _lost(self, running: _Running) -> Event:
        run_id = running.job.run_id
        del self._running[run_id]
        state = last_state(running.number) if running.number else "unknown"
        name = f"its Slurm job {running.number}" if running.number else "its Slurm job"
        if state == "CANCELLED":
            return Ended(run_id=run_id, status="failed", reason=f"{name} was cancelled")
        reason = f"{name} left no answer (state {state}; see {self.folder / 'logs'})"
        if state in _TAKEN_AWAY and self._moves[run_id] < self.settings.requeues:
            self._moves[run_id] += 1
            return Ended(run_id=run_id, status="stopped", reason=reason)
        return Died(run_id=run_id, by_signal=True, reason=reason)


def parameters(settings: Slurm, needs: Needs) -> dict[str, Any]:
    """What submitit is told of jobs with some needs."""
    asked = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "gpus_per_node": needs.gpus,
        "mem": f"{math.ceil(needs.memory_bytes / 2**20)}M" if needs.memory_bytes else "",
    }
    return {
        **{name: value for name, value in asked.items() if value},
        "time": needs.minutes or settings.minutes,
        "cpus_per_task": needs.cores,
        "signal_delay_s": settings.warning_seconds,
        "array_parallelism": settings.array,
        "setup": list(settings.setup),
        "stderr_to_stdout": True,
        "additional_parameters": {"requeue": True, **settings.options},
    }


def _call(task: Task) -> str:
    return task()


def _resources(job: Job) -> str:
    return repr(job.needs)


def _sent(folder: Path) -> dict[Place, str]:
    """Which run is where, of all arrays that were ever sent for the study."""
    arrays = sorted((folder / "arrays").glob("*.json"))
    return {
        Place(array=path.stem, index=index): run_id
        for path in arrays
        for index, run_id in enumerate(json.loads(path.read_text()))
    }


@contextlib.contextmanager
def _refusals_explained() -> Iterator[None]:
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    logging.getLogger("submitit").setLevel(logging.ERROR)
    try:
        yield
    except (FailedJobError, FailedSubmissionError) as error:
        lines = [line for line in str(error).splitlines() if "error" in line.lower()] or [str(error)]
        raise StudyError(
            f"Slurm refused the jobs: {lines[-1].strip()}. Mend that in the settings."
        ) from error
