"""Processes as they can be told apart later: on which machine, which number, since when."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_ENDED = ("Z", "X")  # states of a process whose number is not free yet


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process, on whatever machine.

    Attributes:
        machine: What numbers of processes count on: this start of this kernel, and within it a container.
        host: Its name, for people.
        number: Of the process.
        began: When it was started, in the machine's own units; empty where that is not said.
    """

    machine: str
    host: str
    number: int
    began: str

    @classmethod
    def own(cls) -> Process:
        """This one.

        >>> Process.own().has_ended()
        False
        """
        number = os.getpid()
        began = (_stat(number) or ("", ""))[1]
        return cls(machine=_machine(), host=socket.gethostname(), number=number, began=began)

    def has_ended(self) -> bool:
        """Whether it is known to have ended: of another machine's nothing is known."""
        if self.machine != _machine():
            return False
        if not Path("/proc/self/stat").exists():
            return not _answers(self.number)
        state, began = _stat(self.number) or ("X", "")
        return state in _ENDED or began != self.began

    def __str__(self) -> str:
        return f"{self.number} on {self.host}"


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return socket.gethostname()


def _stat(number: int) -> tuple[str, str] | None:
    """State and start of a process, from the system; None if there is none of that number."""
    try:
        said = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return None
    fields = said.rpartition(")")[2].split()  # behind the name, in which there may be blanks
    return fields[0], fields[19]


def _answers(number: int) -> bool:
    if os.name == "nt":
        return True  # there, asking a process with a signal would end it: only its beats say that it lives
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
