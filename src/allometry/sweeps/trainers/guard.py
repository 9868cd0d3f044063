"""Starts a worker's programs and ends them, with all they started, when the worker is gone.

    python -I -S guard.py

Standard input is a line to the worker, both ways: a JSON object asks for a program, "stop" asks it to end,
and its end, however it came about, does so too. So a killed worker leaves no trainer that goes on beside the
next one; the lock makes that one wait until the last of it is gone. The guard is nobody's child and has a
session of its own: who kills a worker with its children (Ray) or with its group (kill -9 -PGID) leaves it.
It stays for the worker's next program, and is small, so that starting one takes a few milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

STOP = b"stop"
NOT_STARTED = 127  # as a shell says it
_WORKER = 0  # standard input
_CHILDREN = "/proc/thread-self/children"  # of Linux
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl


class Worker:
    """What the worker says, as far as it was heard."""

    def __init__(self) -> None:
        self.gone = False
        self._unread = b""

    def listen(self) -> None:
        """Wait until it says something or is gone."""
        try:
            data = os.read(_WORKER, 1 << 16)
        except ConnectionResetError:  # it left without hearing the last answer
            data = b""
        self.gone = not data
        self._unread += data

    def word(self) -> bytes:
        """Its next line; nothing if it has not said one."""
        line, end, rest = self._unread.partition(b"\n")
        if not end:
            return b""
        self._unread = rest
        return line

    def answer(self, kind: str, number: int) -> None:
        """Tell it a process number or an exit status."""
        try:
            os.write(_WORKER, f"{kind} {number}\n".encode())
        except OSError:
            self.gone = True


def main() -> None:
    """Start what the worker asks for, one program after the other, until it is gone."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    if os.path.exists(_CHILDREN):  # noqa: PTH110  (pathlib would double the time to start)
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)  # orphans of a program become children of the guard
    child_ended = _leave_signals_to_the_worker()
    worker = Worker()
    while not worker.gone:
        worker.listen()
        while word := worker.word():
            if word != STOP:  # which was meant for one that had just ended
                _run(json.loads(word), worker, child_ended)


def _leave_signals_to_the_worker() -> int:
    """What reads when a child ended; handlers, not SIG_IGN, which the trainer would inherit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # Slurm announces the end of a job with it to every process; a trainer would die of it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    signal.set_wakeup_fd(teller, warn_on_full_buffer=False)
    return told


def _run(asked: Mapping[str, Any], worker: Worker, child_ended: int) -> None:
    """Make one program; its exit status, or minus the signal it died of, is the answer."""
    with open(asked["lock"], "a") as held:  # noqa: PTH123  (pathlib would double the time to start)
        fcntl.flock(held, fcntl.LOCK_EX)
        trainer = _start(asked)
        worker.answer("started", trainer)
        stopped, status = _wait(trainer, asked["grace"], worker, child_ended)
        _end_group(trainer)
        if stopped:
            _end_orphans()
    worker.answer("ended", os.waitstatus_to_exitcode(status))


def _start(asked: Mapping[str, Any]) -> int:
    """Its process number, once it is a program with a session of its own: signals reach all of it."""
    begun, starting = os.pipe()
    trainer = os.fork()
    if not trainer:
        _become(asked["command"], asked["directory"], asked["environment"], [asked["out"], asked["err"]])
    os.close(starting)
    os.read(begun, 1)  # it ends when the program begins, or cannot
    os.close(begun)
    return trainer


def _become(command: Sequence[str], directory: str, environment: dict[str, str], logs: list[str]) -> None:
    try:
        os.setsid()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores, and so would its heirs
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in enumerate(logs, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
        os.chdir(directory)
        os.execvpe(command[0], list(command), environment)
    except OSError as error:
        what = directory if error.filename == directory else command[0]
        os.write(2, f"{what}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def _wait(trainer: int, grace: float, worker: Worker, child_ended: int) -> tuple[bool, int]:
    """Whether it was asked to stop, which it is told once, and its wait status."""
    over = None
    while True:
        done, status = os.waitpid(-1, os.WNOHANG)
        if done == trainer:
            return over is not None, status
        if over is None and (worker.gone or worker.word() == STOP):
            over = time.monotonic() + grace
            _signal_all(trainer, signal.SIGTERM)
        if over is not None and time.monotonic() >= over:
            _signal_all(trainer, signal.SIGKILL)
        if not done:
            _until_news(worker, child_ended, None if over is None else max(0.05, over - time.monotonic()))


def _until_news(worker: Worker, child_ended: int, seconds: float | None) -> None:
    watched = [child_ended] if worker.gone else [child_ended, _WORKER]
    ready = select.select(watched, [], [], seconds)[0]
    if child_ended in ready:
        os.read(child_ended, 1024)
    if _WORKER in ready:
        worker.listen()


def _end_group(group: int) -> None:
    """End what a program left behind, before another may begin in its folder."""
    _signal_all(group, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def _end_orphans() -> None:
    """End what has a session of its own, as torchrun's processes have, and lost its parent."""
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _children() -> list[int]:
    try:
        with open(_CHILDREN) as numbers:  # noqa: PTH123
            return [int(number) for number in numbers.read().split()]
    except FileNotFoundError:  # not Linux, where there are no orphans here
        return []


def _signal_all(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none of it is left
        os.killpg(group, number)


if __name__ == "__main__":
    main()
