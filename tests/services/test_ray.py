"""A real Ray: a lost node, a cluster that is not there, and what it does not have."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.executors.ray import RayExecutor
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command

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
        died = until(executor, Died)
        (folder / "go").touch()
        cluster.add_node(num_cpus=1)
        executor.start(job)
        ended = until(executor, Ended)

    assert died.by_signal
    assert "lost" in died.reason
    assert ended.status == "done"
    assert (folder / "sittings").read_text().split() == ["on", "on"]


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
