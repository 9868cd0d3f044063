"""A real Slurm: time limits, preemption, cancellation, a killed sweep, and jobs that are not sent twice.

Run by `tests/services/slurm.sh run pytest -m services`, which starts it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from allometry.errors import StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Ended, Event
from allometry.sweeps.executors.places import Slurm
from allometry.sweeps.executors.slurm.executor import SlurmExecutor
from allometry.sweeps.executors.slurm.queue import queue
from allometry.sweeps.progress import Board, Display
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("sbatch") is None, reason="needs Slurm: tests/services/slurm.sh run …"),
]

QUICK = Slurm(minutes=5, poll_seconds=0.5)
PATIENCE = 300.0
# Goes on from its own checkpoint after it was told to stop, as a good trainer does.
RESUMING = """
trap 'echo saved > $1/checkpoint; exit 1' TERM
echo started >> $1/sittings
if [ -e $1/checkpoint ]; then echo '{"loss": 3}'; exit 0; fi
while :; do sleep 0.1; done
"""


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    made = Study.create(tmp_path / "study", "")
    yield made
    mine = [queued.job for queued in queue().values()]
    if mine:
        subprocess.run(["scancel", *mine], check=False)


def trainer(study: Study, script: str) -> Command:
    path = study.folder / "train.sh"
    path.write_text(script)
    return Command(command=f"sh {path} {{folder}}", grace_seconds=5.0)


def job(recipe: Recipe, study: Study, script: str) -> Job:
    return Job(recipe=recipe, study=str(study.folder), design="grid", trainer=trainer(study, script))


def sittings(recipe: Recipe, study: Study) -> int:
    path = study.run_folder(recipe.run_id) / "sittings"
    return len(path.read_text().split()) if path.exists() else 0


def curve(study: Study, recipe: Recipe) -> bytes:
    return (study.run_folder(recipe.run_id) / "history.jsonl").read_bytes()


def until_ended(executor: SlurmExecutor) -> Event:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for event in executor.wait(0.5):
            if isinstance(event, Ended):
                return event
    raise AssertionError("nothing ended")


def until_started(executor: SlurmExecutor, recipe: Recipe, study: Study) -> None:
    deadline = time.monotonic() + PATIENCE
    while not sittings(recipe, study):
        assert time.monotonic() < deadline
        executor.wait(0.2)


def test_a_sweep_is_sent_as_one_array_and_its_results_arrive(tiny: Recipe, study: Study) -> None:
    recipes = [replace(tiny, seed=seed) for seed in range(4)]
    script = """if [ -e /nowhere ]; then exit; fi; echo '{"loss": 3}'"""

    runs = run_sweep(recipes, study, executor=QUICK, trainer=trainer(study, script))

    assert list(runs.table["status"]) == 4 * ["done"]
    assert len(list((study.folder / "slurm" / "arrays").iterdir())) == 1


def test_only_missing_cells_are_sent(tiny: Recipe, study: Study) -> None:
    good = trainer(study, """echo on >> $1/sittings; echo '{"loss": 3}'""")
    run_sweep([tiny], study, trainer=good, workers=1)  # on this machine

    run_sweep([tiny, replace(tiny, seed=1)], study, executor=QUICK, trainer=good)

    assert sittings(tiny, study) == sittings(replace(tiny, seed=1), study) == 1


def test_a_run_whose_time_is_up_saves_queues_again_and_is_taken_up(tiny: Recipe, study: Study) -> None:
    # Slurm looks once a minute: it warns 20 to 80 seconds after the start.
    limit = Slurm(minutes=3, warning_seconds=100, poll_seconds=0.5)

    runs = run_sweep([tiny], study, executor=limit, trainer=trainer(study, RESUMING))

    assert list(runs.table["status"]) == ["done"], list(runs.table["reason"])
    assert sittings(tiny, study) == 2
    assert len(list((study.folder / "slurm" / "arrays").iterdir())) == 1  # the same job, not another one


@dataclass
class Preempting(Display):
    """Has a run preempted once it is under way, and looks at what it leaves.

    Attributes:
        before: Lines of its curve when it was preempted; 0 before that.
        saved_at: Step of the checkpoint that it left.
        fewest: Lines of its curve since it was saved: none is made again.
    """

    run: Path
    before: int = 0
    saved_at: int = 0
    fewest: float = float("inf")

    def update(self, board: Board) -> None:
        lines = self._lines()
        if not self.before and lines > 5:
            self.before = lines
            urgent = ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"]
            subprocess.run(urgent, check=True, capture_output=True)
        for path in self.run.glob("checkpoints/step-*") if not self.saved_at else ():
            self.saved_at = int(path.name.removeprefix("step-"))
        if self.saved_at:
            self.fewest = min(self.fewest, self._lines())

    def _lines(self) -> int:
        curve = self.run / "history.jsonl"
        return curve.read_bytes().count(b"\n") if curve.exists() else 0


@pytest.fixture(scope="module")
def long(tiny: Recipe) -> Recipe:
    return replace(tiny, tokens=1000 * 64)


@pytest.fixture(scope="module")
def undisturbed(long: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same run, made on this machine without Slurm."""
    made = Study.create(tmp_path_factory.mktemp("undisturbed") / "study", "")
    run_sweep([long], made, workers=1)
    return made


