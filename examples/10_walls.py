"""How many more doublings of training compute until power, chips, data, latency or money is a wall?

The bounds below are stated inputs, in round numbers: put in your own. The history is simulated.

Use: python examples/10_walls.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np

from allometry import plots
from allometry.trends.series import Series
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.walls import Walls, doublings_left

START = 2025.5
CONSTRAINTS = (
    Constraint(
        name="power", unit="W", now=Range.exactly(2e8), bound=Range(1e9, 2e10), share=Range(0.4, 0.6),
        bound_growth=Range(1.0, 1.2), source="stated",
    ),
    Constraint(
        name="chips", unit="FLOP", now=Range.exactly(5e26), bound=Range(2e28, 5e29),
        bound_growth=Range(1.1, 1.6), source="stated",
    ),
    Constraint(
        name="data", unit="token", now=Range.exactly(3e13), bound=Range(3e14, 3e16), share=Range(0.45, 0.55),
        source="stated",
    ),
    Constraint(
        name="latency", unit="FLOP", now=Range.exactly(5e26), bound=Range(3e30, 1e32), source="stated"
    ),
    Constraint(
        name="money", unit="USD", now=Range.exactly(3e8), bound=Range(5e9, 2e11), share=Range(0.5, 0.65),
        source="stated",
    ),
)  # fmt: skip


def history(seed: int = 0) -> Series:
    """Twenty models in ten years whose compute grows by 4.5 a year, with a factor of two of scatter."""
    rng = np.random.default_rng(seed)
    years = np.linspace(START - 10, START, 20)
    values = 5e26 * 4.5 ** (years - START) * np.exp2(rng.standard_normal(20))
    labels = tuple(f"model {place + 1}" for place in range(20))
    return Series(name="flops", unit="FLOP", labels=labels, years=years, values=values)


def measure() -> Walls:
    """Doublings left to each wall, if growth goes on and if it levels off."""
    return doublings_left(CONSTRAINTS, history=history(), start=START, draws=2000)


def main(picture: str = "") -> None:
    """Print every wall, and save the chart where asked."""
    found = measure()
    sys.stdout.write(f"{found.summary()}\n")
    if picture:
        plots.save_picture(plots.doublings_to_walls(found), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
