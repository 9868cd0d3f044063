"""How often a 90% forecast interval holds the new run, for small ladders: run by `make bench`.

Truth is a chinchilla law; the ladder is sizes x horizons; the target is 2.5 times the largest size and
five times the largest compute. A new run is one draw of the same noise.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

from allometry.fitting import bootstrap, fit
from allometry.fitting.resampling import RESAMPLINGS
from allometry.laws import chinchilla
from allometry.runs.run import Runs

TRUTHS = (
    {"E": 1.817, "A": 477.8, "B": 2143.0, "alpha": 0.3473, "beta": 0.3672},  # Besiroglu et al. 2024
    {"E": 1.5, "A": 100.0, "B": 400.0, "alpha": 0.30, "beta": 0.30},
)
SIZES, RATIOS = (2e6, 3e7), (5.0, 60.0)  # parameters; tokens per parameter
TARGET = {"params": 7.5e7, "tokens": 7.5e7 * 48}
LADDERS = ((4, 3), (5, 3), (5, 4))
NOISES = (0.003, 0.01)


def ladder(rng: np.random.Generator, truth: dict[str, float], shape: tuple[int, int], noise: float) -> Runs:
    """Runs at every size and horizon, measured once each."""
    params, ratio = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(*SIZES, shape[0]), np.geomspace(*RATIOS, shape[1]))
    )
    inputs = {"params": params, "tokens": params * ratio}
    loss = chinchilla.evaluate(inputs, truth) * np.exp(noise * rng.standard_normal(len(params)))
    return Runs(pd.DataFrame({**inputs, "loss": loss}))


def trial(seed: int, shape: tuple[int, int], noise: float, draws: int) -> dict[str, tuple[bool, float, int]]:
    """One ladder: for each resampling whether the interval held the new run, its width, refits lost."""
    rng = np.random.default_rng([seed, *shape, round(noise * 1e4)])
    truth = TRUTHS[seed % len(TRUTHS)]
    runs = ladder(rng, truth, shape, noise)
    measured = float(chinchilla.evaluate(TARGET, truth)) * np.exp(noise * rng.standard_normal())
    found = fit(chinchilla, runs)
    results: dict[str, tuple[bool, float, int]] = {}
    for resampling in RESAMPLINGS:
        drawn = bootstrap(found, draws=draws, resampling=resampling, seed=seed)
        forecast = drawn.predict(**TARGET)
        lost = drawn.drawn.unconverged if drawn.drawn else 0
        results[resampling] = (
            forecast.low <= measured <= forecast.high,
            forecast.high / forecast.low - 1,
            lost,
        )
    return results


def main(trials: int, draws: int) -> None:
    """Print one line a ladder, noise and resampling."""
    write = sys.stdout.write
    write("runs  noise  resampling  coverage  median width  refits lost\n")
    for shape in LADDERS:
        for noise in NOISES:
            outcomes = [trial(seed, shape, noise, draws) for seed in range(trials)]
            for resampling in RESAMPLINGS:
                held, width, lost = zip(*(outcome[resampling] for outcome in outcomes), strict=True)
                write(
                    f"{shape[0] * shape[1]:4d}  {noise:5.3f}  {resampling:10s}  {np.mean(held):8.3f}  "
                    f"{np.median(width):12.2%}  {np.sum(lost) / (trials * draws):11.2%}\n"
                )
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--draws", type=int, default=200)
    arguments = parser.parse_args()
    main(arguments.trials, arguments.draws)
