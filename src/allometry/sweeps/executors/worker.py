"""A worker process: takes jobs as JSON lines on standard input, answers on standard output.

The end of standard input means that the sweep is over, or was killed: the run in training saves a
checkpoint and the worker ends. So no worker outlives its sweep, however the sweep ends. A worker that is
sent SIGTERM saves its run, too, before it dies of it: see `allometry.lab.interruption`.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from io import RawIOBase
from typing import TYPE_CHECKING, Any

from allometry.errors import AllometryError, StudyError
from allometry.recipe import Data, Recipe
from allometry.runs.run import Run
from allometry.runs.study import Study

if TYPE_CHECKING:
    from allometry.lab.tokens import TokenData

_PATIENCE = 30.0  # seconds a worker of a killed sweep may take to save and let go of its run


def main() -> None:
    """Take jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the sweep, which asks the workers to stop
    from allometry.lab.devices import use_threads

    use_threads(1)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not look like an answer
    jobs: queue.Queue[str | None] = queue.Queue()
    over = threading.Event()
    _answer(answers, {"kind": "ready"})
    threading.Thread(target=_listen, args=(jobs, over), daemon=True).start()
    while (line := jobs.get()) is not None:
        _answer(answers, _work(json.loads(line), answers, over))


def _listen(jobs: queue.Queue[str | None], over: threading.Event) -> None:
    for line in sys.stdin:
        jobs.put(line)
    over.set()
    jobs.put(None)


def _answer(answers: RawIOBase, message: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the sweep was killed: its run is still saved, see `_listen`
        answers.write(json.dumps(message).encode() + b"\n")


def _work(job: dict[str, Any], answers: RawIOBase, over: threading.Event) -> dict[str, Any]:
    recipe = Recipe.from_toml(job["recipe"])
    try:
        run = _train(recipe, job, answers, over)
    except StudyError as error:
        return {"kind": "unusable", "run_id": recipe.run_id, "reason": str(error)}
    except AllometryError as error:
        return {"kind": "ended", "run_id": recipe.run_id, "status": "failed", "reason": str(error)}
    return {"kind": "ended", "run_id": recipe.run_id, "status": run.status, "reason": run.reason}


def _train(recipe: Recipe, job: dict[str, Any], answers: RawIOBase, over: threading.Event) -> Run:
    from allometry.lab.loop import Sitting, train

    text = _text(recipe.data)
    study = Study.open(job["study"])
    sitting = Sitting(
        keep_steps=job["keep_steps"],
        checkpoint_seconds=job["checkpoint_seconds"],
        on_progress=lambda progress: _answer(answers, {"kind": "advanced", **asdict(progress)}),
        should_stop=over.is_set,
        design=job["design"],
        patience=_PATIENCE,
    )
    return train(recipe, study=study, device=job["device"], sitting=sitting, text=text)


@lru_cache(maxsize=4)
def _text(data: Data) -> TokenData:
    """Read and hash the files once a worker, not once a run."""
    from allometry.lab.tokens import prepare_tokens

    return prepare_tokens(data)


if __name__ == "__main__":
    main()
