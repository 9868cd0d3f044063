"""One run over several processes: the executor starts torchrun, and it equals one process to rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Ended
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Local
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers.lab import Lab
from allometry.sweeps.trainers.watch import Watch


@pytest.mark.slow
def test_a_run_over_two_processes_is_made_by_the_sweep(study: Study, tiny: Recipe) -> None:
    alone = Study.create(study.folder.parent / "alone", "")
    place = Local(workers=1, needs=(Needs(processes=2),))

    shared = run_sweep([tiny], study, executor=place).table.iloc[0]
    single = run_sweep([tiny], alone, workers=1).table.iloc[0]

    assert (shared["status"], shared["processes"], shared["design"]) == ("done", 2, "given")
    assert shared["loss"] == pytest.approx(single["loss"], abs=1e-4)


@pytest.mark.slow
def test_a_run_over_processes_is_asked_to_stop_and_is_taken_up(study: Study, tiny: Recipe) -> None:
    long = replace(tiny, tokens=64 * 400)
    job = Job(recipe=long, study=str(study.folder), design="grid", needs=Needs(processes=2))
    curve = study.run_folder(long.run_id) / "history.jsonl"

    stopped = Lab().make(job, Watch(should_stop=curve.exists))
    done = Lab().make(job, Watch())

    assert isinstance(stopped, Ended)
    assert isinstance(done, Ended)
    assert (stopped.status, done.status) == ("stopped", "done")
