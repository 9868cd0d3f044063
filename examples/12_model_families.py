"""What do models that others trained say about larger ones? Three simulated families of one ability.

Use: python examples/12_model_families.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.capabilities.families import Families, observe_families

WEIGHTS = {"reading": 0.5, "reasoning": 0.4, "facts": 0.3, "code": 0.6}  # of the ability in each benchmark
SLOPES = {"heron": 0.10, "kestrel": 0.12, "swift": 0.08}  # ability gained with each factor e of compute
CHANCE, END = 0.2, 0.6  # of the target: where it starts, and where it stops


def models(seed: int = 0) -> al.Runs:
    """Eight models a family of 1e21 to 1e24 FLOP, four benchmarks, and a target that ends at .6."""
    rng, rows = np.random.default_rng(seed), []
    for family, slope in SLOPES.items():
        for flops in np.geomspace(1e21, 1e24, 8):
            ability = 0.2 + slope * np.log(flops / 1e21)
            scores = {name: 0.1 + w * ability + 0.01 * rng.standard_normal() for name, w in WEIGHTS.items()}
            target = CHANCE + (END - CHANCE) / (1 + np.exp(-10 * (ability - 0.6)))
            noisy = target + 0.01 * rng.standard_normal()
            rows.append({"family": family, "flops": flops, "target": noisy, **scores})
    return al.Runs(pd.DataFrame(rows), source="simulated models")


def measure() -> Families:
    """Learn from models up to 1e23 FLOP, and forecast the larger ones with either upper end."""
    return observe_families(
        models(), list(WEIGHTS), target="target", train="flops <= 1e23", components=1, reference="heron",
        chance=CHANCE, draws=20,
    )  # fmt: skip


def main(picture: str = "") -> None:
    """Print lines, both curves and what they are off by, and save the chart where asked."""
    found = measure()
    sys.stdout.write(f"{found.summary()}\nThe truth: the target ends at {END}.\n")
    if picture:
        plots.save_picture(plots.target_by_ends(found), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
