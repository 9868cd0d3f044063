"""A run over several processes on a real Ray and a real Slurm, beside the same run in one process."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Ray, Slurm
from allometry.sweeps.running import run_sweep

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("sbatch") is None, reason="needs Slurm: tests/services/slurm.sh run …"),
]
TWO = (Needs(processes=2),)


@pytest.mark.parametrize(
    "place", [Ray(needs=TWO, workers=2), Slurm(needs=TWO, minutes=5, poll_seconds=0.5)], ids=["ray", "slurm"]
)
def test_a_run_over_two_processes_equals_that_of_one(
    place: Ray | Slurm, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = replace(tiny, tokens=64 * 20)
    alone, together = (Study.create(tmp_path / name, "") for name in ("alone", "together"))

    single = run_sweep([recipe], alone, workers=1).table.iloc[0]
    shared = run_sweep([recipe], together, executor=place).table.iloc[0]

    assert (shared["status"], shared["processes"]) == ("done", 2), shared["reason"]
    assert shared["loss"] == pytest.approx(single["loss"], abs=1e-4)
