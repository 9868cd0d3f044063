"""The published procedure, measured on a part of its searches and scaled to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.parts import published
from benchmarks.parts.clock import cpu
from benchmarks.parts.page import progress
from benchmarks.parts.peers import NOTEBOOK, ask
from numpy.typing import NDArray

import allometry as al
from allometry.fitting.resampling import resamples

Array = NDArray[np.float64]

DRAWS = 4000
SEED = 0
COLUMNS = ("params", "tokens", "loss")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One way to run the published procedure.

    Attributes:
        fit_seconds, refit_seconds: CPU time of all 4,500 searches of the fit, and of all refits.
        fit_value: The lowest objective of the searches measured.
        refit_values: The objective on each resample measured.
    """

    name: str
    fit_seconds: float
    fit_value: float
    refit_seconds: float
    refit_values: Array


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is measured of it: some starts, of shape (starts, 5), and some resamples, (resamples, runs)."""

    runs: al.Runs
    starts: Array
    counts: Array

    @classmethod
    def of(cls, fitted: al.Fit, runs: al.Runs, starts: int, refits: int) -> Workload:
        """Starts at random from the grid, and the first resamples of `bootstrap` with the same seed."""
        grid = published.grid()
        chosen = np.random.default_rng(SEED).choice(len(grid), starts, replace=False)
        counts = resamples(fitted, refits, "row", None, "pairs", np.random.default_rng(SEED)).weights
        return cls(runs=runs, starts=grid[chosen], counts=counts)

    def data(self, counts: Array | None = None) -> published.Data:
        """The runs as the published procedure takes them."""
        params, tokens, loss = (self.runs.column(name) for name in COLUMNS)
        return published.Data.of(params, tokens, loss, counts)

    def scaled(self, name: str, fits: Mapping[str, float], refits: float, values: Array) -> Baseline:
        """Measured seconds as those of the whole procedure."""
        return Baseline(
            name=name,
            fit_seconds=fits["seconds"] * len(published.grid()) / len(self.starts),
            fit_value=fits["value"],
            refit_seconds=refits * DRAWS / len(self.counts),
            refit_values=values,
        )


def lean(work: Workload) -> Baseline:
    """With an objective that does only what it must: the faster one to beat."""
    progress(f"published procedure: {len(work.starts)} starts, {len(work.counts)} refits")
    fits = cpu(lambda: published.best_of(work.starts, work.data()))
    refits = cpu(lambda: [published.refit(work.data(held)).value for held in work.counts])
    measured = {"seconds": fits.seconds, "value": fits.result.value}
    return work.scaled("published, written leanly", measured, refits.seconds, np.array(refits.result))


def notebook(work: Workload, folder: Path | None) -> Baseline:
    """With the array library of the published notebook.

    Raises:
        NotRun: If there is no folder of peers, or the library cannot be installed.
    """
    progress(f"published notebook's way: {len(work.starts)} starts, {len(work.counts)} refits")
    question = {name: work.runs.column(name).tolist() for name in COLUMNS}
    held = [np.repeat(np.arange(len(row)), row.astype(np.int64)).tolist() for row in work.counts]
    answer = ask(NOTEBOOK, folder, {**question, "starts": work.starts.tolist(), "resamples": held})
    best = min(value for value in answer["starts"] if np.isfinite(value))
    measured = {"seconds": answer["starts_seconds"], "value": best}
    return work.scaled(
        "published, as its notebook", measured, answer["resamples_seconds"], np.array(answer["resamples"])
    )
