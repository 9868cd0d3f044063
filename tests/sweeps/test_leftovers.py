"""Rounds train a trunk as far as their branches need, and go on with it when a longer branch comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from allometry.runs.run import Run, Status
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder, Planned
from allometry.sweeps.estimates import estimate
from allometry.sweeps.executors.definition import Died, Event, Job
from allometry.sweeps.executors.slurm.task import Task
from allometry.sweeps.leftovers import Asked, ended, left_of
from allometry.sweeps.running import run_sweep


class Bench(Protocol):
    """The executor of this folder's conftest."""

    script: dict[str, list[Event]]
    started: list[Job]


@dataclass
class Sweeping:
    """Makes some runs of a design in a study, as a round does."""

    study: Study
    asked: list[Planned] = field(default_factory=list)

    def make(self, *planned: Planned) -> None:
        self.asked = left_of(planned, self.study)
        run_sweep(Asked(self.asked), self.study)

    def steps(self) -> int:
        """That what was asked for takes."""
        return sum(one.own_tokens // one.recipe.batch_tokens for one in self.asked)


@pytest.fixture
def rung(ladder: Ladder) -> Sequence[Planned]:
    """A trunk of 33 steps; branches of 28 steps, 7 of them after the trunk's 21st, and of 44, 11 of them."""
    return ladder.outline()[:3]


def losses(study: Study) -> dict[Any, Any]:
    return study.runs().table.set_index("run_id")["loss"].to_dict()


def test_a_longer_branch_goes_on_with_the_trunk_of_a_shorter_one(
    bench: Bench, study: Study, rung: Sequence[Planned]
) -> None:
    trunk, short, long = rung
    sweeping = Sweeping(study)

    sweeping.make(trunk, short)
    assert (sweeping.steps(), [job.stop_after for job in bench.started]) == (21 + 7, [21, 0])
    sweeping.make(trunk, long)

    assert sweeping.steps() == (33 - 21) + 11
    assert [job.run_id for job in bench.started[2:]] == [trunk.recipe.run_id, long.recipe.run_id]
    whole = Study.create(study.folder.parent / "whole", "")
    run_sweep(Asked(rung), whole)
    assert losses(study) == losses(whole)


def test_a_shorter_branch_leaves_a_trunk_that_is_there(
    bench: Bench, study: Study, rung: Sequence[Planned]
) -> None:
    trunk, short, long = rung
    sweeping = Sweeping(study)

    sweeping.make(trunk, long)
    sweeping.make(trunk, short)

    assert sweeping.asked == [short]
    assert sweeping.steps() == 7


def test_a_trunk_goes_as_far_as_the_longest_of_its_branches_in_whatever_order_they_stand(
    study: Study, rung: Sequence[Planned]
) -> None:
    trunk, short, long = rung

    for asked in ([trunk, short, long], [trunk, long, short]):
        assert left_of(asked, study)[0].part == (0, 33)


def test_a_rerun_trains_nothing_and_a_full_sweep_only_the_rest(
    bench: Bench, study: Study, rung: Sequence[Planned]
) -> None:
    trunk, short, _ = rung
    part = replace(trunk, part=(0, 21))
    for _ in range(2):
        run_sweep(Asked([part, short]), study)
    assert [job.run_id for job in bench.started] == [trunk.recipe.run_id, short.recipe.run_id]

    run_sweep(Asked(rung), study)

    assert set(study.runs().table["status"]) == {"done"}
    assert len(bench.started) == 4


def test_a_trunk_whose_worker_was_killed_goes_on(bench: Bench, study: Study, rung: Sequence[Planned]) -> None:
    trunk, short, _ = rung
    killed = Died(run_id=trunk.recipe.run_id, by_signal=True, reason="its worker was killed by SIGKILL")
    bench.script[trunk.recipe.run_id] = [killed]

    Sweeping(study).make(trunk, short)

    assert [job.stop_after for job in bench.started] == [21, 21, 0]
    assert study.run(short.recipe.run_id) is not None


def test_a_job_of_slurm_answers_when_its_trunk_has_come_so_far(
    study: Study, rung: Sequence[Planned], tmp_path: Path
) -> None:
    job = Job(recipe=rung[0].recipe, study=str(study.folder), design="trunk", keep_steps=(21,), stop_after=21)

    event = Task(job=job.to_json(), answer=str(tmp_path / "a.json"), settings={}, requeues=1)()

    assert '"stopped"' in event
    assert (tmp_path / "a.json").is_file()


def test_a_stopped_run_may_be_chosen_again_and_one_that_ended_may_not(study: Study) -> None:
    states: list[Status] = ["done", "diverged", "failed", "stopped"]
    for status in states:
        study.save_run(Run(run_id=status, status=status))

    assert ended(study) == {"done", "diverged", "failed"}


def test_no_trunk_is_asked_for_by_branches_that_are_made(
    bench: Bench, study: Study, rung: Sequence[Planned]
) -> None:
    trunk, short, _ = rung
    Sweeping(study).make(trunk, short)

    assert left_of([trunk, short], study) == []
    assert [one.part for one in left_of(rung, study)] == [(21, 33), None]


def test_the_trunks_of_a_study_in_object_storage_are_gone_on_with(
    bench: Bench, rung: Sequence[Planned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path / "cache"))
    pytest.importorskip("upath", reason="object storage is read through universal_pathlib")
    sweeping, (trunk, short, long) = Sweeping(Study.create(f"memory:/{tmp_path}", "")), rung

    sweeping.make(trunk, short)
    sweeping.make(trunk, long)

    assert sweeping.steps() == (33 - 21) + 11
    assert [job.stop_after for job in bench.started] == [21, 0, 33, 0]


def test_an_estimate_counts_the_part_of_a_trunk_that_is_trained(rung: Sequence[Planned]) -> None:
    trunk, _, long = rung

    rows = estimate(Asked([replace(trunk, part=(21, 33)), long])).runs

    steps = rows["own_flops"] / rows["flops"] * [trunk.recipe.steps, long.recipe.steps]
    assert steps.tolist() == pytest.approx([33 - 21, 11])
