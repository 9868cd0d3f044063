"""A real Ray: a lost node, a cluster that is not there, and what it does not have."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from allometry.recipe import Recipe, spelled_out
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.executors.ray import RayExecutor
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command
from allometry.sweeps.trainers.results import PythonResult

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
PATIENCE = 240.0


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", "")


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without cores and one node with one."""
    utils = pytest.importorskip("ray.cluster_utils")
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield made
    made.shutdown()


def trainer(study: Study, script: str) -> Command:
    path = study.folder / "train.sh"
    path.write_text(script)
    return Command(command=f"sh {path} {{folder}}")


def until(executor: RayExecutor, wanted: type[Event]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for event in executor.wait(0.5):
            if isinstance(event, wanted):
                return event
    raise AssertionError("nothing happened")


def test_a_run_on_a_lost_node_is_made_again_on_another(tiny: Recipe, study: Study, cluster: Any) -> None:
    node = cluster.add_node(num_cpus=1)
    script = (
        "echo on >> $1/sittings; [ -e $1/go ] && echo '{\"loss\": 3}' && exit; while :; do sleep 0.1; done"
    )
    job = Job(recipe=tiny, study=str(study.folder), design="grid", trainer=trainer(study, script))
    folder = study.run_folder(tiny.run_id)

    with closing(RayExecutor.open(Ray(address=cluster.address), study)) as executor:
        executor.start(job)
        deadline = time.monotonic() + PATIENCE
        while not (folder / "sittings").exists() and time.monotonic() < deadline:
            executor.wait(0.2)
        cluster.remove_node(node, allow_graceful=False)
        lost = until(executor, Ended)
        (folder / "go").touch()
        cluster.add_node(num_cpus=1)
        executor.start(job)
        ended = until(executor, Ended)

    assert lost.status == "stopped"  # which does not count against the run
    assert "its node was lost" in lost.reason
    assert ended.status == "done"
    assert (folder / "sittings").read_text().split() == ["on", "on"]


def reading(study: Study, body: str) -> Command:
    """A trainer whose result is read, in Ray's own worker, by a function of the user's that does harm."""
    path = study.folder / "mine.py"
    path.write_text(
        f"import os, pathlib, signal\ndef read(finished):\n    {body}\n    return {{'loss': 3.0}}\n"
    )
    return Command(command="true", result=PythonResult(function=f"{path}:read"))


def test_a_killed_worker_is_a_death_of_the_run(tiny: Recipe, study: Study, cluster: Any) -> None:
    cluster.add_node(num_cpus=1)
    deadly = reading(study, "os.kill(os.getpid(), signal.SIGKILL)")

    with closing(RayExecutor.open(Ray(address=cluster.address), study)) as executor:
        executor.start(Job(recipe=tiny, study=str(study.folder), design="grid", trainer=deadly))
        died = until(executor, Died)

    assert died.by_signal
    assert "its worker was lost (WorkerCrashedError" in died.reason


SWEEP = """
import json, sys
from dataclasses import replace
from allometry.errors import StudyError
from allometry.recipe import Recipe, spelled_out
from allometry.runs.study import Study
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import read_trainer

recipe = Recipe.from_toml(sys.argv[1])
trainer, study = read_trainer(json.loads(sys.argv[2])), Study.open(sys.argv[3])
try:
    run_sweep([recipe, replace(recipe, seed=1)], study, executor=Ray(workers=1), trainer=trainer)
except StudyError as error:
    sys.exit(str(error))
"""


def test_a_ray_whose_daemon_is_killed_ends_the_sweep_in_a_sentence_and_the_next_one_goes_on(
    tiny: Recipe, study: Study
) -> None:
    body = "if not os.path.exists('{0}'): pathlib.Path('{0}').touch(), os.kill(os.getppid(), signal.SIGKILL)"
    trainer = reading(study, body.format(study.folder / "killed"))
    told = [tiny.to_toml(), json.dumps(spelled_out(trainer)), str(study.folder)]

    def sweep() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SWEEP, *told]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    first, left = sweep(), study.runs().table
    second, made = sweep(), study.runs().table

    assert first.returncode == 1
    assert "has lost its daemon on this machine" in first.stderr
    assert "failed" not in set(left.get("status", []))
    assert second.returncode == 0, second.stderr
    assert list(made["status"]) == ["done", "done"]


def test_a_cluster_that_is_not_there_is_a_sentence(tiny: Recipe, study: Study) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom allometry.runs.study import Study\n"
        "from allometry.sweeps.executors.places import Ray\n"
        "from allometry.sweeps.executors.ray import RayExecutor\n"
        "from allometry.errors import StudyError\n"
        "try:\n    RayExecutor.open(Ray(address='127.0.0.1:9'), Study(Path(sys.argv[1])))\n"
        "except StudyError as error:\n    sys.exit(str(error))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(study.folder)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "There is no Ray cluster at '127.0.0.1:9'" in done.stderr


def test_more_cores_than_the_ray_started_here_has_is_a_failure_in_a_sentence(
    tiny: Recipe, study: Study
) -> None:
    place = Ray(workers=1, needs=(Needs(threads=64),))

    runs = run_sweep([tiny], study, executor=place, trainer=trainer(study, "exit"))

    assert runs.table["reason"].tolist() == [
        "it needs 64 cores and the Ray started here has 1; give more workers"
    ]
