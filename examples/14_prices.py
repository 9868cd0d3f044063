"""How fast does the price of a score fall? Simulated models whose prices fall by a factor of 8 a year.

Use: python examples/14_prices.py [PICTURE]        (seconds; PICTURE ends in .svg or .png)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry import plots
from allometry.trends.prices import Prices, price_trends

FACTOR = 8.0  # a year, at any given score
DEARER = 0.06  # logarithm of price for each point of score


def models(seed: int = 0) -> al.Runs:
    """Sixty models of three years: a price by date and score, with a scatter of a factor of 1.3."""
    rng = np.random.default_rng(seed)
    years = np.sort(rng.uniform(2022, 2025, 60))
    score = np.clip(68 + 14 * rng.standard_normal(60), 30, 95)
    price = 2.0 * FACTOR ** (2022 - years) * np.exp(DEARER * (score - 55) + 0.25 * rng.standard_normal(60))
    names = [f"model {place + 1}" for place in range(60)]
    table = pd.DataFrame({"model": names, "release_date": years, "score": score, "price": price})
    return al.Runs(table, source="simulated models")


def measure() -> Prices:
    """The cheapest models at or above three scores."""
    return price_trends(
        models(), price="price", score="score", thresholds=(50, 65, 80), unit="USD per 1M tokens"
    )


def main(picture: str = "") -> None:
    """Print the factor of each score, and save the chart where asked."""
    found = measure()
    sys.stdout.write(f"{found.summary()}\nThe truth: {FACTOR:g} times a year.\n")
    if picture:
        plots.save_picture(plots.prices_over_time(found), picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
