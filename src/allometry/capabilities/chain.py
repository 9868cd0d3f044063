"""`chain`: from size and data to a loss, from the loss to the score of a task, with what neither knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from allometry.capabilities.chain_forecast import SOURCES, chained
from allometry.capabilities.chain_steps import (
    LossStep,
    Steps,
    backtest,
    direct_step,
    drawn_score,
    loss_step,
    score_step,
    signal_to_noise,
    with_along,
)
from allometry.capabilities.chain_tasks import (
    Task,
    last_rows,
    read_tasks,
    refuse_impossible,
    rows_with_both,
    scored,
)
from allometry.capabilities.chain_verdict import Predictability, Verdict, judge
from allometry.errors import InputError
from allometry.fitting.observations import finished
from allometry.fitting.result import Fit, Forecast
from allometry.fitting.uncertainty import bootstrap
from allometry.runs.run import Runs


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskChain:
    """Both steps of one task, and what stands beside them.

    Attributes:
        loss, score: Steps one and two, with draws; without them for a task at chance.
        direct: Score by compute alone, with draws as the steps.
        largest: Score of the run with the most compute: what "no change" forecasts, and what ranking recipes
            at a single scale goes by.
        verdict: Whether the rule calls the task predictable.
    """

    task: Task
    loss: Fit = field(repr=False)
    score: Fit = field(repr=False)
    direct: Fit = field(repr=False)
    largest: float
    verdict: Verdict

    @property
    def declined_because(self) -> str:
        """Why there is no forecast, in words; empty where there is one."""
        if self.verdict.says is not Predictability.AT_CHANCE:
            return ""
        return f"'{self.task.score}' is at chance in these runs: {self.verdict.because}"

    def forecast(self, level: float = 0.9, **inputs: float) -> Forecast:
        """The score of a new run, by both steps.

        Raises:
            InputError: If an input is missing or unknown, or the task is at chance.
        """
        if self.declined_because:
            raise InputError(
                f"{self.declined_because}. A curve through guesses says nothing about larger runs; "
                "measure larger runs, or a loss on the task's answers."
            )
        return chained(self.loss, self.score, inputs, level=level)


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Chains of several tasks, fitted to one recipe's runs.

    Attributes:
        runs: The final runs, one row each, with the column that the direct law reads.
        along: That column.
        tasks: Column of a score to its chain.
    """

    runs: Runs = field(repr=False)
    along: str
    tasks: Mapping[str, TaskChain]

    def verdicts(self) -> pd.DataFrame:
        """One row a task: what the rule says, and its numbers."""
        rows = [
            {
                "task": name, "says": str(one.verdict.says), "above_chance": one.verdict.above_chance,
                "signal": one.verdict.signal, "backtest": one.verdict.backtest,
                "because": one.verdict.because,
            }
            for name, one in self.tasks.items()
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def place(self, inputs: Mapping[str, float]) -> float:
        """Where a new run stands on the direct law's column.

        Raises:
            InputError: If that column is neither given nor follows from params and tokens.
        """
        if self.along in inputs:
            return float(inputs[self.along])
        if self.along == "flops" and {"params", "tokens"} <= set(inputs):
            return 6.0 * inputs["params"] * inputs["tokens"]
        raise InputError(
            f"The direct law beside the chain reads '{self.along}': give it too, or params and tokens."
        )

    def forecasts(self, level: float = 0.9, **inputs: float) -> pd.DataFrame:
        """One row a task: the chain, the direct law and "no change" for a new run.

        Returns:
            task, says, because (the numbers that the rule looked at), largest, declined, forecast, low, high,
            step_one (share of the squared width that comes from the loss), direct, direct_low, direct_high.
            Declined tasks have no forecast and say why.

        Raises:
            InputError: If an input is missing or unknown.
        """
        place = self.place(inputs)
        read = {name: value for name, value in inputs.items() if name in self._read}
        return pd.DataFrame([_row(one, level, read, {self.along: place}) for one in self.tasks.values()])

    @property
    def _read(self) -> set[str]:
        fits = [one.loss for one in self.tasks.values()]
        return {name for fit in fits for pair in fit.inputs.items() for name in pair}


def chain(
    runs: Runs,
    tasks: Sequence[Task | str],
    *,
    chance: Mapping[str, float] | None = None,
    steps: Steps | None = None,
) -> Chain:
    """Fit chains from size and data over the loss to the scores of tasks.

    Step one fits the loss to the final row of each run; step two the score to the loss. Both are refitted to
    resamples, and the draws are kept in pairs. Checkpoints of a run are not used: they are no further
    evidence on what another run would do.

    Args:
        tasks: Tasks, or words of the form score=loss as `read_tasks` takes them.
        steps: The laws, and the draws.
        chance: Column of a score to the score of guessing, for tasks given as words.

    Raises:
        MissingColumn: If a score, a loss, or an input is not there.
        TableError: If a score lies outside [0, 1], or so far below chance that no guessing explains it.
        FitError: If the runs cannot carry the laws.

    >>> sizes = np.repeat(np.geomspace(1e7, 1e9, 4), 3)
    >>> tokens = sizes * np.tile([5.0, 20.0, 80.0], 4)
    >>> loss = 0.5 + 60 / sizes**0.3 + 60 / tokens**0.3
    >>> score = 1 - 0.75 / (1 + np.exp(-6 * (loss - 0.75)))
    >>> runs = Runs(pd.DataFrame({"params": sizes, "tokens": tokens, "loss": loss, "acc": score}))
    >>> found = chain(runs, ["acc"], chance={"acc": 0.25}, steps=Steps(draws=20))
    >>> forecast = found.tasks["acc"].forecast(params=4e9, tokens=8e10)
    >>> round(forecast.median, 3), str(found.tasks["acc"].verdict.says)
    (0.773, 'predictable')
    """
    how = steps or Steps()
    asked = _tasks(tasks, chance)
    final = with_along(last_rows(finished(runs)), how.along)
    refuse_impossible(final, asked)
    firsts: dict[tuple[str, bytes], LossStep] = {}
    made = {task.score: _chain_of(final, task, how, firsts) for task in asked}
    return Chain(runs=final, along=how.along, tasks=made)


def _tasks(tasks: Sequence[Task | str], chance: Mapping[str, float] | None) -> list[Task]:
    ready = [task for task in tasks if isinstance(task, Task)]
    words = [task for task in tasks if isinstance(task, str)]
    return [*ready, *(read_tasks(words, chance) if words or not ready else ())]


def _chain_of(final: Runs, task: Task, steps: Steps, firsts: dict[tuple[str, bytes], LossStep]) -> TaskChain:
    """One task's chain; step one is that in `firsts` where another task left the same there."""
    runs = scored(final, task)
    same = (task.loss, rows_with_both(final, task).tobytes())
    if same not in firsts:
        firsts[same] = loss_step(runs, task.loss, steps)
    first = firsts[same]
    score, direct = score_step(runs, task, steps), direct_step(runs, task, steps)
    losses, scores = runs.column(task.loss), runs.column(task.score)
    verdict = judge(task, losses, scores, signal=signal_to_noise(score), backtest=backtest(first, score))
    loss = first.point
    if verdict.says is not Predictability.AT_CHANCE:
        loss, score = first.drawn, drawn_score(first.drawn, score, steps)
        direct = bootstrap(direct, draws=steps.draws, seed=steps.seed, starts=1)
    largest = float(scores[np.argmax(runs.column(steps.along))])
    return TaskChain(task=task, loss=loss, score=score, direct=direct, largest=largest, verdict=verdict)


def _row(
    one: TaskChain, level: float, inputs: Mapping[str, float], place: Mapping[str, float]
) -> dict[str, object]:
    """A task's forecasts as one row; of a declined one only what was measured."""
    row: dict[str, object] = {
        "task": one.task.score,
        "says": str(one.verdict.says),
        "because": one.verdict.because,
        "largest": one.largest,
        "declined": one.declined_because,
    }
    if one.declined_because:
        return row | dict.fromkeys(_FORECAST, float("nan"))
    found, direct = one.forecast(level, **inputs), one.direct.predict(level, **place)
    ends = (_share(value) for value in (direct.median, direct.low, direct.high))
    first = sum(found.width[source] for source in SOURCES[:2]) if found.width else float("nan")
    return row | dict(zip(_FORECAST, (found.median, found.low, found.high, first, *ends), strict=True))


def _share(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


_FORECAST = ("forecast", "low", "high", "step_one", "direct", "direct_low", "direct_high")
