"""Runs of agents on tasks of known length: who tried what, how often, with what success."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.runs.run import Runs
from allometry.trends.dates import decimal_years

Array = NDArray[np.float64]
Index = NDArray[np.intp]

FEWEST_TASKS = 4
# Headers of the table of runs that METR publishes with its horizons.
_ALSO_CALLED = {
    "alias": "agent", "model": "agent", "task_id": "task", "task_family": "family",
    "human_minutes": "minutes", "score_binarized": "score", "success": "score",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskRuns:
    """Runs as arrays. Legend: a agents, t tasks, r runs.

    Attributes:
        agents, tasks: Names, in the order of the indices.
        released: Decimal year of each agent's release, of shape (a,); NaN where it is not known.
        log2_minutes: Of each task's length as people take it, of shape (t,).
        family: Index of each task's family, of shape (t,).
        agent, task, score: Of each run, of shape (r,); scores from 0 to 1.
    """

    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    released: Array
    log2_minutes: Array
    family: Index
    agent: Index
    task: Index
    score: Array

    @cached_property
    def counts(self) -> Array:
        """Runs of each agent at each task, of shape (a, t)."""
        return self._sums(np.ones(len(self.score)))

    @cached_property
    def shares(self) -> Array:
        """Mean score of each agent at each task, of shape (a, t); 0 where it did not try."""
        return np.asarray(self._sums(self.score) / np.maximum(self.counts, 1))

    @cached_property
    def weights(self) -> Array:
        """What an agent's runs at a task weigh together, of shape (a, t); each agent's sum to 1.

        A run weighs 1 / (runs at the task · √(tasks in the family)), tasks that the agent tried: a family
        of many alike tasks counts more than one task, and less than all of them.

        Source:
            Kwa et al. 2025, section 3.2, arXiv:2503.14499.
        """
        tried = (self.counts > 0).astype(np.float64)
        inside = sums_by(tried, self.family)
        raw = tried / np.sqrt(np.maximum(inside[:, self.family], 1))
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))

    @cached_property
    def effective_tasks(self) -> Array:
        """How many equally weighted tasks the weights are worth, of shape (a,).

        Runs of one task share its difficulty, so that a task counts once however often it was tried.

        Source:
            Kish 1965, Survey Sampling, section 11.7.
        """
        return np.asarray(1 / (self.weights**2).sum(axis=1))

    def _sums(self, values: Array) -> Array:
        shape = (len(self.agents), len(self.tasks))
        flat = np.bincount(self.agent * shape[1] + self.task, weights=values, minlength=shape[0] * shape[1])
        return flat.reshape(shape).astype(np.float64)


def read_task_runs(runs: Runs) -> TaskRuns:
    """Task runs from a table: agent, task, minutes and score; family and release_date where known.

    Without `family` every task is its own. The headers of METR's published runs (alias, task_id, task_family,
    human_minutes, score_binarized) are understood.

    Raises:
        MissingColumn: If one of the four is not there.
        InputError: If a length is not above zero, a score is not in [0, 1], or a task has two lengths.
        FitError: If there are fewer than four tasks.

    >>> columns = {"agent": "a", "task": list("wxyz"), "minutes": [1, 4, 16, 64], "score": [1, 1, 0, 0]}
    >>> read_task_runs(Runs(pd.DataFrame(columns))).weights.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    known = _renamed(runs)
    known.require("agent", "task", "minutes", "score")
    table = known.table
    minutes, score = known.column("minutes"), known.column("score")
    _refuse_lengths(minutes)
    _refuse_scores(score)
    agent, agents = _coded(table["agent"])
    task, tasks = _coded(table["task"])
    if len(tasks) < FEWEST_TASKS:
        raise FitError(
            f"A curve of success against length needs {FEWEST_TASKS} tasks or more; there are {len(tasks)}."
        )
    family = _coded(table["family"])[0] if "family" in table else task
    dates = decimal_years(table["release_date"], name="release_date") if "release_date" in table else None
    return TaskRuns(
        agents=agents,
        tasks=tasks,
        released=_one_each(dates, agent, agents, "agent", "release dates"),
        log2_minutes=_one_each(np.log2(minutes), task, tasks, "task", "lengths"),
        family=_one_each(family.astype(np.float64), task, tasks, "task", "families").astype(np.intp),
        agent=agent,
        task=task,
        score=score,
    )


def sums_by(values_at: Array, group_t: Index) -> Array:
    """Sums over the tasks of each group, of shape (a, groups).

    >>> sums_by(np.array([[1.0, 2.0, 4.0]]), np.array([0, 1, 0])).tolist()
    [[5.0, 2.0]]
    """
    groups = int(group_t.max()) + 1
    return np.stack([np.bincount(group_t, weights=row, minlength=groups) for row in values_at])


def _renamed(runs: Runs) -> Runs:
    present = set(runs.table.columns)
    names = {old: new for old, new in _ALSO_CALLED.items() if old in present and new not in present}
    first = {new: old for old, new in reversed(names.items())}  # the earliest in the list above
    return Runs(runs.table.rename(columns={old: new for new, old in first.items()}), source=runs.source)


def _coded(column: pd.Series) -> tuple[Index, tuple[str, ...]]:
    if column.isna().any():
        row = int(np.flatnonzero(column.isna())[0]) + 1
        raise InputError(f"Column '{column.name}' is empty in row {row}; every run has one.")
    codes, names = pd.factorize(column.astype(str), sort=False)
    return codes.astype(np.intp), tuple(names)


def _one_each(values: Array | None, codes: Index, names: tuple[str, ...], noun: str, what: str) -> Array:
    """The one value that all rows of a name share; NaN for all where there are no values."""
    found = np.full(len(names), np.nan)
    if values is None:
        return found
    found[codes[::-1]] = values[::-1]
    differs = ~np.isclose(values, found[codes], rtol=0, atol=1e-6, equal_nan=True)
    if differs.any():
        name = names[codes[np.flatnonzero(differs)[0]]]
        raise InputError(f"The rows of {noun} '{name}' state several {what}; give each {noun} one.")
    return found


def _refuse_lengths(minutes: Array) -> None:
    bad = np.flatnonzero(~(np.isfinite(minutes) & (minutes > 0)))
    if bad.size:
        raise InputError(
            f"Row {bad[0] + 1}: a task length of {minutes[bad[0]]:g} minutes; a length is above "
            'zero. Leave such rows out with where="minutes > 0".'
        )


def _refuse_scores(score: Array) -> None:
    bad = np.flatnonzero(~((score >= 0) & (score <= 1)))
    if bad.size:
        raise InputError(
            f"Row {bad[0] + 1}: a score of {score[bad[0]]:g}; a score lies between 0 (failed) and 1 "
            "(succeeded). Divide points by the most that can be reached."
        )
