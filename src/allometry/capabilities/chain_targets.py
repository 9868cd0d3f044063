"""From a target score back to the loss that it takes: what a plan for a task asks of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.chain import TaskChain
from allometry.errors import InputError
from allometry.fitting.result import Estimate, Fit, middle

Array = NDArray[np.float64]

_ROOM = 4.0  # times beyond the losses of the runs, on both sides, in which the score's loss is sought
_HALVINGS = 60  # of that range, until its end is one of double precision


@dataclass(frozen=True, kw_only=True)
class ScoreTarget:
    """The loss at which a task's score is expected to come to a value.

    Attributes:
        score: The target, and the column it is about.
        loss: With the range of step two's draws that can reach the target; NaN if the fit itself cannot.
        reachable: Share of step two's draws whose curve comes to the target at any loss; NaN without draws.
    """

    task: str
    score: float
    loss: Estimate
    reachable: float

    def summary(self) -> str:
        """The loss in plain words."""
        if np.isnan(self.loss.value):
            return f"{self.task} of {self.score:g} lies beyond the end of its curve: no loss is low enough."
        ends = "" if np.isnan(self.loss.low) else f" ({self.loss.low:.4g} to {self.loss.high:.4g})"
        chance = "" if np.isnan(self.reachable) else f"; {self.reachable:.0%} of the draws can reach it"
        return f"{self.task} of {self.score:g} takes a loss of {self.loss.value:.4g}{ends}{chance}."


def loss_for(chain: TaskChain, score: float, *, level: float = 0.9) -> ScoreTarget:
    """The loss that a target score takes, by step two turned around.

    It is the loss at which the expected score is the target; a single run scatters around it. Give the loss
    to `allocate(chain.loss, loss=…)` for the least compute that reaches it.

    Raises:
        InputError: If the task is at chance, or the score is none between 0 and 1.
    """
    if chain.declined_because:
        raise InputError(f"{chain.declined_because}: no loss can be asked for.")
    if not 0 < score < 1:
        raise InputError(f"A score to reach lies between 0 and 1, for example 0.6; not {score}.")
    if chain.task.chance and (score <= chain.task.chance) is not chain.task.falls:
        raise InputError(
            f"Guessing already brings {chain.task.chance:g}; ask for a better score than {score}."
        )
    fit = chain.score
    found = _turned(fit, _stacked(fit), score)
    drawn = found[1:]
    can = drawn[np.isfinite(drawn)]
    low, high = middle(can, level) if can.size > 1 else (np.nan, np.nan)
    return ScoreTarget(
        task=chain.task.score,
        score=score,
        loss=Estimate(value=float(found[0]), low=float(low), high=float(high), unit=chain.loss.unit),
        reachable=float(np.isfinite(drawn).mean()) if drawn.size else float("nan"),
    )


def _stacked(fit: Fit) -> dict[str, Array]:
    """Each coefficient as fitted, then as drawn."""
    none: Array = np.empty(0)
    return {
        name: np.append(value, none if fit.draws is None else fit.draws[name].to_numpy(dtype=np.float64))
        for name, value in fit.coefficients.items()
    }


def _turned(fit: Fit, coefficients: Mapping[str, Array], score: float) -> Array:
    """The loss of a score for each set of coefficients, by halving; NaN where the curve is never there."""
    reads = fit.law.reads[0]
    seen = fit.data.inputs[reads]
    count = len(next(iter(coefficients.values())))
    low, high = np.full(count, seen.min() / _ROOM), np.full(count, seen.max() * _ROOM)

    def above(loss: Array) -> NDArray[np.bool_]:
        return np.asarray(fit.law.evaluate({reads: loss}, coefficients)) > score

    begins, ends = above(low), above(high)
    for _ in range(_HALVINGS):
        half = np.sqrt(low * high)
        same = above(half) == begins
        low, high = np.where(same, half, low), np.where(same, high, half)
    return np.where(begins != ends, np.sqrt(low * high), np.nan)
