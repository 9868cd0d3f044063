"""What status, query, fit and report of a study take as it grows: CPU time and memory, each a new process.

Runs are simulated: Chinchilla's law with noise, 1,000 logged points each, written as files and compacted.

Use: python benchmarks/study_scale.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import json
import os
import tempfile
import time
from dataclasses import dataclass

import numpy as np

import allometry as al
from benchmarks.parts.clock import shown
from benchmarks.parts.page import Table, goal, options, publish

POINTS = 1000
GOALS = {"status": 1.0, "query": 2.0, "fit": 10.0, "report": 10.0}  # seconds, at 10,000 runs
MOST_MEMORY = 1e9  # bytes
JUDGED = 10_000
_SPEC = """name = "large"
[design]
kind = "given"
[[fits]]
law = "chinchilla"
draws = 100
"""
_QUERY = "SELECT design, count(*), min(h.loss) FROM history h JOIN runs USING (run_id) GROUP BY design"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """CPU seconds and peak memory (bytes) of one command."""

    seconds: float
    memory: float


def simulate(folder: Path, runs: int) -> al.Study:
    """A study of so many finished runs, written as a sweep writes it, an hour old."""
    rng = np.random.default_rng(0)
    study = al.Study.create(folder, _SPEC)
    side = max(2, round(runs**0.5))
    law, hour_ago = al.laws.chinchilla, time.time() - 3600
    steps = np.arange(1, POINTS + 1)
    for number in range(runs):
        params = 10 ** (7 + 3 * (number % side) / side)
        tokens = 10 ** (9 + 3 * (number // side) / side)
        loss = float(law.evaluate({"params": params, "tokens": tokens}, law.typical))
        loss *= float(np.exp(0.003 * rng.standard_normal()))
        values = {"params": params, "tokens": tokens, "flops": 6 * params * tokens, "loss": loss}
        _write(study, f"{number:012x}", values, loss + 3 / steps, hour_ago)
    return study


def _write(study: al.Study, run_id: str, values: dict[str, float], curve: np.ndarray, at: float) -> None:
    folder = study.run_folder(run_id)
    folder.mkdir(parents=True)
    run = al.Run(
        run_id=run_id,
        status="done",
        values={"design": "given", "learning_rate": 0.01, "decayed": True, **values},
    )
    each = values["tokens"] / POINTS
    lines = [
        f'{{"step": {n}, "tokens": {n * each:.0f}, "loss": {x:.5f}}}' for n, x in enumerate(curve, start=1)
    ]
    # Not saved durably, as a trainer would: the benchmark is about reading.
    for name, text in (("run.json", json.dumps(run.row())), ("history.jsonl", "\n".join(lines) + "\n")):
        (folder / name).write_text(text)
        os.utime(folder / name, (at, at))


def command(*words: str) -> Taken:
    """CPU time and peak memory of one allometry command."""
    with tempfile.TemporaryFile() as said:
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "allometry.cli", *words],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)],
        )
        _, code, used = os.wait4(child, 0)
        said.seek(0)
        if code:
            raise RuntimeError(f"allometry {' '.join(words)} failed: {said.read().decode()[-500:]}")
    return Taken(seconds=used.ru_utime + used.ru_stime, memory=1024.0 * used.ru_maxrss)


def measure(runs: int) -> dict[str, Taken]:
    """Every command on a study of so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(simulate(Path(folder) / "study", runs).folder)
        return {
            "compact": command("compact", place),
            "status": command("status", place, "--json"),
            "query": command("query", place, _QUERY),
            "fit": command("fit", place),
            "report": command("report", place),
        }


def main() -> None:
    """Print the table and the goals."""
    asked = options(__doc__).parse_args()
    sizes = (100, 1000, 10_000, 100_000) if asked.full else (100, 1000, 10_000)
    start = command("--version").seconds
    taken = {runs: measure(runs) for runs in sizes}
    table = Table(
        name="study-scale",
        title="A study of many runs",
        command="benchmarks/study_scale.py --full",
        says=f"CPU time of each command as a new process, and the most memory any but `compact` took; "
        f"{POINTS:,} logged points a run. Starting Python and importing takes {shown(start)} of each. The "
        f"study was compacted first; the fit is bootstrapped with 100 resamples.",
        header=("runs", "compact", "status", "query", "fit", "report", "memory"),
        rows=[_row(runs, found) for runs, found in taken.items()],
        notes=_notes(taken.get(JUDGED, taken[sizes[-1]]), start),
    )
    publish(table, markdown=asked.markdown)


def _row(runs: int, found: dict[str, Taken]) -> tuple[str, ...]:
    most = max(one.memory for name, one in found.items() if name != "compact")
    times = [shown(one.seconds) for one in found.values()]
    return (f"{runs:,}", *times, f"{most / 1e6:.0f} MB")


def _notes(found: dict[str, Taken], start: float) -> list[str]:
    status, query = (found[name].seconds - start for name in ("status", "query"))
    both = found["fit"].seconds + found["report"].seconds
    most = max(one.memory for name, one in found.items() if name != "compact")
    return [
        goal(
            f"status in under {GOALS['status']:g} s beyond the start", status < GOALS["status"], shown(status)
        ),
        goal(f"query in under {GOALS['query']:g} s beyond the start", query < GOALS["query"], shown(query)),
        goal(f"fit and report in under {GOALS['report']:g} s", both < GOALS["report"], shown(both)),
        goal("less than 1 GB of memory", most < MOST_MEMORY, f"{most / 1e6:.0f} MB"),
    ]


if __name__ == "__main__":
    main()
