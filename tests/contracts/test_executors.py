"""What every executor must do for `run_sweep`. A new one joins by adding how it is made."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from allometry.recipe import Recipe
from allometry.runs.claiming import holder_of
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Executor, Job
from allometry.sweeps.executors.events import Advanced, Died, Ended, Event, Unusable
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Local, Ray, Slurm, open_executor
from allometry.sweeps.trainers import Lab

PATIENCE = 240.0  # seconds until a test gives up; on a quiet machine nothing takes a twentieth of it

PLACES: dict[str, Local | Ray | Slurm] = {
    "local": Local(workers=2),
    "ray": Ray(workers=2),
    "slurm": Slurm(minutes=5, poll_seconds=0.2),
}
SERVICES = {"ray", "slurm"}  # which tests/services starts


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.services] * (name in SERVICES)) for name in PLACES],
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def study(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study.create(tmp_path_factory.mktemp("executor") / "study", "")


@pytest.fixture(scope="module")
def executor(kind: str, study: Study) -> Iterator[Executor]:
    """Two workers, who outlive each test."""
    with closing(open_executor(PLACES[kind], study, trainer=Lab(), runs=2)) as made:
        yield made


@pytest.fixture(scope="module")
def endless(tiny: Recipe) -> Recipe:
    """A run that is still training when it is looked at."""
    return replace(tiny, tokens=64 * 1_000_000, seed=7)


def job(recipe: Recipe, study: Study) -> Job:
    return Job(recipe=recipe, study=str(study.folder), design="grid", checkpoint_seconds=0.2)


def wait_for(executor: Executor, *wanted: type[Event], count: int = 1) -> list[Event]:
    """The first events of some types; what else happens is passed over."""
    found: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found += [event for event in executor.wait(0.1) if isinstance(event, wanted)]
    return found


def worker_on(study: Study, recipe: Recipe) -> int:
    """The process that holds the run."""
    holder = holder_of(study.run_folder(recipe.run_id))
    assert holder is not None, "nobody holds the run"
    return holder.process.number


def test_all_results_arrive_and_are_in_the_study(executor: Executor, study: Study, tiny: Recipe) -> None:
    recipes = [replace(tiny, seed=seed) for seed in range(2)]

    for recipe in recipes:
        assert executor.room_for(Needs())
        executor.start(job(recipe, study))
    ended = wait_for(executor, Ended, count=2)

    assert {event.run_id for event in ended} == {recipe.run_id for recipe in recipes}
    for event in ended:
        run = study.run(event.run_id)
        assert run is not None
        assert isinstance(event, Ended)
        assert event.status == run.status == "done"
        assert run.values["design"] == "grid"


def test_a_finished_run_is_not_trained_again(executor: Executor, study: Study, tiny: Recipe) -> None:
    recipe = replace(tiny, seed=0)
    before = {p: p.stat().st_mtime_ns for p in study.run_folder(recipe.run_id).rglob("*.json*")}

    executor.start(job(recipe, study))
    (ended,) = wait_for(executor, Ended)

    assert isinstance(ended, Ended)
    assert ended.status == "done"
    assert {p: p.stat().st_mtime_ns for p in study.run_folder(recipe.run_id).rglob("*.json*")} == before


def test_a_failure_is_an_event_and_the_worker_goes_on(executor: Executor, study: Study, tiny: Recipe) -> None:
    damaged = replace(tiny, seed=3)
    (study.run_folder(damaged.run_id) / "checkpoints" / "step-00000008").mkdir(parents=True)

    executor.start(job(damaged, study))
    (ended,) = wait_for(executor, Ended)

    assert isinstance(ended, Ended)
    assert (ended.run_id, ended.status) == (damaged.run_id, "failed")
    assert "Delete that folder" in ended.reason
    assert executor.room_for(Needs())


def test_a_study_that_cannot_be_written_is_told_apart_from_a_failed_run(
    executor: Executor, study: Study, tiny: Recipe
) -> None:
    recipe = replace(tiny, seed=4)
    study.run_folder(recipe.run_id).write_text("a file where a folder must be")

    executor.start(job(recipe, study))
    (event,) = wait_for(executor, Unusable, Ended)

    assert isinstance(event, Unusable)
    assert "choose another folder" in event.reason


def test_nothing_to_do_is_no_event(executor: Executor) -> None:
    assert executor.wait(0.01) == []


def test_a_killed_worker_is_an_event_and_is_replaced(
    executor: Executor, study: Study, tiny: Recipe, endless: Recipe
) -> None:
    executor.start(job(endless, study))
    (word,) = wait_for(executor, Advanced)
    os.kill(worker_on(study, endless), signal.SIGKILL)
    (died,) = wait_for(executor, Died)

    assert isinstance(word, Advanced)
    assert word.tokens > 0
    assert isinstance(died, Died)
    assert (died.run_id, died.by_signal) == (endless.run_id, True)
    assert died.reason
    assert executor.room_for(Needs())


def test_closing_saves_what_is_in_training(study: Study, endless: Recipe, executor: Executor) -> None:
    recipe = replace(endless, seed=8)
    executor.start(job(recipe, study))
    wait_for(executor, Advanced)

    executor.close()

    run = study.run(recipe.run_id)
    assert run is not None
    assert run.status == "stopped"
    last_good = run.values["last_good_step"]
    assert (study.run_folder(recipe.run_id) / "checkpoints" / f"step-{last_good:08d}").is_dir()
