"""kill -9 at any moment, of a worker or of the sweep: a rerun completes, repeats nothing, no bit differs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from allometry.recipe import Recipe, spelled_out
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder, Size
from allometry.sweeps.running import run_sweep

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc")

# What a user's script may look like: no guard of __main__, no cleaning up.
SCRIPT = """
import sys, tomllib
from allometry.recipe import read_choice
from allometry.runs.study import Study
from allometry.sweeps.designs import Ladder
from allometry.sweeps.running import run_sweep

ladder = read_choice(Ladder, tomllib.loads(sys.argv[1]), "ladder")
run_sweep(ladder, Study.create(sys.argv[2], sys.argv[1]), workers=2, checkpoint_seconds=0.1)
"""
PATIENCE = 300.0  # seconds until a sweep counts as hanging


@dataclass(frozen=True)
class Sweep:
    """A sweep in a process group of its own."""

    ladder: Ladder
    folder: Path

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, tomli_w.dumps(spelled_out(self.ladder)), str(self.folder)]
        return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Started, and over in any case afterwards."""
        process = self.start()
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate(timeout=PATIENCE)

    def complete(self) -> None:
        process = self.start()
        _, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said) == (0, "")


@dataclass(frozen=True)
class Undisturbed:
    """What a sweep that nobody disturbs leaves."""

    curves: dict[str, bytes]
    losses: dict[str, float]

    @property
    def lines(self) -> int:
        return sum(curve.count(b"\n") for curve in self.curves.values())


@dataclass(frozen=True)
class Pace:
    """The seconds that a sweep takes to the first step and from there."""

    startup: float
    training: float


def curves(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/history.jsonl")}


def losses(folder: Path) -> dict[str, float]:
    table = Study.open(folder).runs().table
    assert set(table["status"]) == {"done"}, table[["run_id", "status", "reason"]].to_string()
    return dict(zip(table["run_id"], table["loss"], strict=True))


def assert_as_undisturbed(folder: Path, undisturbed: Undisturbed) -> None:
    assert losses(folder) == undisturbed.losses  # first, as it names the runs that are not done and why
    assert curves(folder) == undisturbed.curves


def finished(folder: Path) -> dict[Path, int]:
    """Files of the runs that are done, and when they were written."""
    done = [path for path in folder.glob("runs/*/run.json") if '"status": "done"' in path.read_text()]
    return {p: p.stat().st_mtime_ns for path in done for p in (path, path.with_name("history.jsonl"))}


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def kill_a_worker(process: subprocess.Popen[str], draw: random.Random) -> None:
    if workers := children(process.pid):
        os.kill(draw.choice(workers), signal.SIGKILL)


def kill_the_sweep(process: subprocess.Popen[str], draw: random.Random) -> None:
    """The process that hands out the runs; its workers notice by themselves."""
    process.kill()
    process.communicate(timeout=PATIENCE)


def kill_everything(process: subprocess.Popen[str], draw: random.Random) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


def press_ctrl_c(process: subprocess.Popen[str], draw: random.Random) -> None:
    """What a terminal sends to the whole group: the sweep asks its workers to save and waits for them."""
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, -signal.SIGINT, 1), said
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


Kill = Callable[[subprocess.Popen[str], random.Random], None]


def disturb(sweep: Sweep, kill: Kill, wait: Callable[[], None], draw: random.Random) -> dict[Path, int]:
    """Start the sweep, wait and kill; what was finished by then."""
    with sweep.running() as process:
        wait()
        before = finished(sweep.folder)
        kill(process, draw)
        if process.returncode is None:
            _, said = process.communicate(timeout=PATIENCE)
            assert (process.wait(), said) == (0, "")
    return before


def wait_for_lines(folder: Path, count: float) -> None:
    """Until the curves of a study have so many lines."""
    deadline = time.monotonic() + PATIENCE
    while sum(curve.count(b"\n") for curve in curves(folder).values()) < count:
        assert time.monotonic() < deadline, "the sweep does not come on"
        time.sleep(0.01)


def assert_untouched(files: dict[Path, int]) -> None:
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.fixture(scope="module")
def ladder(tiny: Recipe) -> Ladder:
    sizes = (Size(width=16, layers=1, heads=1), Size(width=24, layers=2, heads=1))
    horizons = (81 * 64, 203 * 64)
    return Ladder(base=tiny, sizes=sizes, horizons=horizons, check_tokens=33 * 64, check_factors=(1.0,))


@pytest.fixture(scope="module")
def undisturbed(
    ladder: Ladder,
    in_turn: Callable[[], AbstractContextManager[object]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Undisturbed:
    """Made in this process, so that the others are held to bits that no worker had a part in."""
    study = Study.create(tmp_path_factory.mktemp("undisturbed") / "study", "")
    with in_turn():
        run_sweep(ladder, study)
    assert len(curves(study.folder)) == 8
    return Undisturbed(curves=curves(study.folder), losses=losses(study.folder))


@pytest.fixture(scope="module")
def pace(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Pace:
    sweep = Sweep(ladder, tmp_path_factory.mktemp("pace") / "study")
    begun = time.monotonic()
    process = sweep.start()
    while not curves(sweep.folder) and process.poll() is None:
        time.sleep(0.02)
    training = time.monotonic()
    assert process.wait(PATIENCE) == 0
    ended = time.monotonic()
    process.communicate()
    return Pace(startup=training - begun, training=ended - training)


def test_a_sweep_killed_again_and_again_comes_out_the_same(
    ladder: Ladder,
    undisturbed: Undisturbed,
    in_turn: Callable[[], AbstractContextManager[Any]],
    tmp_path: Path,
) -> None:
    draw = random.Random(20)
    sweep = Sweep(ladder, tmp_path / "study")

    for third, kill in enumerate((kill_everything, kill_the_sweep, kill_a_worker)):
        lines = undisturbed.lines * draw.uniform(third, third + 0.9) / 3
        assert_untouched(disturb(sweep, kill, partial(wait_for_lines, sweep.folder, lines), draw))
    assert_as_undisturbed(sweep.folder, undisturbed)
    done = finished(sweep.folder)
    with in_turn() as bench:
        run_sweep(ladder, Study.open(sweep.folder))

    assert not bench.started
    assert_untouched(done)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [press_ctrl_c, kill_a_worker, kill_the_sweep, kill_everything])
@pytest.mark.parametrize("draw", [random.Random(seed) for seed in range(10)], ids=range(10))
def test_ten_random_moments(
    ladder: Ladder, undisturbed: Undisturbed, pace: Pace, tmp_path: Path, kill: Kill, draw: random.Random
) -> None:
    sweep = Sweep(ladder, tmp_path / "study")

    moment = draw.uniform(0.0, pace.startup + pace.training)
    before = disturb(sweep, kill, partial(time.sleep, moment), draw)
    sweep.complete()

    assert_untouched(before)
    assert_as_undisturbed(sweep.folder, undisturbed)
