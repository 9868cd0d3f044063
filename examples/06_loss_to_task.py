"""Forecast a task's score through the loss, on a simulated ladder whose truth is known.

Use: python examples/06_loss_to_task.py        (a few seconds)
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import allometry as al
from allometry.capabilities.chain_recipes import forecast_tasks
from allometry.capabilities.chain_steps import Steps

TARGET = {"params": 7e9, "tokens": 1.4e11}
LAW = {"E": 0.5, "A": 60.0, "B": 60.0, "alpha": 0.3, "beta": 0.3}


def answer_loss(params: object, tokens: object) -> np.ndarray:
    """Bits per byte of the task's correct answers."""
    return np.asarray(al.laws.chinchilla.evaluate({"params": params, "tokens": tokens}, LAW))


def score(loss: np.ndarray) -> np.ndarray:
    """Four choices: from guessing to a perfect score."""
    return 1 - 0.75 / (1 + np.exp(-6 * (loss - 0.75)))


def ladder(noise: float = 0.01) -> al.Runs:
    """Sixteen runs of 0.2 to 1.3B, with a task that is learnt and one at chance."""
    rng = np.random.default_rng(0)
    params = np.repeat(np.geomspace(2e8, 1.3e9, 4), 4)
    tokens = params * np.tile([10.0, 20.0, 40.0, 100.0], 4)
    loss = answer_loss(params, tokens) * np.exp(noise * rng.standard_normal(16))
    table = {
        "params": params, "tokens": tokens, "answer_loss": loss,
        "learnt": score(loss) + noise * rng.standard_normal(16),
        "guessed": 0.25 + noise * np.tile([1.0, -1.0], 8),
    }  # fmt: skip
    return al.Runs(pd.DataFrame(table), source="a simulated ladder")


def main() -> None:
    """Print the forecasts beside the truth."""
    made = forecast_tasks(
        ladder(), ["learnt=answer_loss", "guessed=answer_loss"], TARGET,
        chance={"learnt": 0.25, "guessed": 0.25}, steps=Steps(draws=100),
    )  # fmt: skip
    truth = float(score(answer_loss(**TARGET)))
    row = made.table.set_index("task").loc["learnt"]
    verdict = "inside" if row["low"] <= truth <= row["high"] else "outside"
    sys.stdout.write(f"{made.summary()}\n\nThe true score of 'learnt' there: {truth:.3f}, {verdict}.\n")


if __name__ == "__main__":
    main()
