"""What runs need is held to what a machine has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from allometry.errors import InputError, RecipeError, UnknownName
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.machine import Machine
from allometry.sweeps.executors.needs import Needs, needs_for
from allometry.sweeps.executors.places import Local, Slurm, read_place
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command
from allometry.sweeps.trainers.results import Patterns


@pytest.fixture
def job(tiny: Recipe) -> Job:
    return Job(
        recipe=tiny, study="s", design="grid", needs=Needs(memory_bytes=3e9, gpus=1, threads=2), gpus=(0,)
    )


def test_a_run_waits_until_the_memory_it_states_is_free(job: Job) -> None:
    machine = Machine(cores=8, memory_bytes=5e9)

    assert machine.has(Needs(memory_bytes=2e9), [job], workers=4)
    assert not machine.has(Needs(memory_bytes=2.1e9), [job], workers=4)


def test_a_run_waits_for_accelerators_and_gets_those_that_no_other_has(job: Job) -> None:
    machine = Machine(cores=8, memory_bytes=5e9, gpus=3)

    assert machine.free_gpus([job]) == (1, 2)
    assert machine.has(Needs(gpus=2), [job], workers=4)
    assert not machine.has(Needs(gpus=3), [job], workers=4)


def test_threads_are_counted_but_one_run_alone_may_have_more_than_there_are(job: Job) -> None:
    machine = Machine(cores=4, memory_bytes=5e9)

    assert machine.has(Needs(threads=2), [job], workers=2)
    assert not machine.has(Needs(processes=3), [job], workers=2)
    assert machine.has(Needs(processes=8), [], workers=2)


def test_more_workers_than_cores_are_what_was_asked_for(job: Job) -> None:
    machine = Machine(cores=2, memory_bytes=5e9)
    single = replace(job, needs=Needs())

    assert machine.has(Needs(), [single] * 4, workers=5)


def test_a_size_that_no_rule_is_for_is_refused() -> None:
    with pytest.raises(InputError, match=r"No \[\[needs\]\] holds for a run of 1e\+06 parameters"):
        needs_for(1e6, [Needs(from_params=1e9)])


def test_a_run_that_states_more_memory_than_there_is_fails_in_a_sentence(tiny: Recipe, study: Study) -> None:
    place = Local(workers=1, memory_bytes=1e9, needs=(Needs(memory_bytes=4e10),))

    runs = run_sweep([tiny], study, executor=place, trainer=Command(command="never"))

    (row,) = runs.table.to_dict("records")
    assert row["status"] == "failed"
    assert row["reason"] == "it states a peak memory of 40B bytes and runs may take 1B bytes here"


def test_a_place_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('kind = "slurm"\npartition = "gpu"\n[[needs]]\nfrom_params = "1B"\ngpus = 8\n')

    place = read_place(str(path))

    assert isinstance(place, Slurm)
    assert (place.partition, place.needs[0].from_params, place.needs[0].gpus) == ("gpu", 1e9, 8)


@pytest.mark.parametrize("name", ["slrum", "here"])
def test_an_executor_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="There are: local, ray, slurm"):
        read_place(name)


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text('kind = "slurm"\npartitoin = "gpu"\n')

    with pytest.raises(RecipeError, match=r"no key 'partitoin'\. Did you mean 'partition'"):
        read_place(str(path))


def test_a_job_reads_back_as_it_was_written(job: Job) -> None:
    trainer = Command(command="x {seed}", result=Patterns(patterns={"loss": "(.)"}), timeout_seconds=9.0)
    full = replace(job, trainer=trainer, keep_steps=(8, 16), stop_after=16, device="cuda", gpus=(1,))

    assert Job.from_json(full.to_json()) == full


@pytest.mark.slow
def test_two_runs_at_once_see_an_accelerator_each(tiny: Recipe, study: Study, tmp_path: Path) -> None:
    # Each waits for the other: alone they would both be given the first.
    script = """
    touch $1/$2; until [ -e $1/0 ] && [ -e $1/1 ]; do sleep 0.02; done
    echo "{\\"loss\\": 3, \\"seen\\": \\"gpu $CUDA_VISIBLE_DEVICES\\"}"
    """
    (tmp_path / "train.sh").write_text(script)
    trainer = Command(command=f"sh {tmp_path}/train.sh {tmp_path} {{seed}}", timeout_seconds=60)
    place = Local(workers=2, gpus=2, needs=(Needs(gpus=1),))

    runs = run_sweep([tiny, replace(tiny, seed=1)], study, executor=place, trainer=trainer)

    assert sorted(runs.table["seen"]) == ["gpu 0", "gpu 1"]
