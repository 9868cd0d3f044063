"""Many attempts at every problem: counts of successes, and what the sampling cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from allometry.architectures import Architecture
from allometry.errors import InputError
from allometry.lab.tasks.answers import draw_answers
from allometry.lab.tasks.problems import Problems
from allometry.lab.tasks.scores import exact_match


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Counts of successes; every problem got the same number of attempts, none was cut short by a success.

    Attributes:
        successes: For each problem, shape (n,).
        attempts: At each problem.
        temperature: Of the sampling.
        tokens: Sampled in all, prompts not counted.
        flops: Of the sampling, for a decoder that keeps a cache and reads each prompt once: forward
            FLOP per token, `with_attention`, of every prompt and every sampled token.
    """

    successes: npt.NDArray[np.int64]
    attempts: int
    temperature: float
    tokens: int
    flops: float

    def table(self) -> pd.DataFrame:
        """One row a problem: problem, attempts, successes."""
        problems = np.arange(len(self.successes))
        return pd.DataFrame({"problem": problems, "attempts": self.attempts, "successes": self.successes})


def attempt(
    model: nn.Module,
    shape: Architecture,
    problems: Problems,
    *,
    attempts: int,
    temperature: float = 1.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Attempts:
    """Draw so many answers to every problem and count the right ones.

    Args:
        model: Trained on the task.
        shape: Its architecture, for the cost.
        temperature: Above 0: at 0 all attempts would be the same.
        seed: Of the draws.

    Raises:
        InputError: If attempts is below 1 or the temperature not above 0.
    """
    if attempts < 1 or not temperature > 0:
        raise InputError(
            f"attempts must be at least 1 and temperature above 0, not {attempts} and {temperature:g}; "
            f"one greedy answer is what `score_task` gives."
        )
    generator = torch.Generator().manual_seed(seed)
    length = problems.answers.shape[1]
    successes = np.zeros(len(problems), dtype=np.int64)
    for _ in range(attempts):
        drawn = draw_answers(
            model, problems.prompts, length, temperature=temperature, generator=generator, device=device
        )
        successes += exact_match(problems.answers, drawn).astype(np.int64)
    sampled = len(problems) * attempts * length
    return Attempts(
        successes=successes,
        attempts=attempts,
        temperature=temperature,
        tokens=sampled,
        flops=shape.flops_per_token("with_attention") / 3 * (problems.prompts.size + sampled),
    )
