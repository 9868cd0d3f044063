"""A study is asked for runs and told of results, by one process or several."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.recipe import Recipe
from allometry.runs.claiming import CLAIM
from allometry.runs.study import Study
from allometry.sweeps.asking import Asking, ask
from allometry.sweeps.designs import Grid, Ladder


@pytest.fixture(scope="module")
def grid(tiny: Recipe) -> Grid:
    return Grid(base=tiny, vary={"seed": [0, 1, 2]})


def test_a_design_is_asked_again_after_each_result(checked: Ladder, study: Study) -> None:
    with ask(study, checked) as asking:
        asked = [asking.tell(recipe, loss=5.0).values["design"] for recipe in asking]

    assert asked == 6 * ["learning_rate_check"] + 4 * ["ladder"]  # no trunk: everyone trains straight


def test_what_was_told_is_not_asked_for_again(grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        first = asking.next()
        assert first is not None
        asking.tell(first, loss=3.25, seconds=7.0)

    with ask(study, grid) as again:
        assert first not in given(again, 3)
    run = study.run(first.run_id)
    assert run is not None
    assert (run.values["loss"], run.values["seconds"], run.values["width"]) == (3.25, 7.0, 16)


def test_a_run_began_when_it_was_asked_for_and_not_when_it_was_told_of(grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        before, first, after = datetime.now(UTC), asking.next(), datetime.now(UTC)
        assert first is not None
        told = asking.tell(first, loss=3.25)

    tick = timedelta(milliseconds=1)
    assert before - tick <= datetime.fromisoformat(told.values["started"]) <= after


def given(asking: Asking, times: int) -> list[Recipe]:
    asked = [asking.next() for _ in range(times)]
    return [recipe for recipe in asked if recipe is not None]


def test_what_one_process_was_given_no_other_is_given_until_it_ends(
    grid: Grid, study: Study, tmp_path: Path
) -> None:
    with ask(study, grid) as one, ask(study, grid) as other:
        held = given(one, 2)
        rest = given(other, 3)
        assert len(held) == 2
        assert len(rest) == 1
        assert rest[0] not in held
        one.close()
        assert given(other, 3) == held


def test_a_process_that_dies_lets_go_of_its_run(tiny: Recipe, study: Study) -> None:
    code = (
        "import os, sys\nfrom allometry.runs.claiming import try_claim\nfrom pathlib import Path\n"
        "try_claim(Path(sys.argv[1])); os.kill(os.getpid(), 9)\n"
    )
    folder = study.run_folder(tiny.run_id)
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert (folder / CLAIM).exists()

    with ask(study, Grid(base=tiny, vary={"seed": [0]})) as asking:
        assert asking.next() == tiny


def test_a_failure_is_kept_and_asked_for_again_by_the_next_asking(grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        for recipe in asking:
            asking.tell_failure(recipe, "the cluster burned down")

    assert set(study.runs().table["reason"]) == {"the cluster burned down"}
    with ask(study, grid) as asking:
        assert asking.next() is not None


def test_a_loss_that_is_not_finite_is_a_divergence(grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        recipe = next(iter(asking))
        run = asking.tell(recipe, loss=float("inf"))

    assert run.status == "diverged"
    assert "loss" not in run.values


def test_what_was_not_asked_for_cannot_be_told(tiny: Recipe, grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        with pytest.raises(InputError, match="was not asked for"):
            asking.tell(tiny, loss=3.0)
        with pytest.raises(InputError, match="told without a loss"):
            asking.tell(tiny, seconds=3.0)


def test_what_is_told_under_names_of_the_studys_own_leaves_the_study_whole(grid: Grid, study: Study) -> None:
    with ask(study, grid) as asking:
        recipe = given(asking, 1)[0]
        with pytest.raises(InputError, match=r"What is told of run .* its params is not a number: '7B'"):
            asking.tell(recipe, loss=3.0, params="7B")
        asking.tell(recipe, loss=3.0, status="ok", run_id="mine")

    (run,) = Study.open(study.folder).ended()
    assert (run.run_id, run.status, run.values["trainer_status"]) == (recipe.run_id, "done", "ok")
