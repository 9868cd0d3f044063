"""Studies of a known truth by three designs: an IsoFLOP grid, a ladder, and runs chosen in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import allometry as al
from allometry.laws import LAWS, Coefficient, Law, law
from allometry.laws.coefficients import exponent, floor, scale
from allometry.sweeps.designs.informative import (
    Candidates,
    ForecastOf,
    belief_from_fit,
    belief_from_law,
    informative,
)
from allometry.sweeps.until import Until

Array = NDArray[np.float64]

LARGEST = 1e20  # FLOP of the largest run that may be made
DECADES = 2.0  # of compute that grid and ladder span
RATIO = 20.0  # tokens per parameter of the target
SPREAD = 8.0  # the grid's sizes reach to this factor from the ratio
MULTIPLES = (0.5, 1.0, 2.0, 4.0)  # the ladder's horizons, of the ratio
DECAY = 0.25  # share of a run after it left its trunk
EPOCHS = (1.0, 4.0, 16.0)  # of a law that reads unique tokens
SEEDS = 6  # extra seeds of the cheapest run, to measure the noise
WITHIN = 0.99  # of the width is planned for, as `sweep_until` does
MOST_ROUNDS = 60


@law(
    reads=("params", "tokens"),
    source="Hoffmann et al. 2022, eq. 2, with the break of Caballero et al. 2023, eq. 1, in tokens",
    coefficients=(
        floor("irreducible loss", typical=1.8),
        scale("A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=480.0),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=600.0),
        exponent("alpha", "how fast size pays", typical=0.35),
        exponent("beta", "how fast data pays before the break", typical=0.3),
        Coefficient(
            name="turn", meaning="how much faster after it", unit="1", low=0.02, high=0.5, typical=0.1
        ),
        Coefficient(name="place", meaning="where", unit="token", low=0.5, high=2.0, of="tokens", typical=3e9),
    ),
)
def broken(N: Any, D: Any, *, E: Any, A: Any, B: Any, alpha: Any, beta: Any, turn: Any, place: Any) -> Any:
    """Data pays faster beyond a place, over about a factor of e^0.5 each way."""
    return E + A / N**alpha + B / D**beta * (1 + (D / place) ** 2) ** (-turn / 2)


TRUTHS: Mapping[str, Law] = {
    "Besiroglu": LAWS["chinchilla"],
    "Muennighoff": LAWS["data_constrained"],
    "broken": broken,
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a study is about."""

    truth: str
    beyond: float
    noise: float
    draws: int
    level: float

    @property
    def law(self) -> Law:
        """The truth, whose typical coefficients are the true ones, and the law that is fitted."""
        return TRUTHS[self.truth]

    @property
    def target(self) -> dict[str, float]:
        """The run that is forecast; on four epochs where that matters."""
        params = (LARGEST * self.beyond / 6 / RATIO) ** 0.5
        at = {"params": params, "tokens": RATIO * params, "unique_tokens": RATIO * params / 4}
        return {name: at[name] for name in self.law.reads}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """What came of a study.

    Attributes:
        width: Of the forecast's interval, as a share of the forecast.
        holds: Whether the interval held the outcome.
    """

    flops: float
    runs: int
    width: float
    holds: bool


def iso_flop_grid(setting: Setting, seed: int) -> Interval:
    """Five budgets at half decades, seven sizes each, every run trained straight."""
    budgets = LARGEST / 10 ** np.arange(0, DECADES + 0.1, 0.5)
    ratios = RATIO * np.geomspace(1 / SPREAD, SPREAD, 7)
    budget, ratio = (grid.ravel() for grid in np.meshgrid(budgets, ratios))
    params = np.sqrt(budget / 6 / ratio)
    return _fixed(setting, seed, params, ratio * params, float(budget.sum()))


def ladder(setting: Setting, seed: int) -> Interval:
    """Five sizes, four horizons each, the branches of a size on one trunk."""
    largest = (LARGEST / 6 / RATIO / max(MULTIPLES)) ** 0.5
    sizes = largest / 10 ** np.arange(0, DECADES / 2 + 0.1, 0.25)
    params, multiple = (grid.ravel() for grid in np.meshgrid(sizes, MULTIPLES))
    runs = _on_trunks(params, RATIO * multiple * params)
    return _fixed(setting, seed, params, RATIO * multiple * params, runs.cost(range(len(runs))))


def _fixed(setting: Setting, seed: int, params: Array, tokens: Array, flops: float) -> Interval:
    rng = _rng(setting, seed, 1)
    epochs = np.resize(EPOCHS, len(params))
    table = _measured(setting, {"params": params, "tokens": tokens, "unique_tokens": tokens / epochs}, rng)
    return _interval(setting, _fitted(setting, table), flops, len(table), rng)


