"""What others would forecast: each learns from some runs and says what larger ones will measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.parts import published
from benchmarks.parts.peers import CHINCHILLA, SIMPLE, NotRun, ask
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t

import allometry as al

Array = NDArray[np.float64]

SEED = 0
LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Forecasts of held-out runs, each of shape (runs,); low and high are NaN where there is no interval."""

    median: Array
    low: Array
    high: Array

    @classmethod
    def point(cls, median: Array) -> Expected:
        """Without an interval."""
        none = np.full_like(median, np.nan)
        return cls(median=median, low=none, high=none)


Rival = Callable[[al.Runs, al.Runs], Expected]


def published_procedure(starts: int) -> Rival:
    """Chinchilla's law by the published procedure from some of its starts."""

    def forecast(learnt: al.Runs, held: al.Runs) -> Expected:
        grid = published.grid()
        chosen = grid[np.random.default_rng(SEED).choice(len(grid), starts, replace=False)]
        columns = (learnt.column(name) for name in ("params", "tokens", "loss"))
        found = published.best_of(chosen, published.Data.of(*columns))
        return Expected.point(_chinchilla(held, found.coefficients))

    return forecast


def least_squares(learnt: al.Runs, held: al.Runs) -> Expected:
    """Chinchilla's law by SciPy's curve_fit from Hoffmann's coefficients, its covariance for the interval."""
    start = [*np.exp(published.HOFFMANN[:3]), *published.HOFFMANN[3:]]

    def law(inputs: Array, *c: float) -> Array:
        return np.asarray(c[2] + c[0] / inputs[0] ** c[3] + c[1] / inputs[1] ** c[4])

    at, loss = _inputs(learnt), learnt.column("loss")
    try:
        found, covariance = curve_fit(law, at, loss, p0=start, maxfev=20_000)
    except RuntimeError as reason:
        raise NotRun(f"no fit: {reason}") from reason
    freedom = len(loss) - len(found)
    noise = np.sum((law(at, *found) - loss) ** 2) / freedom
    median, slopes = law(_inputs(held), *found), _slopes(_inputs(held), found)
    spread = np.sqrt(np.einsum("np,pq,nq->n", slopes, covariance, slopes) + noise)
    reach = t.ppf((1 + LEVEL) / 2, freedom) * spread
    return Expected(median=median, low=median - reach, high=median + reach)


def chinchilla_package(peers: Path | None, levels: int) -> Rival:
    """The package `chinchilla` with its defaults."""

    def forecast(learnt: al.Runs, held: al.Runs) -> Expected:
        answer = ask(CHINCHILLA, peers, {**_columns(learnt), "levels": levels})
        return Expected.point(_chinchilla(held, answer["coefficients"]))

    return forecast


def simple_scaling_laws(peers: Path | None) -> Rival:
    """The package `simple-scaling-laws` with its defaults; it takes the rows of a run as its evaluations."""

    def forecast(learnt: al.Runs, held: al.Runs) -> Expected:
        rows = [f"run {row}" for row in range(len(learnt))]
        at = {f"at_{name}": held.column(name).tolist() for name in ("params", "tokens")}
        answer = ask(SIMPLE, peers, {**_columns(learnt), "run_id": rows, **at, "level": LEVEL})
        median, low, high = np.array(answer["forecasts"], dtype=np.float64).T
        return Expected(median=median, low=low, high=high)

    return forecast


def _columns(runs: al.Runs) -> dict[str, list[float]]:
    return {name: runs.column(name).tolist() for name in ("params", "tokens", "loss")}


def _inputs(runs: al.Runs) -> Array:
    return np.stack([runs.column("params"), runs.column("tokens")])


def _chinchilla(runs: al.Runs, coefficients: dict[str, float]) -> Array:
    inputs = {name: runs.column(name) for name in ("params", "tokens")}
    return al.laws.chinchilla.evaluate(inputs, coefficients)


def _slopes(inputs: Array, c: Array) -> Array:
    """First derivatives by A, B, E, alpha, beta; of shape (runs, 5)."""
    size, data = inputs[0] ** -c[3], inputs[1] ** -c[4]
    by_exponent = (-c[0] * size * np.log(inputs[0]), -c[1] * data * np.log(inputs[1]))
    return np.stack([size, data, np.ones_like(size), *by_exponent], axis=1)
