"""How fast do time horizons double? Simulated runs of agents on tasks, with a known answer.

Use: python examples/08_time_horizon.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.trends.account import TrendAccount, horizon_account

DOUBLINGS_A_YEAR = 2.0
LOG_ODDS_A_DOUBLING = 0.6
FIRST_RELEASE, AGENTS = 2021.0, 8


def runs(seed: int = 0) -> al.Runs:
    """Forty families of three tasks, eight seconds to 34 hours; an agent every half year; four runs each."""
    rng = np.random.default_rng(seed)
    log2_minutes = rng.uniform(-3, 11, 120)
    agent, task, _ = (index.ravel() for index in np.indices((AGENTS, 120, 4)))
    released = FIRST_RELEASE + agent / 2
    odds = LOG_ODDS_A_DOUBLING * (DOUBLINGS_A_YEAR * (released - FIRST_RELEASE) - log2_minutes[task])
    table = pd.DataFrame({
        "agent": [f"agent {k}" for k in agent],
        "release_date": released,
        "task": task,
        "family": task // 3,
        "minutes": 2 ** log2_minutes[task],
        "score": (rng.random(len(agent)) < 1 / (1 + np.exp(-odds))) * 1.0,
    })  # fmt: skip
    return al.Runs(table, source="simulated runs")


def measure() -> TrendAccount:
    """Horizons with intervals, their trend, and what windows and forms say next."""
    return horizon_account(runs(), draws=200, at=("2026-01-01",), reaches=(10_000,))


def main(picture: str = "") -> None:
    """Print everything, and save the chart where asked."""
    found = measure()
    sys.stdout.write(f"{found.summary()}\nThe truth: {365.25 / DOUBLINGS_A_YEAR:.0f} days.\n")
    if picture and found.horizons is not None:
        plots.save_picture(plots.horizons_over_time(found.horizons, found.trend), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
