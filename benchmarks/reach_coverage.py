"""How often 90% intervals of tokens needed and of walls hold the truth.

Use: python benchmarks/reach_coverage.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Callable

import numpy as np
import pandas as pd

from allometry.runs.run import Runs
from allometry.trends.sample_efficiency import tokens_to_reach
from allometry.trends.series import Series
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.walls import doublings_left
from benchmarks.parts.page import Table, options, progress, publish

LEVEL = 0.9
FLOOR, SCALE, POWER = 2.0, 400.0, 0.3  # of loss against tokens
GAIN, MOST = 2.0, 1e10  # of the better recipe; tokens of the longest run
RATE, ROOM = 2.2, 10.0  # doublings of compute a year; doublings to the wall
Study = Callable[[int], list[bool]]


def tokens(runs: int, far: float) -> Study:
    """Tokens of two recipes, and their ratio, at a loss that takes `far` times the longest run."""

    def study(seed: int) -> list[bool]:
        rng = np.random.default_rng([seed, runs])
        target = FLOOR + SCALE * (far * MOST) ** -POWER
        parts = [_recipe(name, gain, runs, rng) for name, gain in (("base", 1.0), ("better", GAIN))]
        found = tokens_to_reach(Runs(pd.concat(parts)), target, level=LEVEL, draws=200, seed=seed).table
        needs = far * MOST / np.array([1.0, GAIN])
        held = (found["low"] <= needs) & (needs <= found["high"])
        better = found.iloc[1]
        return [*held, better["multiplier_low"] <= GAIN <= better["multiplier_high"]]

    return study


def _recipe(name: str, gain: float, runs: int, rng: np.random.Generator) -> pd.DataFrame:
    count = np.geomspace(MOST / 100, MOST, runs)
    loss = FLOOR + SCALE * (gain * count) ** -POWER
    return pd.DataFrame(
        {"recipe": name, "tokens": count, "loss": loss * np.exp(0.005 * rng.standard_normal(runs))}
    )


def wall_of_ranges(seed: int) -> list[bool]:
    """The year of a wall whose inputs are drawn from the ranges that are stated of them."""
    rng = np.random.default_rng([seed, 1])
    now, bound, growth = Range(1e8, 2e8), Range(1e9, 2e10), Range(3.5, 5.5)
    power = Constraint(name="power", now=now, bound=bound, share=Range(0.4, 0.6))
    found = doublings_left([power], growth=growth, start=2025, level=LEVEL, draws=1000, seed=seed).table
    room = np.log2(bound.sample(1, rng) / now.sample(1, rng))[0]
    rate = np.log2(growth.sample(1, rng))[0] * power.share.sample(1, rng)[0]
    return [bool(found["year_low"].iloc[0] <= 2025 + room / rate <= found["year_high"].iloc[0])]


def wall_of_history(seed: int) -> list[bool]:
    """The year of a wall by a history of steady growth that points scatter about."""
    rng = np.random.default_rng([seed, 2])
    years = np.sort(rng.uniform(2012, 2025, 20))
    values = np.exp2(RATE * (years - 2025) + rng.standard_normal(20))
    history = Series(name="flops", labels=tuple(map(str, range(20))), years=years, values=values)
    chips = Constraint(name="chips", now=Range.exactly(1.0), bound=Range.exactly(2**ROOM))
    found = doublings_left([chips], history=history, start=2025, level=LEVEL, draws=1000, seed=seed).table
    return [bool(found["year_low"].iloc[0] <= 2025 + ROOM / RATE <= found["year_high"].iloc[0])]


STUDIES: dict[str, tuple[Study, tuple[str, ...], float]] = {  # and the share of all studies that it gets
    "6 runs a recipe, at 0.3 of the longest run": (tokens(6, 0.3), ("base", "better", "ratio"), 1),
    "6 runs a recipe, at 3 times the longest": (tokens(6, 3), ("base", "better", "ratio"), 1),
    "12 runs a recipe, at 3 times the longest": (tokens(12, 3), ("base", "better", "ratio"), 1),
    "wall, inputs drawn from their ranges": (wall_of_ranges, ("year",), 4),
    "wall, from 20 points of steady growth": (wall_of_history, ("year",), 2),
}


def table(studies: int) -> Table:
    """One row a quantity."""
    rows = []
    for name, (study, quantities, share) in STUDIES.items():
        progress(name)
        count = round(share * studies)
        held = np.mean([study(seed) for seed in range(count)], axis=0)
        for quantity, found in zip(quantities, held, strict=True):
            error = np.sqrt(LEVEL * (1 - LEVEL) / count)
            rows.append((name, quantity, str(count), f"{found:.1%}", f"{error:.1%}"))
    return Table(
        name="reach-coverage",
        title="Coverage of tokens needed and of walls",
        command="benchmarks/reach_coverage.py --full",
        says=f"{LEVEL:.0%} intervals by default methods. Tokens to a loss: two recipes, one of which needs "
        "half of the tokens, over two decades of tokens, with noise of 0.5%. Walls: growth by stated ranges, "
        "or by a history whose points scatter by one doubling. The last column is the standard error of a "
        "right interval's coverage.",
        header=("study", "of", "studies", "coverage", "standard error"),
        rows=rows,
        notes=["That of stated ranges holds by construction: the row checks the sum, not the ranges."],
    )


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    publish(table(60 if chosen.full else 8), markdown=chosen.markdown)


if __name__ == "__main__":
    main()
