"""Runs of a study in object storage are made in a folder here and put there as they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from allometry.errors import StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.designs import Grid
from allometry.sweeps.executors.places import Local, Slurm
from allometry.sweeps.progress import Board, Display
from allometry.sweeps.running import run_sweep
from allometry.sweeps.scratch import scratch_of
from allometry.sweeps.status import counts, study_status
from allometry.sweeps.trainers import Command

fsspec = pytest.importorskip("fsspec", reason="object storage is read through fsspec")
pytest.importorskip("upath", reason="object storage is read through universal_pathlib")

# Fails once with each seed above 1; -I, as what it imports is nobody's business.
PROGRAM = """
import json, sys
if int(sys.argv[1]) > 1:
    sys.exit("out of luck")
print(json.dumps({"loss": 3.0 + int(sys.argv[1])}))
"""


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Study]:
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path / "cache"))
    yield Study.create("memory://swept/demo", 'name = "demo"\n[design]\nkind = "given"')
    fsspec.filesystem("memory").rm("/swept", recursive=True)


@pytest.fixture
def trainer(tmp_path: Path) -> Command:
    (tmp_path / "train.py").write_text(PROGRAM)
    return Command(command=f"{sys.executable} -I -S {tmp_path}/train.py {{seed}}")


def test_what_ended_is_there_and_the_next_sweep_makes_the_rest(
    remote: Study, tiny: Recipe, trainer: Command
) -> None:
    seen: list[int] = []

    class Watching(Display):
        def update(self, board: Board) -> None:
            seen.append(len(Study.open("memory://swept/demo").ended()))

    grid = Grid(base=tiny, vary={"seed": [0, 1, 2]})
    runs = run_sweep(grid, remote, executor=Local(workers=1), trainer=trainer, display=Watching())

    assert sorted(runs.table["status"]) == ["done", "done", "failed"]
    assert seen[0] == 0
    assert max(seen) >= 1
    assert counts(study_status(remote)) == {"done": 2, "failed": 1}
    assert (remote.run_folder(grid.outline()[0].recipe.run_id) / "recipe.toml").is_file()


def test_what_was_finished_elsewhere_is_not_made_again(
    remote: Study, tiny: Recipe, trainer: Command, tmp_path: Path
) -> None:
    run_sweep([tiny], remote, executor=Local(workers=1), trainer=trainer)
    (tmp_path / "cache").rename(tmp_path / "another machine's")
    (tmp_path / "train.py").write_text("raise SystemExit('made again')")

    runs = run_sweep([tiny], remote, executor=Local(workers=1), trainer=trainer)

    assert list(runs.table["status"]) == ["done"]
    assert scratch_of(remote).run(tiny.run_id) == remote.run(tiny.run_id)


def test_machines_that_do_not_see_the_folder_are_refused(
    remote: Study, tiny: Recipe, trainer: Command
) -> None:
    with pytest.raises(StudyError, match=r"in object storage, and its runs .* those of 'slurm' do not see"):
        run_sweep([tiny], remote, executor=Slurm(), trainer=trainer)
