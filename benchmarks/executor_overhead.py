"""What an executor adds to a run, and how busy its workers are.

Use: python benchmarks/executor_overhead.py [--full] [--markdown]
Ray is measured where it is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import importlib.util
import subprocess
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median

import pandas as pd

from allometry.architectures import Transformer
from allometry.recipe import AdamW, Constant, Data, Recipe, TextFiles, Utf8Bytes
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Executor, Job
from allometry.sweeps.executors.events import Ended
from allometry.sweeps.executors.places import Local, Ray, open_executor
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command
from benchmarks.parts.clock import shown
from benchmarks.parts.page import Table, goal, options, progress, publish

PRINTS = """sh -c 'printf "{{\\"loss\\": 3}}"'"""  # the least that a trainer can be
SLEEPS = """sh -c 'sleep {seconds}; printf "{{{{\\"loss\\": 3}}}}"'"""
GOALS = {"local": 0.05, "ray": 0.5}  # seconds a run
SWEPT, WORKERS = 40, 2
BUSY = 0.95
MANY = (100, 1_000, 3_000)  # runs of a sweep
PATIENCE = 120.0

BASE = Recipe(
    architecture=Transformer(vocab=257, context=32, width=16, layers=1, heads=1),
    optimizer=AdamW(learning_rate=0.01),
    schedule=Constant(),
    data=Data(corpus=TextFiles(paths=("nothing.txt",)), tokenizer=Utf8Bytes()),
    tokens=1024,
    batch_tokens=64,
)


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Median seconds on the clock of one run: one that is done, one that is a program, that program alone."""

    done: float
    program: float
    alone: float

    @property
    def added(self) -> float:
        """To a program by the executor."""
        return self.program - self.alone


def overhead(place: Local | Ray, count: int) -> Overhead:
    """Time runs one by one on one worker."""
    trainer = Command(command=PRINTS)
    recipes = [replace(BASE, seed=seed) for seed in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "study", "")
        with closing(open_executor(place, study, trainer=trainer, runs=1)) as executor:
            jobs = [Job(recipe=r, study=str(study.folder), design="grid", trainer=trainer) for r in recipes]
            _until_ended(executor, replace(jobs[0], recipe=replace(BASE, seed=count)))
            program = median(_until_ended(executor, job) for job in jobs)
            done = median(_until_ended(executor, job) for job in jobs)
    return Overhead(done=done, program=program, alone=median(_alone() for _ in range(count)))


def _until_ended(executor: Executor, job: Job) -> float:
    begun = time.perf_counter()
    executor.start(job)
    while time.perf_counter() - begun < PATIENCE:
        if any(isinstance(event, Ended) for event in executor.wait(1.0)):
            return time.perf_counter() - begun
    raise TimeoutError(f"run {job.run_id} did not end within {PATIENCE:g} s")


def _alone() -> float:
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", 'printf "{}"'], check=True, capture_output=True)
    return time.perf_counter() - begun


def utilisation(seconds: float) -> float:
    """Share of the time of all workers in which one of `SWEPT` programs ran, from the first to the last."""
    trainer = Command(command=SLEEPS.format(seconds=seconds))
    recipes = [replace(BASE, seed=seed) for seed in range(SWEPT)]
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "study", "")
        table = run_sweep(recipes, study, trainer=trainer, workers=WORKERS).table
    begun = pd.to_datetime(table["started"])
    ended = begun + pd.to_timedelta(table["seconds"], unit="s")
    return seconds * SWEPT / (WORKERS * (ended.max() - begun.min()).total_seconds())


def own_work(runs: int) -> float:
    """CPU seconds that a sweep of so many programs takes of the process that leads it, a run."""
    trainer = Command(command=PRINTS)
    recipes = [replace(BASE, seed=seed) for seed in range(runs)]
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "study", "")
        begun = time.process_time()
        run_sweep(recipes, study, trainer=trainer, workers=WORKERS)
        return (time.process_time() - begun) / runs


def table(
    measured: dict[str, Overhead], busy: float, seconds: float, count: int, led: dict[int, float]
) -> Table:
    """The measurements beside their goals."""
    return Table(
        name="executor-overhead",
        title="What an executor adds to a run",
        command="benchmarks/executor_overhead.py",
        says=f"Median over {count} runs, one by one on one worker, in time on the clock: other programs "
        "on the machine count. A run that is done already is only looked up; the program is `sh -c printf`, "
        "which is started under a guard, its output kept and its result read.",
        header=("executor", "run that is done", "program", "program alone", "added"),
        rows=[
            (name, shown(one.done), shown(one.program), shown(one.alone), shown(one.added))
            for name, one in measured.items()
        ],
        notes=[
            *(
                goal(
                    f"{name} adds less than {shown(GOALS[name])} to a run",
                    one.added < GOALS[name],
                    shown(one.added),
                )
                for name, one in measured.items()
            ),
            goal(
                f"{WORKERS} workers busy at least {BUSY:.0%} of the time in a sweep of {SWEPT} runs of "
                f"{seconds:g} s",
                busy >= BUSY,
                f"{busy:.1%}",
            ),
            *(
                goal(
                    f"a sweep of {runs:,} runs takes less than {shown(GOALS['local'])} of CPU a run of the "
                    "process that leads it",
                    own < GOALS["local"],
                    shown(own),
                )
                for runs, own in led.items()
            ),
        ],
    )


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    count, seconds = (100, 2.0) if chosen.full else (20, 0.5)
    places: dict[str, Local | Ray] = {"local": Local(workers=1)}
    if importlib.util.find_spec("ray"):
        places["ray"] = Ray(workers=1)
    measured = {}
    for name, place in places.items():
        progress(f"overhead of {name}")
        measured[name] = overhead(place, count)
    progress("utilisation")
    busy = utilisation(seconds)
    progress("many runs")
    led = {runs: own_work(runs) for runs in (MANY if chosen.full else MANY[:1])}
    publish(table(measured, busy, seconds, count, led), markdown=chosen.markdown)


if __name__ == "__main__":
    main()
