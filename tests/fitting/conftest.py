"""Made-up runs with a known law, and one fit with draws, made once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Fit, bootstrap, fit
from allometry.laws import chinchilla
from allometry.runs.run import Runs

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def make_ladder(noise: float = 0.0, seed: int = 0, sizes: int = 5, horizons: int = 4) -> Runs:
    """Sizes 2e6 to 3e7 parameters at 5 to 60 tokens per parameter."""
    params, ratio = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(2e6, 3e7, sizes), np.geomspace(5, 60, horizons))
    )
    table = pd.DataFrame({"params": params, "tokens": params * ratio})
    rng = np.random.default_rng(seed)
    loss = chinchilla.evaluate({"params": params, "tokens": params * ratio}, TRUTH)
    return Runs(table.assign(loss=loss * np.exp(noise * rng.standard_normal(len(params)))))


@pytest.fixture(scope="session")
def truth() -> dict[str, float]:
    return TRUTH


@pytest.fixture(scope="session")
def ladder() -> Callable[..., Runs]:
    return make_ladder


@pytest.fixture(scope="session")
def changed() -> Callable[..., Runs]:
    """The same runs with columns replaced or added."""
    return lambda runs, **columns: Runs(runs.table.assign(**columns))


@pytest.fixture(scope="session")
def drawn() -> Fit:
    return bootstrap(fit("chinchilla", make_ladder(noise=0.005)), draws=200)
