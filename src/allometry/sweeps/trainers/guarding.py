"""The guards of this process: each starts one program after the other, and ends them if this process ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.errors import StudyError

_PROGRAM = Path(__file__).with_name("guard.py")
_STOP = b"stop"  # as `guard.py` says it, which needs more of the system than can be imported everywhere
_idle: list[Guard] = []


@dataclass
class Guard:
    """One guard and the line to it.

    Attributes:
        owner: The process that speaks with it: one that was forked must not.
        line: Descriptor of the line.
        trainer: Process number of its program, once it has begun.
        code: Exit status of its program, once it has ended; minus the signal that killed it.
    """

    owner: int
    line: int
    trainer: int = 0
    code: int | None = None
    _unread: bytes = b""

    @classmethod
    def begin(cls) -> Guard:
        """A new one.

        Raises:
            OSError: If the system refuses a process.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-I", "-S", str(_PROGRAM)]
            subprocess.run(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, check=True)
            return cls(owner=os.getpid(), line=ours.detach())

    def start(self, asked: Mapping[str, Any]) -> None:
        """Ask for a program; see `guard.py` for what is said of it."""
        self.trainer, self.code = 0, None
        self._say(json.dumps(asked).encode())

    def stop(self) -> None:
        """Ask it to end its program: SIGTERM, and SIGKILL when its grace is over."""
        self._say(_STOP)

    def has_ended(self, within: float) -> bool:
        """Whether its program has ended; waits at most so many seconds for that."""
        while self.code is None and select.select([self.line], [], [], within)[0]:
            self._listen()
        return self.code is not None

    def ended(self) -> int:
        """Wait until its program has ended; its exit status."""
        while self.code is None:
            self._listen()
        return self.code

    def close(self) -> None:
        """Leave it, which ends what it runs."""
        os.close(self.line)

    def _say(self, word: bytes) -> None:
        data = word + b"\n"
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # `_listen` finds out that it is lost
            while data:
                data = data[os.write(self.line, data) :]

    def _listen(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = os.read(self.line, 1 << 12)
        if not data:
            self._bury()
        *words, self._unread = (self._unread + data).split(b"\n")
        for kind, number in map(bytes.split, words):
            if kind == b"started":
                self.trainer = int(number)
            else:
                self.code = int(number)

    def _bury(self) -> None:
        """Somebody killed the guard: its program must not go on unguarded."""
        if self.trainer:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.trainer, signal.SIGKILL)
        self.code = -signal.SIGKILL


def begin_a_guard() -> None:
    """Have one ready: another Python takes a while to start.

    Raises:
        StudyError: If the system refuses a process.
    """
    _idle.append(_begun())


@contextlib.contextmanager
def guarded() -> Iterator[Guard]:
    """A guard for one program; it is kept for the next, unless what is done here fails.

    Raises:
        StudyError: If the system refuses a process.
    """
    guard = _take() or _begun()
    try:
        yield guard
    except BaseException:
        guard.close()
        raise
    _idle.append(guard)


def _begun() -> Guard:
    try:
        return Guard.begin()
    except OSError as error:
        raise StudyError(f"Cannot start a process: {error.strerror}. Give fewer workers.") from error


def _take() -> Guard | None:
    while _idle:
        guard = _idle.pop()
        if guard.owner == os.getpid() and not select.select([guard.line], [], [], 0)[0]:
            return guard
        guard.close()  # another process's, or lost
    return None
