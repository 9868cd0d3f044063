"""A run over two processes is the run of one, to rounding; so is what it leaves on disk."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from allometry.errors import InputError, RecipeError
from allometry.lab import steps
from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.distributed import Sharding, open_or_make, train_distributed
from allometry.lab.energy import Energy
from allometry.lab.loop import Sitting, train
from allometry.lab.shared_costs import SharedMeter
from allometry.lab.sharing import ShareFeed
from allometry.lab.steps import Batch
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.spec import open_collection, read_spec

ROUNDING = 1e-3  # of a tensor's norm: AdamW divides by the gradient's size, so a small one's rounding counts
SHARDINGS: tuple[Sharding, ...] = ("ddp", "fsdp")


@pytest.fixture(scope="module")
def alone(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The run of one process."""
    study = Study.create(tmp_path_factory.mktemp("alone"), "")
    train(tiny, study=study)
    return study


def in_two_processes(work: Callable[[], object]) -> list[int | None]:
    """Exit codes; the processes find each other as under torchrun, and need not load PyTorch again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    end = fork.Barrier(2, timeout=60)
    processes = [fork.Process(target=_as_rank, args=(rank, port, work, end)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()
    return [process.exitcode for process in processes]


def _as_rank(rank: int, port: int, work: Callable[[], object], end: Barrier) -> None:
    torch.set_num_threads(1)
    settings = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ |= {name: str(value) for name, value in settings.items()}
    try:
        work()
    finally:
        end.wait()  # who leaves first takes the connections of the other with it


def curve(study: Study, recipe: Recipe) -> list[float]:
    lines = (study.run_folder(recipe.run_id) / "history.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def assert_same_run(found: Study, expected: Study, recipe: Recipe) -> None:
    assert curve(found, recipe) == pytest.approx(curve(expected, recipe), rel=1e-5)
    states = [
        load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", recipe.steps).tensors
        for study in (found, expected)
    ]
    assert states[0].keys() == states[1].keys()
    for name in (name for name in states[1] if name.startswith("model.")):
        assert (states[0][name] - states[1][name]).norm() < ROUNDING * states[1][name].norm()


@pytest.mark.parametrize("sharding", SHARDINGS)
def test_two_processes_make_the_run_of_one(
    sharding: Sharding, tiny: Recipe, alone: Study, tmp_path: Path
) -> None:
    study = Study.create(tmp_path, "")

    codes = in_two_processes(lambda: train_distributed(tiny, study=study, sharding=sharding))

    assert codes == [0, 0]
    assert_same_run(study, alone, tiny)
    run, expected = study.run(tiny.run_id), alone.run(tiny.run_id)
    assert run is not None
    assert expected is not None
    assert run.values["loss"] == pytest.approx(expected.values["loss"], rel=1e-5)
    assert run.values["processes"] == 2
    assert run.values["energy_how"].endswith("; the sum over 2 processes")
    assert run.values["peak_memory_how"].endswith("; the most of 2 processes")


@pytest.mark.parametrize("sharding", SHARDINGS)
def test_a_run_goes_from_two_processes_to_one_and_back(
    sharding: Sharding, tiny: Recipe, alone: Study, tmp_path: Path
) -> None:
    study = Study.create(tmp_path, "")
    stopping = Sitting(should_stop=lambda: True)

    in_two_processes(lambda: train_distributed(tiny, study=study, sharding=sharding, sitting=stopping))
    train(tiny, study=study, sitting=stopping)
    codes = in_two_processes(lambda: train_distributed(tiny, study=study, sharding=sharding))

    assert codes == [0, 0]
    assert_same_run(study, alone, tiny)


def test_a_batch_that_cannot_be_shared_out_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    odd = replace(tiny, batch_tokens=48, tokens=480)

    def refused() -> None:
        with pytest.raises(RecipeError, match="3 sequences cannot be shared out evenly to 2 processes"):
            train_distributed(odd, study=Study.create(tmp_path, ""))

    assert in_two_processes(refused) == [0, 0]


class Told:
    """A meter that says what it was told to."""

    def __init__(self, energy: Energy) -> None:
        self.energy = energy

    def poll(self) -> None:
        pass

    def read(self) -> Energy:
        return self.energy


def test_the_energy_of_all_processes_counts_and_is_no_better_known_than_that_of_any() -> None:
    def gathered() -> None:
        dist.init_process_group("gloo")
        first = dist.get_rank() == 0
        own = Energy(joules=2, low=1, high=4, method="measured" if first else "modelled", how="CPU")
        meter = Told(own if first else replace(own, joules=20, low=10, high=40))

        found = SharedMeter(meter, torch.device("cpu")).read()

        assert (found.joules, found.low, found.high, found.method) == (22, 11, 44, "modelled")

    assert in_two_processes(gathered) == [0, 0]


def test_a_process_without_memory_for_its_share_says_so(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(steps, "head_loss", full)

    def refused() -> None:
        with pytest.raises(InputError, match=r"Process \d of 2 has no memory left for its 2 sequences; take"):
            train_distributed(tiny, study=Study.create(tmp_path, ""))

    assert in_two_processes(refused) == [0, 0]


def test_the_shares_of_a_batch_are_the_batch() -> None:
    class Numbers:
        def batch(self, step: int) -> Batch:
            return Batch.of_windows(torch.arange(step, step + 24).view(6, 4))

    shares = [ShareFeed(Numbers(), rank=rank, processes=3).batch(5) for rank in range(3)]

    whole = Numbers().batch(5)
    torch.testing.assert_close(torch.cat([share.inputs_BT for share in shares]), whole.inputs_BT)
    torch.testing.assert_close(torch.cat([share.targets_BT for share in shares]), whole.targets_BT)


def test_the_commands_read_a_study_that_torchrun_makes_and_it_joins_one_of_theirs(tmp_path: Path) -> None:
    theirs = open_collection(tmp_path / "theirs")

    assert read_spec(open_or_make(tmp_path / "new")).design.kind == "given"
    assert open_or_make(tmp_path / "theirs") == theirs


@pytest.mark.slow
@pytest.mark.parametrize("sharding", SHARDINGS)
def test_torchrun_trains_a_recipe_file(
    sharding: Sharding, tiny: Recipe, alone: Study, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(tiny.to_toml())
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    work = ["-m", "allometry.lab.distributed", str(tmp_path / "recipe.toml")]
    chosen = ["--study", str(tmp_path / "study"), "--sharding", sharding]

    subprocess.run(
        [*launcher, *work, *chosen], check=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )

    assert_same_run(Study.open(tmp_path / "study"), alone, tiny)
