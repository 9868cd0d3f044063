"""Simulated task runs with known horizons, slopes and trend."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.runs.run import Runs
from allometry.trends.horizon import Horizons, time_horizons

SLOPE = 0.6  # log-odds lost a doubling
DOUBLINGS_A_YEAR = 2.0
FIRST_YEAR = 2020.0


def simulated_runs(
    *, agents: int = 6, families: int = 20, tasks: int = 4, runs: int = 3, seed: int = 0
) -> Runs:
    """Tasks of 15 s to 17 h; agent k is released k / 2 years after 2020 with a horizon of 2^k minutes."""
    rng = np.random.default_rng(seed)
    log2_minutes = rng.uniform(-2, 10, families * tasks)
    grid = np.meshgrid(np.arange(agents), np.arange(families * tasks), np.arange(runs), indexing="ij")
    agent, task = grid[0].ravel(), grid[1].ravel()
    chance = 1 / (1 + np.exp(-SLOPE * (agent - log2_minutes[task])))
    table = pd.DataFrame({
        "agent": [f"agent {k}" for k in agent],
        "task": task,
        "family": task // tasks,
        "minutes": 2 ** log2_minutes[task],
        "score": (rng.random(len(agent)) < chance) * 1.0,
        "release_date": FIRST_YEAR + agent / DOUBLINGS_A_YEAR,
    })  # fmt: skip
    return Runs(table)


@pytest.fixture(scope="session")
def runs() -> Runs:
    return simulated_runs()


@pytest.fixture(scope="session")
def horizons(runs: Runs) -> Horizons:
    return time_horizons(runs, draws=150)
