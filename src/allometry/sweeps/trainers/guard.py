"""Starts a user's trainer and ends it, with all it started, when the worker that asked for it is gone.

    python -I -S guard.py LOCK GRACE COMMAND…

Standard input is a pipe from the worker: its end, however it came about, asks the trainer to stop (SIGTERM)
and ends it GRACE seconds later. So a killed worker leaves no trainer that goes on beside the next one;
the lock makes that one wait until the last of it is gone. Little is imported: it starts with each run.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

try:
    import fcntl
except ImportError:  # Windows: see allometry.files
    fcntl = None  # type: ignore[assignment]

NOT_STARTED = 127  # as a shell says it
_WORKER = 0  # standard input


def main(lock: str, grace: str, *command: str) -> int:
    """Run a command; its exit status, or minus the signal it died of."""
    child_ended = _leave_signals_to_the_worker()
    with open(lock, "a") as held:  # noqa: PTH123  (pathlib would double the time to start)
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        trainer = _start(command)
        status = _wait(trainer, float(grace), child_ended)
        _signal_all(trainer, signal.SIGKILL)  # what it left behind
    return os.waitstatus_to_exitcode(status)


def _leave_signals_to_the_worker() -> int:
    """What reads when a child ended; handlers, not SIG_IGN, which the trainer would inherit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # Slurm announces the end of a job with it to every process; a trainer would die of it.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    signal.set_wakeup_fd(teller)
    return told


def _start(command: tuple[str, ...]) -> int:
    trainer = os.fork()
    if trainer:
        return trainer
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def _wait(trainer: int, grace: float, child_ended: int) -> int:
    """Its wait status; once the worker is gone it is asked to stop, and ended when its grace is over."""
    watched, left, over = [_WORKER, child_ended], None, 0.0
    while True:
        ready = select.select(watched, [], [], left)[0]
        if child_ended in ready:
            os.read(child_ended, 1024)
        done, status = os.waitpid(trainer, os.WNOHANG)
        if done:
            return status
        if _WORKER in ready and not os.read(_WORKER, 1024):
            watched, over = [child_ended], time.monotonic() + grace
            _signal_all(trainer, signal.SIGTERM)
        if _WORKER not in watched:
            left = max(0.05, over - time.monotonic())
            if time.monotonic() >= over:
                _signal_all(trainer, signal.SIGKILL)


def _signal_all(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # none of it is left


def _leave(code: int) -> None:
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _leave(main(*sys.argv[1:]))
