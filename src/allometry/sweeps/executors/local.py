"""Runs on this machine: worker processes of one thread each."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allometry.errors import StudyError
from allometry.files import explained
from allometry.sweeps.executors.definition import Advanced, Died, Ended, Event, Job, Unusable

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
        device: Where they train.
        log: File for what the workers write to standard error.
        checkpoint_seconds: Time between a run's checkpoints.
    """

    workers: int
    log: Path
    device: str = "cpu"
    checkpoint_seconds: float = 15.0
    _pool: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        # All at once: they load PyTorch while the sweep reads and encodes the text.
        self._pool = [self._hire() for _ in range(self.workers)]

    def free(self) -> int:
        """Workers without a job."""
        return sum(worker.job is None for worker in self._pool)

    def start(self, job: Job) -> None:
        """Give a job to an idle worker."""
        worker = next(worker for worker in self._pool if worker.job is None)
        worker.job = job
        message = {
            "recipe": job.recipe.to_toml(),
            "study": job.study,
            "design": job.design,
            "keep_steps": job.keep_steps,
            "device": self.device,
            "checkpoint_seconds": self.checkpoint_seconds,
        }
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died idle: `wait` finds that out and reports the job
            worker.process.stdin.write(json.dumps(message).encode() + b"\n")
            worker.process.stdin.flush()

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
        settings = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        settings["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what cuBLAS needs to give the same bits twice
        with explained(self.log):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            log = self.log.open("ab")
        with log:
            try:
                process = subprocess.Popen(
                    # -P: a file in the user's folder that is called like a library must not be taken for it
                    [sys.executable, "-P", "-m", "allometry.sweeps.executors.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=os.environ | settings,
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
        messages = [json.loads(line) for line in lines]
        worker.ready |= any(message["kind"] == "ready" for message in messages)
        events = [_event(message) for message in messages if message["kind"] != "ready"]
        if any(isinstance(event, Ended | Unusable) for event in events):
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
            reason = f"its worker was killed by {signal.Signals(-code).name}"
        else:
            reason = f"its worker ended with code {code}: {self._last_words()}"
        self._replace(worker)
        return [Died(run_id=worker.job.run_id, by_signal=code < 0, reason=reason)]

    def _replace(self, worker: _Worker) -> None:
        self._pool[self._pool.index(worker)] = self._hire()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"nothing in {self.log}")


def _event(message: dict[str, Any]) -> Event:
    values = {name: value for name, value in message.items() if name != "kind"}
    match message["kind"]:
        case "advanced":
            names = ("run_id", "tokens", "loss", "tokens_per_second")
            return Advanced(**{name: values[name] for name in names})
        case "unusable":
            return Unusable(**values)
        case _:
            return Ended(**values)
