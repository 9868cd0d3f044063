"""The runs behind Chinchilla, fitted again: coefficients, intervals, checks, and rival laws.

Use: python examples/01_fit_published_runs.py            (some seconds, and one download of a small table)

The table is downloaded from a pinned address, checked by its hash and kept; without a network, put it into a
folder and name that in ALLOMETRY_DATA.
"""

from __future__ import annotations

import sys

import allometry as al

ROWS, BECAUSE = "excluded_in_published_fit = 0", "the five largest losses, which the published fit leaves out"
BUDGET = 5.76e23  # FLOP: what Chinchilla 70B was trained with


def main(draws: int = 1000) -> None:
    """Print the fit beside what was published, what makes it fragile, and which law forecasts best."""
    runs = al.read_runs("published:hoffmann2022").where(ROWS, because=BECAUSE)
    fit = al.bootstrap(al.fit("chinchilla", runs), draws=draws)
    best = fit.optimum(BUDGET)
    sys.stdout.write(
        f"{fit.summary()}\n\nPublished (Besiroglu et al. 2024, arXiv:2404.10102): E 1.817, A 477.8, "
        f"B 2143.4, alpha 0.3473, beta 0.3672\n\nBest size for {BUDGET:g} FLOP: {best.params.value:.3g} "
        f"({best.params.low:.3g} to {best.params.high:.3g}) parameters\n\n"
    )
    for found in al.check(fit):
        sys.stdout.write(f"{found.severity}: {found.sentence} {found.remedy}\n")
    rivals = al.compare(
        ["chinchilla", "chinchilla_tied", "kaplan"], runs, hold_out="largest_flops", draws=draws // 5
    )
    sys.stdout.write(f"\n{rivals.summary()}\n")


if __name__ == "__main__":
    main()
