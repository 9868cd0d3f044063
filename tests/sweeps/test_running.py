"""A sweep makes every run once, and one bad cell spoils no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from allometry.errors import MissingExtra, StudyError
from allometry.recipe import FineTune, Recipe, TextFiles
from allometry.runs.run import Run, Runs
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Grid, Ladder
from allometry.sweeps.executors.definition import Advanced, Died, Event, Job, Unusable
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.progress import Board, Display
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Lab


class Bench(Protocol):
    """The executor of this folder's conftest."""

    workers: int
    script: dict[str, list[Event]]
    started: list[Job]


@dataclass(frozen=True)
class Swept:
    """A study whose sweep is over, and what was started in which order."""

    study: Study
    started: Sequence[Job]
    runs: Runs


def run_of(study: Study, run_id: str) -> Run:
    run = study.run(run_id)
    assert run is not None
    return run


def statuses(study: Study) -> dict[str, str]:
    table = study.runs().table
    return dict(zip(table["run_id"], table["status"], strict=True))


def written(study: Study) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in study.folder.glob("runs/*/run.json")}


def designs(jobs: Sequence[Job]) -> list[str]:
    return [job.design for job in jobs]


def with_rate(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=rate))


def killed(run_id: str) -> Died:
    return Died(run_id=run_id, by_signal=True, reason="its worker was killed by SIGKILL")


