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
from allometry.units import show_count


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

    def pass_at(self, k: int) -> float:
        """pass@k: the chance that one of k attempts at a problem is right, averaged over the problems.

        Unbiased: of all ways to choose k of a problem's attempts, the share that holds a right one.

        Args:
            k: From 1 to as many as were made.

        Raises:
            InputError: If k is not.

        Source:
            Chen et al. 2021, eq. 1, arXiv:2107.03374.

        >>> found = Attempts(successes=np.array([0, 1, 4]), attempts=4, temperature=1.0, tokens=12, flops=1e6)
        >>> found.pass_at(1), found.pass_at(2)  # (0 + 1/4 + 1) / 3, (0 + 1/2 + 1) / 3
        (0.41666666666666663, 0.5)
        """
        if not 1 <= k <= self.attempts:
            raise InputError(f"pass@k is known for k from 1 to the {self.attempts} attempts made, not {k}.")
        one_after_the_other = np.arange(k)
        wrong = self.attempts - self.successes[:, None] - one_after_the_other
        all_wrong = (np.maximum(wrong, 0) / (self.attempts - one_after_the_other)).prod(axis=1)
        return float(1 - all_wrong.mean())

    def pass_table(self) -> pd.DataFrame:
        """pass@k at 1, 2, 5, 10 … and all attempts: columns k, pass_at_k."""
        ks = _ladder(self.attempts)
        return pd.DataFrame({"k": ks, "pass_at_k": [self.pass_at(k) for k in ks]})

    def describe(self) -> str:
        """pass@k and what the sampling cost, in lines."""
        lines = [f"pass@{k:<6} {self.pass_at(k):.4f}" for k in _ladder(self.attempts)]
        cost = f"{show_count(self.tokens)} tokens sampled, {show_count(self.flops)} FLOP"
        sampled = f"{self.attempts} attempts at temperature {self.temperature:g}"
        return "\n".join([*lines, f"{sampled} at each of {len(self.successes)} problems: {cost}"])


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


def _ladder(last: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 … up to a last number, which is in it.

    >>> _ladder(30)
    [1, 2, 5, 10, 20, 30]
    """
    rungs = (first * 10**power for power in range(len(str(last))) for first in (1, 2, 5))
    return sorted({rung for rung in rungs if rung < last} | {last})
