"""kill -9 at random moments of workers, of the sweep and of all of it, on a real Ray: no bit differs."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomli_w

from allometry.recipe import Recipe, spelled_out
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder, Size
from allometry.sweeps.running import run_sweep

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: allometry[ray]"),
]

SCRIPT = """
import sys, tomllib
from allometry.recipe import read_choice
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.running import run_sweep

ladder = read_choice(Ladder, tomllib.loads(sys.argv[1]), "ladder")
run_sweep(ladder, Study.create(sys.argv[2], ""), executor=Ray(workers=2), checkpoint_seconds=0.1)
"""
KILLS = 20
PATIENCE = 300.0


@pytest.fixture(scope="module")
def ladder(tiny: Recipe) -> Ladder:
    sizes = (Size(width=16, layers=1, heads=1), Size(width=24, layers=2, heads=1))
    return Ladder(base=tiny, sizes=sizes, horizons=(601 * 64, 1403 * 64))


def start(ladder: Ladder, folder: Path) -> subprocess.Popen[bytes]:
    folder.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-c", SCRIPT, tomli_w.dumps(spelled_out(ladder)), str(folder)]
    with (folder.parent / "said").open("ab") as said:
        return subprocess.Popen(command, start_new_session=True, stderr=said)


@contextmanager
def running(ladder: Ladder, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(ladder, folder)
    try:
        yield process
    finally:
        end_all(process)


def descendants(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [each for child in map(int, listed) for each in (child, *descendants(child))]


def kill(numbers: list[int]) -> None:
    for number in numbers:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue


def kill_a_worker(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    """One of the processes in which Ray makes runs; the sweep goes on."""
    workers = [n for n in descendants(process.pid) if name(n).startswith("ray::run")]
    kill([draw.choice(workers)] if workers else [])


def kill_the_sweep(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    """The process that hands out the runs: Ray's own end with it."""
    process.kill()


def kill_everything(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    end_all(process)


def end_all(process: subprocess.Popen[bytes]) -> None:
    kill([*descendants(process.pid), process.pid] if process.poll() is None else [])
    process.wait(PATIENCE)


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def curves(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/history.jsonl")}


def lines(folder: Path) -> int:
    return sum(curve.count(b"\n") for curve in curves(folder).values())


def losses(study: Study) -> dict[str, float]:
    table = study.runs().table
    return dict(zip(table["run_id"], table["loss"], strict=True))


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "the sweep does not come on"
        time.sleep(0.01)


def test_twenty_kills_on_ray_leave_what_an_undisturbed_sweep_leaves(ladder: Ladder, tmp_path: Path) -> None:
    calm = Study.create(tmp_path / "calm", "")
    run_sweep(ladder, calm, workers=1)
    draw, number, killed = random.Random(7), 0, 0
    whole = lines(calm.folder)

    while killed < KILLS:
        folder = tmp_path / f"disturbed-{number}" / "study"
        with running(ladder, folder) as process:
            while killed < KILLS and process.poll() is None:
                moment = lines(folder) + draw.uniform(0, whole / 3)
                wait_for(lambda: lines(folder) >= moment or process.poll() is not None)  # noqa: B023
                how = draw.choice(
                    [kill_a_worker, kill_a_worker, kill_a_worker, kill_the_sweep, kill_everything]
                )
                if process.poll() is None:
                    how(process, draw)
                    killed += 1
                    wait_for(lambda: how is kill_a_worker or process.poll() is not None)  # noqa: B023
        number += process.returncode == 0

    for folder in tmp_path.glob("disturbed-*/study"):
        if set(Study.open(folder).runs().table["status"]) != {"done"} or lines(folder) < whole:
            assert start(ladder, folder).wait(PATIENCE) == 0, (folder.parent / "said").read_text()
        assert losses(Study.open(folder)) == losses(calm)
        assert curves(folder) == curves(calm.folder)
