"""A larger model, or more attempts? One budget for both, on simulated models of a known law.

Use: python examples/18_train_or_try_again.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.capabilities.attempts import Counts
from allometry.capabilities.exchange import ExchangeCurve, Workload, exchange
from allometry.capabilities.joint import JointOptimum, joint_optimum
from allometry.capabilities.loss_to_pass import fit_loss_to_pass

TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
LOSSES = (2.2, 2.5, 2.8, 3.1)  # of the models that made attempts
SERVED = Workload(queries=1e7, tokens=500)
BUDGET, SCORE = 1e21, 0.5


def law(seed: int = 0) -> al.Fit:
    """Chinchilla's law fitted to twenty-five small runs with a scatter of 0.3% in the loss."""
    rng = np.random.default_rng(seed)
    sizes, tokens = (
        one.ravel() for one in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5))
    )
    inputs = {"params": sizes, "tokens": tokens}
    loss = al.laws.chinchilla.evaluate(inputs, TRUTH) * np.exp(0.003 * rng.standard_normal(25))
    return al.bootstrap(al.fit("chinchilla", al.Runs(pd.DataFrame({**inputs, "loss": loss}))), draws=200)


def attempts(seed: int = 0) -> list[Counts]:
    """A thousand attempts of each model at the same 200 problems, some of which are hard."""
    rng = np.random.default_rng(seed)
    hard = rng.gumbel(size=200)
    chances = [1 / (1 + np.exp(4 + 2.5 * (loss - 2) - 1.5 * hard)) for loss in LOSSES]
    return [Counts.of(np.full(200, 1000), rng.binomial(1000, chance)) for chance in chances]


def measure() -> tuple[JointOptimum, ExchangeCurve]:
    """The best split of one budget, and what attempts are worth at one score."""
    fitted, passes = law(), fit_loss_to_pass(LOSSES, attempts())
    best = joint_optimum(fitted, passes, SERVED, flops=BUDGET)
    return best, exchange(fitted, passes, SERVED, score=SCORE, ks=[1, 10, 100, 1000])


def main(picture: str = "") -> None:
    """Print both, and save the chart of the split where asked."""
    best, ways = measure()
    sys.stdout.write(f"{best.summary()}\n{ways.summary()}\n")
    if picture:
        plots.save_picture(plots.score_against_size(best), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