def chosen_runs(setting: Setting, seed: int, width: float) -> Interval:
    """Rounds of runs that `informative` chooses, until the interval is as narrow or all runs are made."""
    rng = _rng(setting, seed, 2)
    left, aim = _candidates(setting), ForecastOf(inputs=setting.target)
    known = [_prior(setting, rng)]
    first = informative(left, aim, known, least=len(setting.law.names) + 3, level=setting.level).picks
    seeds = np.full(SEEDS, int(np.argmin(left.straight)))
    table = _made(setting, left, np.concatenate([first, seeds]), rng)
    spent = left.cost(first) + float(left.straight[seeds].sum())
    left = _without(left.after(first), first)
    for _ in range(MOST_ROUNDS):
        fitted = _fitted(setting, table)
        found = _interval(setting, fitted, spent, len(table), rng)
        if found.width <= width or not len(left):
            break
        beliefs = [belief_from_fit(fitted, draws=12)]
        measured = found.width if np.isfinite(found.width) else None
        picks = informative(left, aim, beliefs, width=WITHIN * width, measured=measured).picks
        most = Until(width=width).round_flops(spent, width=measured)
        part = left.cheapest_part(picks or [int(np.argmin(left.straight))], most)
        table = pd.concat([table, _made(setting, left, np.array(part), rng)], ignore_index=True)
        spent += left.cost(part)
        left = _without(left.after(part), part)
    return found


def _candidates(setting: Setting) -> Candidates:
    """Sizes and horizons within the range of grid and ladder; two seeds of each, on trunks of their own."""
    sizes = (LARGEST / 6 / RATIO) ** 0.5 * 10 ** np.arange(-1.75, 0.51, 0.25)
    ratios = RATIO * 2.0 ** np.arange(-3, 4)
    epochs = EPOCHS if "unique_tokens" in setting.law.reads else (1.0,)
    params, ratio, epoch, seed = np.array(list(product(sizes, ratios, epochs, (0.0, 1.0)))).T
    flops = 6 * params**2 * ratio
    smallest = LARGEST / 10**DECADES * min(MULTIPLES) / max(MULTIPLES)
    inside = (flops > 0.999 * smallest) & (flops < 1.001 * LARGEST)
    kept = (each[inside] for each in (params, params * ratio, epoch, seed))
    return _on_trunks(*kept)


def _on_trunks(
    params: Array, tokens: Array, epochs: Array | float = 1.0, seed: Array | float = 0.0
) -> Candidates:
    """Runs of one size and seed share a trunk; of those on repeated data none do."""
    straight = 6 * params * tokens
    # A longer run of as many epochs has more distinct tokens: it is not the shorter one gone on.
    alone = np.where(np.asarray(epochs) > 1, tokens * np.asarray(epochs), 0.0)
    names = np.column_stack([params, np.broadcast_to(seed, params.shape), alone])
    trunks = np.unique(names, axis=0, return_inverse=True)[1].ravel()
    return Candidates(
        inputs={"params": params, "tokens": tokens, "unique_tokens": tokens / epochs},
        straight=straight,
        trunk=(1 - DECAY) * straight,
        decay=DECAY * straight,
        trunks=trunks,
        paid=np.zeros(int(trunks.max()) + 1),
    )


def _without(left: Candidates, picks: Any) -> Candidates:
    keep = np.ones(len(left), dtype=np.bool_)
    keep[list(picks)] = False
    return left.take(keep)


def _prior(setting: Setting, rng: np.random.Generator) -> Any:
    """Exponents off by some 20%, terms off by some 40% in the middle of the runs."""
    middle = {"E": 1.0, "A": setting.target["params"] / 10, "B": setting.target["tokens"] / 10}
    power = {"A": "alpha", "B": "beta"}
    around = []
    for _ in range(8):
        place = {name: v * np.exp(0.2 * rng.standard_normal()) for name, v in setting.law.typical.items()}
        for name, index in power.items():
            moved = middle[name] ** (place[index] - setting.law.typical[index])
            place[name] = setting.law.typical[name] * moved * np.exp(0.4 * rng.standard_normal())
        around.append(place)
    return belief_from_law(setting.law, noise=2 * setting.noise, around=around)


def _made(setting: Setting, left: Candidates, rows: Array, rng: np.random.Generator) -> pd.DataFrame:
    return _measured(setting, {name: values[rows] for name, values in left.inputs.items()}, rng)


def _measured(setting: Setting, inputs: Mapping[str, Array], rng: np.random.Generator) -> pd.DataFrame:
    read = {name: inputs[name] for name in setting.law.reads}
    loss = setting.law.evaluate(read, setting.law.typical)
    return pd.DataFrame(read).assign(loss=loss * np.exp(setting.noise * rng.standard_normal(len(loss))))


def _fitted(setting: Setting, table: pd.DataFrame) -> al.Fit:
    found = al.fit(setting.law, al.Runs(table))
    return al.bootstrap(found, draws=setting.draws, starts=1)  # some ten fits a study: a third of the time


def _interval(
    setting: Setting, fitted: al.Fit, flops: float, runs: int, rng: np.random.Generator
) -> Interval:
    forecast = fitted.predict(level=setting.level, **setting.target)
    truth = float(setting.law.evaluate(setting.target, setting.law.typical))
    outcome = truth * float(np.exp(setting.noise * rng.standard_normal()))
    width = (forecast.high - forecast.low) / forecast.median
    return Interval(
        flops=flops,
        runs=runs,
        width=float(width) if np.isfinite(width) else np.inf,
        holds=bool(forecast.low <= outcome <= forecast.high),
    )


def _rng(setting: Setting, seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, round(setting.beyond), len(setting.law.names)])
