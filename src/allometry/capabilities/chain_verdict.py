"""Can a task's score be forecast from these runs: a stated rule with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.chain_tasks import Task

Array = NDArray[np.float64]

# The rule, in round numbers; benchmarks/task_forecasts.py prints what they separate.
LOWEST_SHARE = 1 / 3  # of the runs, those of least loss, say whether the task is above chance
LEAST_SIGNAL = 3.0  # rise over the runs, in standard deviations of one run
MOST_ERROR = 0.03  # mean absolute error of the back-test, in points of the score
BACKTEST_SHARE = 0.25  # of the runs, those of least expected loss, are forecast from the others
_CONFIDENCE = 0.95

RULE = (
    f"At chance: the mean score of the third of the runs with least loss is not above chance at one-sided "
    f"{_CONFIDENCE:.0%}. Predictable: the fitted score rises over the runs by at least {LEAST_SIGNAL:g} "
    f"standard deviations of one run, and the quarter of the runs with least expected loss is forecast from "
    f"the others to within {MOST_ERROR:g} on average. Not yet: anything else."
)


class Predictability(StrEnum):
    """What the rule says of one task."""

    PREDICTABLE = "predictable"
    NOT_YET = "not yet"
    AT_CHANCE = "at chance"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the rule says, and the numbers that it looked at.

    Attributes:
        above_chance: Lower end of the one-sided interval of the best third's mean score above chance; NaN
            where chance is not known.
        signal: Rise of the fitted score over the runs, in standard deviations of one run.
        backtest: Mean absolute error on the runs of least expected loss, forecast from the others.
    """

    says: Predictability
    above_chance: float
    signal: float
    backtest: float

    @property
    def because(self) -> str:
        """The number that decided, in words."""
        if self.says is Predictability.AT_CHANCE:
            return f"the best runs are above guessing by {self.above_chance:+.3f} at the least"
        if not self.signal >= LEAST_SIGNAL:
            return f"the score rises by {self.signal:.1f} standard deviations of one run"
        if not self.backtest <= MOST_ERROR:
            return f"the back-test is off by {self.backtest:.3f}"
        return (
            f"the back-test is off by {self.backtest:.3f}, and the score rises by {self.signal:.1f} standard "
            "deviations of one run"
        )


def judge(task: Task, losses: Array, scores: Array, *, signal: float, backtest: float) -> Verdict:
    """Apply the rule.

    Args:
        losses, scores: Of the final runs, of shape (runs,).

    >>> task, losses = Task(score="acc", chance=0.25), np.linspace(3, 1, 9)
    >>> judge(task, losses, np.full(9, 0.25), signal=0.0, backtest=0.0).says
    <Predictability.AT_CHANCE: 'at chance'>
    """
    lower = least_above_chance(task, losses, scores)
    if lower <= 0:
        says = Predictability.AT_CHANCE
    elif signal >= LEAST_SIGNAL and backtest <= MOST_ERROR:
        says = Predictability.PREDICTABLE
    else:
        says = Predictability.NOT_YET
    return Verdict(says=says, above_chance=lower, signal=signal, backtest=backtest)


def least_above_chance(task: Task, losses: Array, scores: Array) -> float:
    """Lower end of the one-sided t interval of the best runs' mean score, less chance; NaN without chance."""
    from scipy.stats import t

    if task.chance is None:
        return float("nan")
    count = max(3, int(np.ceil(LOWEST_SHARE * len(losses))))
    best = task.above_chance(scores[np.argsort(losses, kind="stable")[:count]])
    error = best.std(ddof=1) / np.sqrt(count)
    return float(best.mean() - t.ppf(_CONFIDENCE, count - 1) * error)
