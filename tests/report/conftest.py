"""A finished study: ladder, fits, a registered forecast, the target run after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Fit, bootstrap, fit
from allometry.fitting.comparison.laws import Comparison, compare
from allometry.fitting.comparison.recipes import Multiplier, multiplier
from allometry.fitting.frontier.approaches import Approaches, three_approaches
from allometry.forecasts.register import register
from allometry.laws import chinchilla
from allometry.runs.run import Run, Runs
from allometry.runs.study import Study

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
SPEC = 'name = "{name}"\nplan_factor = 10\n[[fits]]\nlaw = "chinchilla"\n[target]\ntokens = 300000000\n'


def made_run(run_id: str, params: float, tokens: float, design: str = "ladder", noise: float = 0.0) -> Run:
    """One finished run on the known law."""
    loss = float(chinchilla.evaluate({"params": params, "tokens": tokens}, TRUTH)) * float(np.exp(noise))
    values = {
        "design": design, "params": params, "tokens": tokens, "flops": 6 * params * tokens, "loss": loss,
        "bits_per_byte": loss / 1.8, "learning_rate": 0.01, "seconds": 12.0, "decayed": True,
        "params_convention": "matmul", "flops_convention": "6ND", "data_hash": "d4ta",
        "torch_version": "2.13.0",
        "started": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
    }  # fmt: skip
    return Run(run_id=run_id, status="done", values=values)


def ladder_runs() -> list[Run]:
    rng = np.random.default_rng(1)
    points = [(n, d) for n in np.geomspace(1e6, 1e7, 4) for d in np.geomspace(1e7, 3e8, 4)]
    noise = 0.004 * rng.standard_normal(len(points))
    return [made_run(f"r{k:02d}", n, d, noise=noise[k]) for k, (n, d) in enumerate(points)]


@pytest.fixture(scope="session")
def drawn() -> Fit:
    return bootstrap(fit("chinchilla", Runs.of(ladder_runs())), draws=100)


@pytest.fixture(scope="session")
def other_law() -> Fit:
    return bootstrap(fit("kaplan", Runs.of(ladder_runs())), draws=50)


def iso_flop_runs() -> Runs:
    """Four budgets with seven sizes each, around the best one of the known law."""
    table = [
        (c, n) for c in np.geomspace(1e15, 1e18, 4) for n in 1e6 * (c / 1e15) ** 0.5 * np.geomspace(0.2, 5, 7)
    ]
    flops, params = np.array(table).T
    tokens = flops / 6 / params
    noise = 0.002 * np.random.default_rng(2).standard_normal(len(params))
    loss = chinchilla.evaluate({"params": params, "tokens": tokens}, TRUTH) * np.exp(noise)
    return Runs(pd.DataFrame({"params": params, "tokens": tokens, "flops": flops, "loss": loss}))


@pytest.fixture(scope="session")
def approaches() -> Approaches:
    return three_approaches(iso_flop_runs(), draws=40)


@pytest.fixture(scope="session")
def compared() -> Comparison:
    laws = ["chinchilla", "power_law_with_floor"]
    return compare(laws, Runs.of(ladder_runs()), steps=1, draws=30)


@pytest.fixture(scope="session")
def recipes() -> Multiplier:
    flops, new = np.tile(np.geomspace(1e18, 1e20, 8), 2), np.repeat([False, True], 8)
    loss = 1.7 + 60 * (flops * np.where(new, 1.3, 1.0)) ** -0.1
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(16))
    table = pd.DataFrame({"flops": flops, "recipe": np.where(new, "new", "old"), "loss": loss})
    return multiplier(
        Runs(table), by="recipe", law="power_law_with_floor", draws=50, hold={"E": 1.7}, reference="old"
    )


@pytest.fixture
def make_study(tmp_path: Path, drawn: Fit) -> Callable[..., Study]:
    """Makes a study: `stage` is "runs", "fitted", "stated" or "scored"."""

    def make(stage: str = "scored", name: str = "demo") -> Study:
        study = Study.create(tmp_path / "study", SPEC.format(name=name))
        for run in ladder_runs():
            study.save_run(run)
        if stage != "runs":
            drawn.save(study.folder / "fits" / "chinchilla.json")
        if stage in ("stated", "scored"):
            forecast = drawn.predict(params=3e7, tokens=3e8)
            register(forecast, study, target="t1", assumptions="same data & same recipe")
        if stage == "scored":
            study.save_run(made_run("t1", 3e7, 3e8, design="target", noise=0.003))
        return study

    return make
