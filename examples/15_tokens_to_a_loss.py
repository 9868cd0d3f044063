"""How many tokens does a loss take, by recipe and year, and what does a watt buy? Simulated, answers known.

Use: python examples/15_tokens_to_a_loss.py [PICTURE]        (a few seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.trends.account import TrendAccount
from allometry.trends.intelligence import intelligence_per
from allometry.trends.sample_efficiency import SampleEfficiency, tokens_to_reach

TARGET, FLOOR, EXPONENT = 2.5, 1.9, 0.3
SAVED_A_YEAR = 1.6  # factor by which the tokens for any loss fall


def runs(seed: int = 0) -> al.Runs:
    """Five recipes of 2020 to 2024, six lengths of training each, with a scatter of .3% in the loss."""
    rng, tokens = np.random.default_rng(seed), np.geomspace(1e8, 3e10, 6)
    parts = [
        pd.DataFrame({
            "recipe": f"recipe {year}", "year": year, "tokens": tokens,
            "loss": (FLOOR + 400 * (tokens * SAVED_A_YEAR ** (year - 2020)) ** -EXPONENT)
            * np.exp(0.003 * rng.standard_normal(6)),
        })
        for year in range(2020, 2025)
    ]  # fmt: skip
    return al.Runs(pd.concat(parts, ignore_index=True), source="simulated recipes")


def devices() -> al.Runs:
    """Seven devices: the same score at ever more tokens a second and somewhat more power."""
    year = np.arange(2018, 2025.0)
    speed, power = 100 * 2.2 ** (year - 2018), 300 * 1.1 ** (year - 2018)
    return al.Runs(pd.DataFrame({"date": year, "score": 0.6, "tokens_per_second": speed, "watts": power}))


def measure() -> tuple[SampleEfficiency, TrendAccount]:
    """Tokens to a loss of 2.5 by recipe, and score-weighted tokens for a watt."""
    return (
        tokens_to_reach(runs(), TARGET, date="year", draws=40),
        intelligence_per(devices(), "score * tokens_per_second", "watts", draws=40),
    )


def main(picture: str = "") -> None:
    """Print both, and save the chart of the tokens where asked."""
    tokens, bought = measure()
    truth = (400 / (TARGET - FLOOR)) ** (1 / EXPONENT)
    sys.stdout.write(
        f"{tokens.summary()}\nThe truth: {truth:.3g} tokens of the first recipe, {SAVED_A_YEAR} times "
        f"fewer a year.\n\n{bought.summary()}\nThe truth: {2.2 / 1.1:g} times a year.\n"
    )
    if picture:
        plots.save_picture(plots.tokens_to_target(tokens), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
