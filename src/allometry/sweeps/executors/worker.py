"""A worker process: takes jobs as JSON lines on standard input, answers on standard output.

The end of standard input means that the sweep is over, or was killed: the run in training saves a
checkpoint and the worker ends. So no worker outlives its sweep, however the sweep ends. A worker that is
sent SIGTERM saves its run, too, before it dies of it: see `allometry.lab.interruption`.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from io import RawIOBase

from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Event, event_to_json
from allometry.sweeps.executors.working import PATIENCE, work
from allometry.sweeps.trainers import TRAINERS
from allometry.sweeps.trainers.watch import Watch

READY = b"ready"


def main(trainer: str) -> None:
    """Take jobs until standard input ends.

    Args:
        trainer: The kind of trainer that is asked for: it may have something to load first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the sweep, which asks the workers to stop
    TRAINERS[trainer].warm_up()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not look like an answer
    jobs: queue.Queue[str | None] = queue.Queue()
    over = threading.Event()
    _say(answers, READY)
    threading.Thread(target=_listen, args=(jobs, over), daemon=True).start()
    watch = Watch(
        tell=lambda word: _answer(answers, word),
        should_stop=over.is_set,
        patience=PATIENCE,
    )
    while (line := jobs.get()) is not None:
        _answer(answers, work(Job.from_json(line), watch))


def _listen(jobs: queue.Queue[str | None], over: threading.Event) -> None:
    for line in sys.stdin:
        jobs.put(line)
    over.set()
    jobs.put(None)


def _answer(answers: RawIOBase, event: Event) -> None:
    _say(answers, event_to_json(event).encode())


def _say(answers: RawIOBase, line: bytes) -> None:
    with suppress(BrokenPipeError):  # the sweep was killed: its run is still saved, see `_listen`
        answers.write(line + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
