"""A hundred times kill -9 while two sweeps share a study: it ends as one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from allometry.recipe import Recipe
from allometry.runs.study import Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc"),
]

KILLS = 100
RUNS = 12
# Goes on from the last line of its own log, as a trainer with checkpoints does.
TRAINER = """
import json, pathlib, sys, time
folder, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2])
log = folder / "steps.jsonl"
text = log.read_text() if log.exists() else ""
lines = [line for line in text.splitlines(keepends=True) if line.endswith("\\n")]
log.write_text("".join(lines))
loss = json.loads(lines[-1])["loss"] if lines else 10.0 + seed
for step in range(len(lines) + 1, 21):
    time.sleep(0.02)
    loss = 0.9 * loss + 0.1 / step
    with log.open("a") as file:
        file.write(json.dumps({"step": step, "loss": loss}) + "\\n")
print(json.dumps({"loss": loss}))
"""
SWEEP = """
import sys
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.designs import Grid
from allometry.sweeps.executors.places import Local
from allometry.sweeps.running import run_sweep
from allometry.sweeps.trainers import Command

base = Recipe.from_toml(open(sys.argv[2]).read())
trainer = Command(command=f"{sys.executable} -I -S {sys.argv[3]} {{folder}} {{seed}}")
grid = Grid(base=base, vary={"seed": list(range(int(sys.argv[4])))})
run_sweep(grid, Study.create(sys.argv[1], ""), executor=Local(workers=2), trainer=trainer)
"""
PATIENCE = 300.0


@dataclass(frozen=True)
class Sweeping:
    """Two sweeps of one study, at once, again and again."""

    folder: Path
    recipe: Path
    trainer: Path

    def start(self) -> subprocess.Popen[bytes]:
        words = [self.folder, self.recipe, self.trainer, RUNS]
        return subprocess.Popen([sys.executable, "-c", SWEEP, *map(str, words)], start_new_session=True)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def kill_one(sweeps: list[subprocess.Popen[bytes]], draw: random.Random) -> bool:
    """A worker or a sweep; whether there was any."""
    going = [sweep for sweep in sweeps if sweep.poll() is None]
    if not going:
        return False
    chosen = draw.choice(going)
    target = draw.choice([chosen.pid, *children(chosen.pid)])
    try:
        os.kill(target, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def finished(folder: Path) -> dict[str, int]:
    done = [path for path in folder.glob("runs/*/run.json") if '"status": "done"' in path.read_text()]
    return {path.parent.name: path.stat().st_mtime_ns for path in done}


def disturb(sweeping: Sweeping, draw: random.Random, kills: int) -> int:
    """Make a study with so many kills at most; how many there were."""
    made = 0
    known: dict[str, int] = {}
    while len(finished(sweeping.folder)) < RUNS:
        sweeps = [sweeping.start(), sweeping.start()]
        deadline = time.monotonic() + PATIENCE
        while any(sweep.poll() is None for sweep in sweeps):
            assert time.monotonic() < deadline, "the sweeps hang"
            time.sleep(draw.uniform(0.1, 1.5))
            made += made < kills and kill_one(sweeps, draw)
            now = finished(sweeping.folder)
            assert known.items() <= now.items(), "a finished run was made again"
            known = now
    return made


def left(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/steps.jsonl")}


def losses(folder: Path) -> dict[str, float]:
    table = Study.open(folder).runs().table
    assert set(table["status"]) == {"done"}, table[["run_id", "status", "reason"]].to_string()
    return dict(zip(table["run_id"], table["loss"], strict=True))


def test_a_hundred_kills_lose_and_change_nothing(tiny: Recipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(tiny.to_toml())
    (tmp_path / "train.py").write_text(TRAINER)
    draw = random.Random(7)

    def sweeping(name: str) -> Sweeping:
        return Sweeping(tmp_path / name, tmp_path / "recipe.toml", tmp_path / "train.py")

    assert disturb(sweeping("undisturbed"), draw, kills=0) == 0
    kills = round_number = 0
    while kills < KILLS:
        round_number += 1
        disturbed = sweeping(f"disturbed-{round_number}")
        kills += disturb(disturbed, draw, kills=KILLS - kills)

        assert losses(disturbed.folder) == losses(tmp_path / "undisturbed")
        assert left(disturbed.folder) == left(tmp_path / "undisturbed")
