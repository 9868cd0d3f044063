"""kill -9 at random moments of workers, of Ray, of the sweep and of all of it: no bit differs."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
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


def named(process: subprocess.Popen[bytes], beginning: str) -> list[int]:
    return [number for number in descendants(process.pid) if name(number).startswith(beginning)]


def kill_a_worker(process: subprocess.Popen[bytes], draw: random.Random) -> bool:
    """One of the processes in which Ray makes runs; the sweep goes on."""
    workers = named(process, "ray::run")
    kill([draw.choice(workers)] if workers else [])
    return bool(workers)


def kill_ray(process: subprocess.Popen[bytes], draw: random.Random) -> bool:
    """The daemon that starts the workers: the sweep ends in a sentence, or with what they still make."""
    daemons = named(process, "raylet")
    kill(daemons)
    return bool(daemons)


def kill_the_sweep(process: subprocess.Popen[bytes], draw: random.Random) -> bool:
    """The process that hands out the runs: Ray's own end with it."""
    process.kill()
    return True


def kill_everything(process: subprocess.Popen[bytes], draw: random.Random) -> bool:
    end_all(process)
    return True


def end_all(process: subprocess.Popen[bytes]) -> None:
    kill([*descendants(process.pid), process.pid] if process.poll() is None else [])
    process.wait(PATIENCE)


def name(pid: int) -> str:
    """What a process calls itself; of a program, its file's name."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0].rpartition("/")[2]
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


def disturb(process: subprocess.Popen[bytes], folder: Path, draw: random.Random, whole: int) -> str:
    """Wait for a random moment of a sweep and kill something of it; nothing where it ended before."""
    moment = lines(folder) + draw.uniform(0, whole / 3)
    wait_for(lambda: lines(folder) >= moment or process.poll() is not None)
    ways = [kill_a_worker, kill_a_worker, kill_a_worker, kill_ray, kill_the_sweep, kill_everything]
    how = draw.choice(ways)
    if process.poll() is not None or not how(process, draw):
        return ""
    wait_for(lambda: how is kill_a_worker or process.poll() is not None)
    return how.__name__


def test_twenty_kills_on_ray_leave_what_an_undisturbed_sweep_leaves(
    ladder: Ladder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm = Study.create(tmp_path / "calm", "")
    run_sweep(ladder, calm, workers=1)
    draw, number = random.Random(7), 0
    killed: Counter[str] = Counter()
    whole = lines(calm.folder)

    while killed.total() < KILLS:
        folder = tmp_path / f"disturbed-{number}" / "study"
        with running(ladder, folder) as process:
            while killed.total() < KILLS and process.poll() is None:
                killed.update(filter(None, [disturb(process, folder, draw, whole)]))
        number += process.returncode == 0

    for folder in tmp_path.glob("disturbed-*/study"):
        if set(Study.open(folder).runs().table["status"]) != {"done"} or lines(folder) < whole:
            assert start(ladder, folder).wait(PATIENCE) == 0, (folder.parent / "said").read_text()
        assert losses(Study.open(folder)) == losses(calm)
        assert curves(folder) == curves(calm.folder)
    with capsys.disabled():
        sys.stdout.write(f"\n{killed.total()} moments in {number + 1} sweeps on Ray: {dict(killed)}\n")
