"""Programs that make a run outside this process: started, watched, stopped, and their words kept."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from allometry.files import explained

_GUARD = Path(__file__).with_name("guard.py")
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
        return f"was killed by {_signal(-self.code)}" if self.code < 0 else f"ended with code {self.code}"


def supervised(
    command: Sequence[str],
    *,
    folder: Path,
    directory: str,
    settings: Mapping[str, str],
    should_stop: Callable[[], bool],
    tick: Callable[[], None] = lambda: None,
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
        timeout: Seconds it may take.
        grace: Seconds between SIGTERM and SIGKILL.

    Raises:
        StudyError: If the logs cannot be written.
    """
    begun = time.monotonic()
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "stdout.log").open("wb") as out, (folder / "stderr.log").open("wb") as err:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(_GUARD),
                    str(folder / ".trainer.lock"),
                    str(grace),
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=directory,
                env=os.environ | settings,
            )
    stopped = timed_out = False
    while not (stopped or timed_out or _ended_within(process, _LOOK)):
        tick()
        stopped = should_stop()
        timed_out = timeout is not None and time.monotonic() - begun > timeout
    assert process.stdin is not None
    process.stdin.close()  # which asks the guard to stop what still runs
    code = process.wait()
    return Ending(
        code=code,
        stopped=stopped or (code != 0 and should_stop()),
        timed_out=timed_out,
        last_words=_last_words(folder / "stderr.log"),
        seconds=time.monotonic() - begun,
    )


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    if hasattr(os, "pidfd_open"):  # Linux; Popen.wait looks at growing distances, of 50 ms in the end
        handle = os.pidfd_open(process.pid)
        select.select([handle], [], [], seconds)
        os.close(handle)
        return process.poll() is not None
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _last_words(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), f"nothing in {path}")


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