@pytest.mark.parametrize(
    ("partition", "arrays"),
    [
        pytest.param("all", 1, id="queued again by Slurm at once"),
        pytest.param("graced", 1, id="given time before it must go"),
        pytest.param("dropped", 2, id="thrown out of the queue, and sent again"),
    ],
)
def test_a_preempted_run_saves_and_goes_on_to_the_bits_of_an_undisturbed_one(
    long: Recipe, study: Study, undisturbed: Study, partition: str, arrays: int
) -> None:
    preempting = Preempting(study.run_folder(long.run_id))
    place = replace(QUICK, partition=partition, requeues=1)

    made = run_sweep([long], study, executor=place, checkpoint_seconds=3600.0, display=preempting)

    assert list(made.table["status"]) == ["done"], list(made.table["reason"])
    assert 0 < preempting.saved_at < long.steps  # on the signal, as no checkpoint was due
    assert preempting.fewest >= preempting.before > 0
    assert list(made.table["loss"]) == list(undisturbed.runs().table["loss"])
    assert curve(study, long) == curve(undisturbed, long)
    assert len(list((study.folder / "slurm" / "arrays").iterdir())) == arrays


def test_a_run_that_is_cancelled_has_failed_in_a_sentence(tiny: Recipe, study: Study) -> None:
    with closing(SlurmExecutor.open(QUICK, study)) as executor:
        executor.start(job(tiny, study, RESUMING))
        until_started(executor, tiny, study)
        (queued,) = queue().values()
        subprocess.run(["scancel", queued.job], check=True)
        ended = until_ended(executor)

    assert isinstance(ended, Ended)
    assert (ended.status, ended.reason) == ("failed", f"its Slurm job {queued.job} was cancelled")


def test_a_run_on_a_lost_node_is_queued_again_by_slurm_and_waited_for(tiny: Recipe, study: Study) -> None:
    (node,) = subprocess.run(
        ["sinfo", "--noheader", "--Node", "--partition=all", "--format=%N"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    with closing(SlurmExecutor.open(QUICK, study)) as executor:
        executor.start(job(tiny, study, RESUMING))
        until_started(executor, tiny, study)
        subprocess.run(["scontrol", "update", f"node={node}", "state=down", "reason=lost"], check=True)
        (study.run_folder(tiny.run_id) / "checkpoint").touch()
        # It may have come back by itself, which is all the same here.
        subprocess.run(
            ["scontrol", "update", f"node={node}", "state=resume"], capture_output=True, check=False
        )
        ended = until_ended(executor)

    assert ended == Ended(run_id=tiny.run_id, status="done")
    assert sittings(tiny, study) == 2
    assert len(list((study.folder / "slurm" / "arrays").iterdir())) == 1


def test_a_run_that_is_in_the_queue_is_not_sent_again(tiny: Recipe, study: Study) -> None:
    first = SlurmExecutor.open(QUICK, study)  # its sweep is killed: nothing closes it
    first.start(job(tiny, study, RESUMING))
    until_started(first, tiny, study)

    with closing(SlurmExecutor.open(QUICK, study)) as second:
        second.start(job(tiny, study, RESUMING))
        second.wait(0.1)
        assert len(queue()) == 1
        (study.run_folder(tiny.run_id) / "checkpoint").write_text("")

    assert sittings(tiny, study) == 1
    assert len(list((study.folder / "slurm" / "arrays").iterdir())) == 1


def test_what_slurm_refuses_is_a_sentence(tiny: Recipe, study: Study) -> None:
    with pytest.raises(StudyError, match=r"Slurm refused the jobs: .*Invalid partition"):
        run_sweep(
            [tiny],
            study,
            executor=Slurm(partition="nonesuch", poll_seconds=0.2),
            trainer=trainer(study, "exit"),
        )
