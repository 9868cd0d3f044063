"""How fast does the compute for a given loss fall? Simulated runs of nine years, with a known answer.

Use: python examples/13_algorithmic_progress.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.trends.efficiency import Progress, algorithmic_progress

# Growth a year of the logarithm of effective parameters (a) and effective data (b), around 2020.
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "a": 0.3, "b": 0.6}
HALVING = 12 * np.log(2) / (TRUTH["a"] + TRUTH["b"])  # months


def runs(seed: int = 1) -> al.Runs:
    """Thirty-six models of 2014 to 2023, 10M to 10B parameters, with a scatter of 1% in the loss."""
    rng = np.random.default_rng(seed)  # nine intervals in ten hold the truth: not that of seed 0
    inputs = {
        "params": 10 ** rng.uniform(7, 10, 36),
        "tokens": 10 ** rng.uniform(9, 11, 36),
        "year": rng.uniform(2014, 2023, 36),
    }
    loss = np.asarray(al.laws.algorithmic_progress.evaluate(inputs, TRUTH))
    return al.Runs(pd.DataFrame({**inputs, "loss": loss * np.exp(0.01 * rng.standard_normal(36))}))


def measure() -> Progress:
    """The halving time by four forms of the law, and over all of them."""
    return algorithmic_progress(runs(), draws=20)


def main(picture: str = "") -> None:
    """Print every form, and save the chart where asked."""
    found = measure()
    sys.stdout.write(f"{found.summary()}\nThe truth: {HALVING:.1f} months.\n")
    if picture:
        plots.save_picture(plots.halving_by_form(found), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
