"""One study over all executors: what one of them made, no other makes again."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.places import Ray, Slurm
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: allometry[ray]"),
    pytest.mark.skipif(shutil.which("sbatch") is None, reason="needs Slurm: tests/services/slurm.sh run …"),
]


def test_a_study_begun_here_is_continued_by_ray_and_then_by_slurm(tiny: Recipe, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "study", "")
    recipes = [replace(tiny, seed=seed) for seed in range(3)]
    (tmp_path / "train.sh").write_text("echo made >> $1/made; echo '{\"loss\": 3}'")
    trainer = Command(command=f"sh {tmp_path}/train.sh {{folder}}")

    run_sweep(recipes[:1], study, trainer=trainer, workers=1)
    run_sweep(recipes[:2], study, trainer=trainer, executor=Ray(workers=1))
    runs = run_sweep(recipes, study, trainer=trainer, executor=Slurm(minutes=5, poll_seconds=0.5))

    assert list(runs.table["status"]) == 3 * ["done"]
    assert [(study.run_folder(r.run_id) / "made").read_text() for r in recipes] == 3 * ["made\n"]
