"""Runs on this machine: worker processes of one thread each."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from allometry.errors import StudyError
from allometry.files import explained
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Advanced, Died, Event, event_from_json
from allometry.sweeps.executors.machine import Machine
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.worker import READY
from allometry.sweeps.executors.working import SETTINGS
from allometry.sweeps.trainers.processes import signal_name

_LETTING_GO = 60.0  # seconds a worker has to save its run before it is ended


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    job: Job | None = None
    ready: bool = False  # it has loaded PyTorch and said so
    unread: bytes = b""

    @property
    def answers(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()


@dataclass
class LocalExecutor:
    """Worker processes on this machine.

    Attributes:
        workers: How many; one per core leaves none idle.
        log: File for what the workers write to standard error.
        trainer: The kind of trainer that they load while they wait for jobs.
        machine: What there is for runs that state what they need.
    """

    workers: int
    log: Path
    trainer: str = "lab"
    machine: Machine = field(default_factory=Machine)
    _pool: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        # All at once: they load PyTorch while the sweep reads and encodes the text.
        self._pool = [self._hire() for _ in range(self.workers)]

    def room_for(self, needs: Needs) -> bool:
        """Whether a worker is idle and what the run needs is free."""
        idle = any(worker.job is None for worker in self._pool)
        return idle and self.machine.has(needs, self._jobs(), workers=self.workers)

    def shortage(self, needs: Needs) -> str:
        """What this machine does not have, whatever ends."""
        return self.machine.shortage(needs)

    def start(self, job: Job) -> None:
        """Give a job to an idle worker."""
        worker = next(worker for worker in self._pool if worker.job is None)
        worker.job = job.on(self.machine.free_gpus(self._jobs())[: job.needs.gpus])
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died idle: `wait` finds that out and reports the job
            worker.process.stdin.write(worker.job.to_json().encode() + b"\n")
            worker.process.stdin.flush()

    def _jobs(self) -> list[Job]:
        return [worker.job for worker in self._pool if worker.job is not None]

    def wait(self, seconds: float) -> list[Event]:
        """Read what the workers say, and replace those that died."""
        with selectors.DefaultSelector() as selector:
            for worker in self._pool:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            ready: list[_Worker] = [key.data for key, _ in selector.select(seconds)]
        return [event for worker in ready for event in self._read(worker)]

    def close(self) -> None:
        """Close the workers' input, which asks them to save and end; an idle one has nothing to save."""
        for worker in self._pool:
            if worker.job is None:
                worker.process.terminate()
            assert worker.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it may be dead already
                worker.process.stdin.close()
        for worker in self._pool:
            try:
                worker.process.wait(_LETTING_GO)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            assert worker.process.stdout is not None
            worker.process.stdout.close()

    def _hire(self) -> _Worker:
        with explained(self.log):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("ab")
        with log:
            try:
                process = subprocess.Popen(
                    # -P: a file in the user's folder that is called like a library must not be taken for it
                    [sys.executable, "-P", "-m", "allometry.sweeps.executors.worker", self.trainer],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=os.environ | SETTINGS,
                )
            except OSError as error:
                raise StudyError(
                    f"Cannot start a worker process: {error.strerror}. Give fewer workers."
                ) from error
        return _Worker(process)

    def _read(self, worker: _Worker) -> list[Event]:
        data = os.read(worker.answers, 1 << 16)
        if not data:
            return self._bury(worker)
        *lines, worker.unread = (worker.unread + data).split(b"\n")
        worker.ready |= READY in lines
        events = [event_from_json(line) for line in lines if line != READY]
        if any(not isinstance(event, Advanced) for event in events):
            worker.job = None
        return events

    def _bury(self, worker: _Worker) -> list[Event]:
        code = worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # what the dead worker did not read is lost with it
                pipe.close()
        if not worker.ready and code > 0:
            raise StudyError(
                f"A worker process cannot start: {self._last_words()}. All it said is in {self.log}."
            )
        if worker.job is None:
            self._replace(worker)
            return []
        if code < 0:
            reason = f"its worker was killed by {signal_name(-code)}"
        else:
            reason = f"its worker ended with code {code}: {self._last_words()}"
        self._replace(worker)
        return [Died(run_id=worker.job.run_id, by_signal=code < 0, reason=reason)]

    def _replace(self, worker: _Worker) -> None:
        self._pool[self._pool.index(worker)] = self._hire()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"nothing in {self.log}")
