"""How fast do compute and cost of training grow? Simulated models of twelve years, with a known answer.

Use: python examples/17_growth_of_inputs.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.trends.inputs import Inputs, input_growth

TRUTH = {"flops": 4.7, "price_usd": 2.4}  # factor a year
MODELS, PRICED = 120, 40  # of some models only the compute is known


def models(seed: int = 0) -> al.Runs:
    """Models of 2013 to 2025, small ones beside large: a scatter of 3 doublings in compute, 1 in cost."""
    rng = np.random.default_rng(seed)
    year = np.sort(rng.uniform(2013, 2025, MODELS))
    flops = 1e19 * TRUTH["flops"] ** (year - 2013) * np.exp2(3 * rng.standard_normal(MODELS))
    price = 1e3 * TRUTH["price_usd"] ** (year - 2013) * np.exp2(rng.standard_normal(MODELS))
    price[rng.permutation(MODELS)[PRICED:]] = np.nan
    names = [f"model {place + 1}" for place in range(MODELS)]
    return al.Runs(pd.DataFrame({"name": names, "year": year, "flops": flops, "price_usd": price}))


def measure() -> Inputs:
    """The factor a year of both, and whether either may be levelling off."""
    return input_growth(models(), list(TRUTH))


def main(picture: str = "") -> None:
    """Print both beside the truth, and save the chart where asked."""
    found = measure()
    truths = ", ".join(f"{name} {factor:g}" for name, factor in TRUTH.items())
    sys.stdout.write(f"{found.summary()}\nThe truth, a factor a year: {truths}.\n")
    if picture:
        plots.save_picture(plots.growth_of_inputs(found), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
