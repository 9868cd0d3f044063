"""A finished study: ladder, fits, a registered forecast, the target run after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from allometry.fitting import Fit, bootstrap, fit
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
