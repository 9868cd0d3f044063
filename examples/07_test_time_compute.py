"""What do repeated attempts bring? Forecast pass@k, and judge the forecast by attempts made later.

Use: python examples/07_test_time_compute.py        (a few seconds; simulated, nothing is fetched)
"""

from __future__ import annotations

import sys

import numpy as np

from allometry.capabilities.attempts import Counts, PassForecast, fit_line, forecast_pass
from allometry.capabilities.verifiers import best_of_imperfect
from allometry.capabilities.voting import ballots_from_chances, vote

PROBLEMS, EVERY, MADE = 128, 10_000, 100


def chances(seed: int = 0) -> np.ndarray:
    """How likely one attempt solves each problem: a power tail of ever harder ones."""
    return np.random.default_rng(seed).beta(0.3, 5.0, PROBLEMS)


def forecast(seed: int = 0) -> tuple[PassForecast, float]:
    """A forecast from the first attempts, and the share that all attempts solve."""
    rng = np.random.default_rng(seed + 1)
    every = Counts.of(np.full(PROBLEMS, EVERY), rng.binomial(EVERY, chances(seed)), "simulated problems")
    return forecast_pass(every.thinned(MADE), [1000, EVERY]), every.solved


def main() -> None:
    """Print the forecast beside the truth, and what a vote and a verifier make of the same attempts."""
    found, truth = forecast()
    inside = "inside" if found.low[-1] <= truth <= found.high[-1] else "outside"
    voted = vote(ballots_from_chances(chances(), np.full(5, 0.2)), [1, 100])
    picked = best_of_imperfect(chances(), 100, auc=0.9).mean()
    line = fit_line(Counts.of(np.full(PROBLEMS, MADE), np.round(MADE * chances())))
    sys.stdout.write(
        f"{found.summary()}\n\n"
        f"solved by {EVERY:,} attempts: {truth:.3f}, {inside} the range\n"
        f"exponent of the line: {line.b:.2f}\n\n{voted.summary()}\n"
        f"Best of 100 by a verifier of area .9: {picked:.3f}\n"
    )


if __name__ == "__main__":
    main()