@pytest.fixture(scope="module")
def swept(
    checked: Ladder,
    in_turn: Callable[..., AbstractContextManager[Bench]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Swept:
    """A ladder with a check of the learning rate, made by one worker."""
    study = Study.create(tmp_path_factory.mktemp("swept") / "study", "")
    with in_turn() as bench:
        runs = run_sweep(checked, study)
    return Swept(study, bench.started, runs)


@pytest.mark.parametrize("workers", [2, 5])
def test_every_run_of_a_ladder_arrives(bench: Bench, ladder: Ladder, study: Study, workers: int) -> None:
    bench.workers = workers

    runs = run_sweep(ladder, study, workers=workers)

    assert set(runs.table["run_id"]) == {planned.recipe.run_id for planned in ladder.outline()}
    assert set(runs.table["status"]) == {"done"}
    assert len(bench.started) == len(ladder.outline()) == 6


def test_checks_come_first_and_decide_the_rate_of_the_rung(swept: Swept) -> None:
    order = designs(swept.started)
    assert order[:7] == [*6 * ["learning_rate_check"], "trunk"]
    assert sorted(order[7:]) == [*4 * ["ladder"], "trunk"]  # the longest first
    for width, of_size in swept.runs.table.groupby("width"):
        assert of_size.loc[of_size["design"] != "learning_rate_check", "learning_rate"].nunique() == 1, width


def test_a_rerun_trains_nothing_and_touches_nothing(bench: Bench, checked: Ladder, swept: Swept) -> None:
    before = written(swept.study)

    run_sweep(checked, swept.study)

    assert bench.started == []
    assert written(swept.study) == before


def test_a_run_asked_for_twice_is_made_once(bench: Bench, tiny: Recipe, study: Study) -> None:
    bench.workers = 2

    run_sweep([tiny, tiny], study)

    assert len(bench.started) == 1


def test_no_recipes_make_no_runs(bench: Bench, study: Study) -> None:
    assert len(run_sweep([], study)) == 0


def test_a_damaged_checkpoint_fails_its_own_run_only(bench: Bench, tiny: Recipe, study: Study) -> None:
    place = study.run_folder(tiny.run_id) / "checkpoints" / "step-00000008"
    place.mkdir(parents=True)

    run_sweep([tiny, replace(tiny, seed=1)], study)

    run = run_of(study, tiny.run_id)
    assert (run.status, run.values["tokens"]) == ("failed", tiny.tokens)
    assert "Delete that folder" in run.reason
    assert run_of(study, replace(tiny, seed=1).run_id).status == "done"


def test_a_failed_run_is_tried_again_by_the_next_sweep(bench: Bench, tiny: Recipe, study: Study) -> None:
    place = study.run_folder(tiny.run_id) / "checkpoints" / "step-00000008"
    place.mkdir(parents=True)
    run_sweep([tiny], study)
    shutil.rmtree(place)

    run_sweep([tiny], study)

    assert run_of(study, tiny.run_id).status == "done"


def test_a_diverging_run_is_a_result_and_is_not_repeated(bench: Bench, tiny: Recipe, study: Study) -> None:
    absurd = with_rate(tiny, 1e4)
    run_sweep([absurd, tiny], study)
    bench.started.clear()

    run_sweep([absurd, tiny], study)

    assert statuses(study) == {absurd.run_id: "diverged", tiny.run_id: "done"}
    assert bench.started == []


def test_branches_of_a_trunk_that_failed_are_recorded_with_the_reason(
    bench: Bench, ladder: Ladder, study: Study
) -> None:
    trunk, *branches = (p.recipe for p in ladder.outline() if p.recipe.architecture.width == 24)
    bench.script[trunk.run_id] = [Died(run_id=trunk.run_id, by_signal=False, reason="out of luck")]

    run_sweep(ladder, study)

    for branch in branches:
        run = run_of(study, branch.run_id)
        assert (run.status, run.values["parent"]) == ("failed", trunk.run_id)
        assert f"its trunk {trunk.run_id} failed: out of luck" in run.reason
    assert sorted(statuses(study).values()) == 3 * ["done"] + 3 * ["failed"]


def test_branches_of_a_trunk_that_diverged_are_recorded_with_the_reason(
    bench: Bench, ladder: Ladder, study: Study
) -> None:
    absurd = replace(ladder, base=with_rate(ladder.base, 1e4))

    run_sweep(absurd, study)

    assert sorted(statuses(study).values()) == 2 * ["diverged"] + 4 * ["failed"]


def test_a_branch_that_left_its_trunk_before_it_failed_is_made(
    bench: Bench, ladder: Ladder, study: Study
) -> None:
    trunk, early, late = (p.recipe for p in ladder.outline() if p.recipe.architecture.width == 16)
    run_sweep([replace(trunk, tokens=early.trunk_steps * 64)], study)
    made = study.run_folder(replace(trunk, tokens=early.trunk_steps * 64).run_id) / "checkpoints"
    shutil.copytree(made, study.run_folder(trunk.run_id) / "checkpoints")
    (study.run_folder(trunk.run_id) / "recipe.toml").write_text(trunk.to_toml())
    bench.script[trunk.run_id] = [Died(run_id=trunk.run_id, by_signal=False, reason="out of luck")]

    run_sweep([trunk, early, late], study)

    assert run_of(study, early.run_id).status == "done"
    assert run_of(study, late.run_id).status == "failed"


def test_a_branch_asked_for_without_its_trunk_is_trained_straight(
    bench: Bench, ladder: Ladder, tiny: Recipe, study: Study
) -> None:
    branch = replace(tiny, parent=tiny.trunk().run_id)

    run_sweep([branch, tiny], study)

    branched, straight = (run_of(study, recipe.run_id) for recipe in (branch, tiny))
    assert branched.values["loss"] == straight.values["loss"]


def test_a_trunk_keeps_the_checkpoints_its_branches_start_from(checked: Ladder, swept: Swept) -> None:
    branches = [recipe for recipe in checked.recipes(swept.runs) if recipe.recipe.parent]

    assert len(branches) == 4
    for planned in branches:
        trunk = swept.study.run_folder(planned.recipe.parent)
        assert (trunk / "checkpoints" / f"step-{planned.recipe.trunk_steps:08d}").is_dir()


def test_a_run_that_loses_its_worker_twice_goes_on(bench: Bench, tiny: Recipe, study: Study) -> None:
    bench.script[tiny.run_id] = [killed(tiny.run_id) for _ in range(2)]

    run_sweep([tiny], study)

    assert statuses(study) == {tiny.run_id: "done"}


def test_a_run_that_loses_its_worker_three_times_is_recorded_as_failed(
    bench: Bench, tiny: Recipe, study: Study
) -> None:
    bench.script[tiny.run_id] = [killed(tiny.run_id) for _ in range(3)]

    run_sweep([tiny], study)

    run = run_of(study, tiny.run_id)
    assert (run.status, run.reason) == ("failed", "its worker was killed by SIGKILL (3 times)")


def test_a_study_begun_on_other_text_is_refused(
    bench: Bench, tiny: Recipe, study: Study, own_text: Path
) -> None:
    data = replace(tiny.data, corpus=TextFiles(paths=(f"{own_text}/*.txt",)))
    recipe = replace(tiny, data=data, tokens=64 * 8)
    run_sweep([recipe], study)
    (own_text / "text003.txt").write_text("something else\n")

    with pytest.raises(StudyError, match=r"begun with other text .* Choose another folder"):
        run_sweep([recipe, replace(recipe, seed=1)], study)


def test_one_study_may_compare_several_splits_and_vocabularies(
    bench: Bench, tiny: Recipe, study: Study
) -> None:
    grid = Grid(base=tiny, vary={"data.held_out_tokens": [32, 64], "data.held_out": [0.2, 0.4]})

    run_sweep(grid, study)
    run_sweep(grid, study)

    assert list(statuses(study).values()) == 4 * ["done"]


def test_a_study_that_cannot_be_written_ends_the_sweep(bench: Bench, tiny: Recipe, study: Study) -> None:
    bench.script[tiny.run_id] = [Unusable(run_id=tiny.run_id, reason="Cannot write x: the disk is full")]

    with pytest.raises(StudyError, match="the disk is full"):
        run_sweep([tiny], study)


def test_a_study_whose_folder_is_read_only_is_refused_before_anything_starts(
    bench: Bench, tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", denied)

    with pytest.raises(StudyError, match="permission was denied; choose a folder that you may write to"):
        run_sweep([tiny], study)
    assert bench.started == []


def test_a_missing_extra_names_the_command_that_installs_it(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())

    with pytest.raises(MissingExtra, match=r"needs torch\. Run: pip install 'allometry\[lab\]'"):
        run_sweep([tiny], study)


def test_the_display_is_told_of_every_run(bench: Bench, ladder: Ladder, study: Study) -> None:
    boards: list[Board] = []

    class Watching(Display):
        def update(self, board: Board) -> None:
            boards.append(board)

    first = ladder.outline()[0].recipe
    word = Advanced(run_id=first.run_id, tokens=64, loss=5.0, tokens_per_second=9.0)
    bench.script[first.run_id] = [word]  # the bench then forgets the job, as a dead worker would not
    bench.script[first.run_id].append(killed(first.run_id))

    run_sweep([recipe.recipe for recipe in ladder.outline()[3:]], study, display=Watching())

    assert [len(board.ended) for board in boards] == [0, 1, 2, 3]
    assert all(board.total == 3 for board in boards)


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(
    bench: Bench, tiny: Recipe, study: Study, files_of_at_most: Callable[[int], AbstractContextManager[None]]
) -> None:
    said = r"a file size limit was reached; raise it \(ulimit -f\) and run the same command again"
    with files_of_at_most(20_000), pytest.raises(StudyError, match=said):
        run_sweep([tiny], study)

    runs = study.run_folder(tiny.run_id)
    assert {path.name for path in runs.iterdir()} <= {"recipe.toml", "history.jsonl", "checkpoints"}
    assert list((runs / "checkpoints").iterdir()) == []


def fine_tuned(parent: Recipe) -> Recipe:
    return replace(parent, seed=1, parent="", start=FineTune(run=parent.run_id))


def test_a_run_that_begins_with_anothers_weights_waits_for_it(
    bench: Bench, tiny: Recipe, study: Study
) -> None:
    bench.workers = 2

    run_sweep([fine_tuned(tiny), tiny], study)

    assert [job.run_id for job in bench.started] == [tiny.run_id, fine_tuned(tiny).run_id]
    assert run_of(study, fine_tuned(tiny).run_id).status == "done"


def test_a_run_whose_ancestor_is_in_the_study_already_goes_ahead(
    bench: Bench, tiny: Recipe, study: Study
) -> None:
    run_sweep([tiny], study)

    run_sweep([fine_tuned(tiny)], study)

    assert run_of(study, fine_tuned(tiny).run_id).status == "done"


def test_a_run_whose_ancestor_is_nowhere_fails_and_names_it(bench: Bench, tiny: Recipe, study: Study) -> None:
    run_sweep([fine_tuned(tiny)], study)

    run = run_of(study, fine_tuned(tiny).run_id)
    assert run.status == "failed"
    assert f"it needs run {tiny.run_id}, which is not in {study.folder}: train that one there" in run.reason
    assert not bench.started


def test_a_run_whose_ancestor_diverged_fails_with_its_reason(
    bench: Bench, tiny: Recipe, study: Study
) -> None:
    study.save_run(Run(run_id=tiny.run_id, status="diverged", reason="the loss was not finite"))

    run_sweep([fine_tuned(tiny), tiny], study)

    reason = run_of(study, fine_tuned(tiny).run_id).reason
    assert reason == f"it needs run {tiny.run_id}, which diverged: the loss was not finite"


def test_asking_a_design_again_looks_at_each_run_once(
    tiny: Recipe, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.save_run(Run(run_id=tiny.run_id, status="done", values={"loss": 3.0}))
    sweep = running._Sweep(
        design=running._AsGiven([tiny, replace(tiny, seed=7)]),
        study=study,
        executor=None,  # type: ignore[arg-type]
        way=None,  # type: ignore[arg-type]
        shown=None,  # type: ignore[arg-type]
    )
    monkeypatch.delattr(Study, "run")  # all that ended were read together: none is looked at by itself

    planned = sweep._planned()

    assert len(planned) == 2
    assert list(sweep.ended) == [tiny.run_id]


def test_where_no_worker_is_free_the_runs_that_wait_are_not_looked_at(tiny: Recipe, study: Study) -> None:
    asked: list[Needs] = []

    class Busy:
        def room_for(self, needs: Needs) -> bool:
            asked.append(needs)
            return False

        def shortage(self, needs: Needs) -> str:
            return ""

    sweep = running._Sweep(
        design=running._AsGiven([replace(tiny, seed=seed) for seed in range(50)]),
        study=study,
        executor=Busy(),  # type: ignore[arg-type]
        way=running._Way(
            trainer=Lab(), needs=(Needs(threads=2),), device="cpu", checkpoint_seconds=1.0, adopts=False
        ),
        shown=None,  # type: ignore[arg-type]
    )

    started = sweep._start(sweep._planned())

    assert not started
    assert asked == [Needs(threads=2), Needs()]  # of the first run, and of the least that there is


def test_a_run_that_finds_no_room_does_not_hold_up_one_that_does(tiny: Recipe, study: Study) -> None:
    large = replace(tiny, architecture=replace(tiny.architecture, width=64))
    started: list[str] = []

    class OneCore:
        def room_for(self, needs: Needs) -> bool:
            return needs.cores == 1 and not started

        def shortage(self, needs: Needs) -> str:
            return ""

        def start(self, job: Job) -> None:
            started.append(job.run_id)

    sweep = running._Sweep(
        design=running._AsGiven([large, tiny]),
        study=study,
        executor=OneCore(),  # type: ignore[arg-type]
        way=running._Way(
            trainer=Lab(),
            needs=(Needs(), Needs(from_params=large.architecture.params("total"), threads=2)),
            device="cpu",
            checkpoint_seconds=1.0,
            adopts=False,
        ),
        shown=None,  # type: ignore[arg-type]
    )

    assert sweep._start(sweep._planned())
    assert started == [tiny.run_id]
