"""Programs that make a run outside this process: started, watched, stopped, and their words kept."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allometry.files import explained
from allometry.sweeps.trainers.guarding import guarded

_LOOK = 0.2  # seconds between questions whether to stop
_TAIL = 4096  # bytes of standard error that are read for its last words


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a program ended.

    Attributes:
        code: Its exit status; minus the signal that killed it.
        stopped: It was asked to stop.
        timed_out: It was ended because its time was up.
        last_words: The last line of its standard error.
        seconds: It took.
    """

    code: int
    stopped: bool = False
    timed_out: bool = False
    last_words: str = ""
    seconds: float = 0.0

    @property
    def described(self) -> str:
        """How it ended, as the end of a sentence."""
        return f"was killed by {signal_name(-self.code)}" if self.code < 0 else f"ended with code {self.code}"


def supervised(
    command: Sequence[str],
    *,
    folder: Path,
    directory: str,
    settings: Mapping[str, str],
    should_stop: Callable[[], bool],
    tick: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
    timeout: float | None = None,
    grace: float = 30.0,
) -> Ending:
    """Run a program to its end; it dies with this process.

    Its output goes to stdout.log and stderr.log in the run's folder.

    Args:
        directory: Where it is started.
        settings: Of its environment, beside those of this process.
        should_stop: Asked all the time, and once more at the end, as a cluster that ends a job signals all of
            its processes; true: SIGTERM to all of it.
        tick: Called all the time.
        meanwhile: Called once, when the program has been asked for.
        timeout: Seconds it may take.
        grace: Seconds between SIGTERM and SIGKILL.

    Raises:
        StudyError: If the logs cannot be written.
    """
    begun = time.monotonic()
    stopped = timed_out = False
    with explained(folder):
        files = _files(folder.resolve())
    where = {"directory": str(Path(directory).absolute()), "environment": os.environ | settings}
    with guarded() as guard:
        guard.start({"command": list(command), "grace": grace, **where, **files})
        meanwhile()
        while not (stopped or timed_out or guard.has_ended(within=_LOOK)):
            tick()
            stopped = should_stop()
            timed_out = timeout is not None and time.monotonic() - begun > timeout
        if stopped or timed_out:
            guard.stop()
        code = guard.ended()
    return Ending(
        code=code,
        stopped=stopped or (code != 0 and should_stop()),
        timed_out=timed_out,
        last_words=_last_words(folder / "stderr.log"),
        seconds=time.monotonic() - begun,
    )


def _files(folder: Path) -> dict[str, str]:
    """The guard's lock, and the program's logs, which are there and empty."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = {"out": folder / "stdout.log", "err": folder / "stderr.log"}
    for path in logs.values():
        path.write_bytes(b"")
    return {name: str(path) for name, path in {**logs, "lock": folder / ".trainer.lock"}.items()}


def _last_words(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), f"nothing in {path}")


def signal_name(number: int) -> str:
    """What a signal is called; most of the real-time ones have no name of their own.

    >>> signal_name(9), signal_name(40)
    ('SIGKILL', 'signal 40')
    """
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
