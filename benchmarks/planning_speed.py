"""How long a plan takes: 1,000 draws, a surface of 200 x 200 with bands, and the command from a cold start.

Use: python benchmarks/planning_speed.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

import resource
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np
import pandas as pd

import allometry as al
from allometry.planning.surfaces import Surface, loss_bands
from benchmarks.parts.clock import cpu, shown
from benchmarks.parts.page import Table, goal, options, publish

FLOPS, SERVED, STOCK, LOSS = 8.2e21, 5e12, 4e11, 2.1
SIDE = 200
GOALS = {"plan": 1.0, "surface": 2.0, "command": 1.5}  # seconds


def fitted() -> al.Fit:
    """Chinchilla's law on 36 noisy runs, with 4,000 draws."""
    rng = np.random.default_rng(0)
    sizes, tokens = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    loss = al.laws.chinchilla.evaluate({"params": sizes, "tokens": tokens}, al.laws.chinchilla.typical)
    noisy = loss * np.exp(0.003 * rng.standard_normal(len(sizes)))
    runs = al.Runs(pd.DataFrame({"params": sizes, "tokens": tokens, "loss": noisy}), source="a grid")
    return al.bootstrap(al.fit("chinchilla", runs), draws=4000)


def with_draws(fit: al.Fit, draws: int) -> al.Fit:
    """The same fit with fewer draws."""
    assert fit.draws is not None
    return replace(fit, draws=fit.draws.iloc[:draws])


def surface_seconds(fit: al.Fit, draws: int, side: int) -> float:
    """Losses of side x side sizes and tokens with the ends of their bands."""
    surface = Surface.of(with_draws(fit, draws))
    sizes, tokens = np.geomspace(1e8, 1e11, side), np.geomspace(1e9, 1e13, side)
    return cpu(lambda: loss_bands(surface, sizes, tokens), repeats=1).seconds


def plan_seconds(fit: al.Fit, draws: int, **asked: float) -> float:
    """One plan, after one to warm up."""
    drawn = with_draws(fit, draws)
    al.allocate(drawn, **asked)  # type: ignore[arg-type]
    return cpu(lambda: al.allocate(drawn, **asked), repeats=3).seconds  # type: ignore[arg-type]


def command_seconds(fit: al.Fit, repeats: int) -> float:
    """CPU time of `allometry plan` as a new process, the median."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "fit.json"
        with_draws(fit, 1000).save(saved)
        line = [sys.executable, "-m", "allometry.cli", "plan", str(saved), "--flops", str(FLOPS)]
        return median(
            _child_seconds(lambda: subprocess.run(line, check=True, capture_output=True))
            for _ in range(repeats)
        )


def _child_seconds(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table and the goals."""
    asked = options(__doc__).parse_args()
    fit = fitted()
    questions: dict[str, dict[str, float]] = {
        "a budget in FLOP": {"flops": FLOPS},
        "with serving": {"flops": FLOPS, "served_tokens": SERVED},
        "with serving and unique data": {"flops": FLOPS, "served_tokens": SERVED, "unique_tokens": STOCK},
        "a target loss": {"loss": LOSS},
        "a target loss with unique data": {"loss": LOSS, "unique_tokens": STOCK},
    }
    taken = {
        name: [plan_seconds(fit, draws, **one) for draws in (1000, 4000)] for name, one in questions.items()
    }
    surface = [surface_seconds(fit, draws, SIDE) for draws in (250, 1000)]
    command = command_seconds(fit, 5 if asked.full else 2)
    slowest = max(times[0] for times in taken.values())
    rows = [(name, shown(times[0]), f"{times[1] / times[0]:.1f}") for name, times in taken.items()]
    rows.append(
        (f"surface of {SIDE} x {SIDE} with bands", shown(surface[1]), f"{surface[1] / surface[0]:.1f}")
    )
    rows.append(("`allometry plan` from a cold start", shown(command), ""))
    table = Table(
        name="planning-speed",
        title="A plan with 1,000 draws",
        command="benchmarks/planning_speed.py --full",
        says="CPU time, medians. The last column is the time with four times the draws over that with the "
        "first number: 4 is linear, less is better.",
        header=("what", "1,000 draws", "x 4 draws"),
        rows=rows,
        notes=[
            goal(f"A plan in under {GOALS['plan']:g} s", slowest < GOALS["plan"], shown(slowest)),
            goal(
                f"A surface in under {GOALS['surface']:g} s", surface[1] < GOALS["surface"], shown(surface[1])
            ),
            goal(f"The command in under {GOALS['command']:g} s", command < GOALS["command"], shown(command)),
        ],
    )
    publish(table, markdown=asked.markdown)


if __name__ == "__main__":
    main()
