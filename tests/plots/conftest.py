"""A small ladder with a known law, its fit, and the same with one input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Fit, bootstrap, fit
from allometry.laws import chinchilla
from allometry.runs.run import Runs

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def make_runs() -> Runs:
    """Four sizes at four horizons, a larger target, three learning-rate checks a size, two lost runs."""
    sizes, horizons = np.geomspace(1e6, 1e7, 4), np.geomspace(1e7, 3e8, 4)
    rng = np.random.default_rng(0)
    rows = [
        {"design": "ladder", "params": n, "tokens": d, "learning_rate": 0.01} for n in sizes for d in horizons
    ]
    rows.append({"design": "target", "params": 3e7, "tokens": 3e8, "learning_rate": 0.005})
    rows += [
        {"design": "learning_rate_check", "params": n, "tokens": 5e6, "learning_rate": rate}
        for n in sizes
        for rate in (0.005, 0.01, 0.02)
    ]
    table = pd.DataFrame(rows).assign(status="done", reason="", parent="")
    inputs = {"params": table["params"].to_numpy(), "tokens": table["tokens"].to_numpy()}
    bowl = 0.5 * np.log(table["learning_rate"] / 0.01) ** 2
    table["loss"] = (
        chinchilla.evaluate(inputs, TRUTH) * np.exp(0.004 * rng.standard_normal(len(table))) + bowl
    )
    table["bits_per_byte"] = table["loss"] / np.log(2) / 2.6
    lost = pd.DataFrame({
        "design": "ladder", "params": [1e7, 1e7], "tokens": [1e8, 3e8], "learning_rate": 0.5, "loss": np.nan,
        "status": ["diverged", "failed"], "reason": ["the loss was not finite", "<script>alert(1)</script>"],
        "parent": "",
    })  # fmt: skip
    table = pd.concat([table, lost], ignore_index=True)
    table["flops"] = 6 * table["params"] * table["tokens"]
    return Runs(table.assign(run_id=[f"r{n:02d}" for n in range(len(table))], flops_convention="6ND"))


@pytest.fixture(scope="session")
def runs() -> Runs:
    return make_runs()


@pytest.fixture(scope="session")
def ladder(runs: Runs) -> Runs:
    return runs.where("design = 'ladder' AND status = 'done'", because="only the ladder is fitted")


@pytest.fixture(scope="session")
def drawn(ladder: Runs) -> Fit:
    return bootstrap(fit("chinchilla", ladder), draws=100)


@pytest.fixture(scope="session")
def one_input(ladder: Runs) -> Fit:
    """A law of one input, on runs where tokens grow with size."""
    chain = ladder.where("tokens > 2e8")
    return bootstrap(fit("power_law_with_floor", chain, inputs={"x": "flops"}, hold={"E": 1.8}), draws=50)


@pytest.fixture(scope="session")
def kaplan(ladder: Runs) -> Fit:
    return bootstrap(fit("kaplan", ladder), draws=50)
