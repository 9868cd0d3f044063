"""Starts a user's trainer and ends it, with all it started, when the worker that asked for it is gone.

    python -I -S guard.py LOCK GRACE COMMAND…

Standard input is a pipe from the worker: its end, however it came about, asks the trainer to stop (SIGTERM)
and ends it GRACE seconds later. So a killed worker leaves no trainer that goes on beside the next one;
the lock makes that one wait until the last of it is gone. Needs only the standard library: it starts at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows: see allometry.files
    fcntl = None  # type: ignore[assignment]

NOT_STARTED = 127  # as a shell says it


def main(lock: str, grace: str, *command: str) -> int:
    """Run a command; its exit status, or the signal it died of, is the guard's own."""
    _leave_signals_to_the_worker()
    with open(lock, "a") as held:  # noqa: PTH123  (pathlib would double the start-up time)
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        try:
            trainer = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            return NOT_STARTED
        threading.Thread(target=_stop_when_alone, args=(trainer.pid, float(grace)), daemon=True).start()
        code = trainer.wait()
        _signal_all(trainer.pid, signal.SIGKILL)  # what it left behind
    return code


def _leave_signals_to_the_worker() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which the trainer would inherit
    # Slurm announces the end of a job with it to every process; a trainer would die of it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _stop_when_alone(group: int, grace: float) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    _signal_all(group, signal.SIGTERM)
    time.sleep(grace)
    _signal_all(group, signal.SIGKILL)


def _signal_all(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _leave(code: int) -> None:
    if code < 0:
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.stderr.flush()
    os._exit(code)  # not held up by the thread that reads standard input


if __name__ == "__main__":
    _leave(main(*sys.argv[1:]))
