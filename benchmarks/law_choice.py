"""Which law forecasts the largest rung of a study from the smaller ones.

Use: `python benchmarks/law_choice.py [STUDY ...]`, of which `quickstart` is the usual one.

Each law is fitted without the largest size, and without the longest horizon, and predicts what was left
out; the table gives the root mean square error in nat/token. The study's target takes no part.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import allometry as al
from allometry.runs.study import Study
from allometry.sweeps.fits import selected_runs

LAWS = ("kaplan", "chinchilla")
HELD_OUT = {"largest size": "params", "longest horizon": "tokens"}


def error(law: str, study: Study, column: str) -> float:
    """Root mean square error of a law on the runs of a column's largest value, not having seen them."""
    runs = selected_runs(study)
    largest = runs.column(column).max()
    fitted = al.fit(law, runs.where(f"{column} < {largest}", because="held out"))
    left_out = runs.where(f"{column} = {largest}")
    at = {name: left_out.column(name) for name in fitted.inputs.values()}
    predicted = fitted.law.evaluate({name: at[c] for name, c in fitted.inputs.items()}, fitted.coefficients)
    return float(np.sqrt(np.mean((predicted - left_out.column("loss")) ** 2)))


def main(folders: list[str]) -> None:
    """Print one line a study, law and thing left out."""
    for folder in folders or ["quickstart"]:
        if not (Path(folder) / "study.toml").exists():
            sys.stdout.write(f"{folder}: no study there; make it with: make quickstart\n")
            continue
        for what, column in HELD_OUT.items():
            errors = ", ".join(f"{law} {error(law, Study.open(folder), column):.4f}" for law in LAWS)
            sys.stdout.write(f"{folder}, without the {what}: {errors} nat/token\n")


if __name__ == "__main__":
    main(sys.argv[1:])
