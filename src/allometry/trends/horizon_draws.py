"""The three-level bootstrap of task runs: families, tasks in them, runs of each task.

Legend: d draws, a agents, t tasks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from allometry.trends.task_runs import TaskRuns

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

_AT_ONCE = 50  # draws whose tables of agents and tasks are held at a time


def resampled(runs: TaskRuns, draws: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Blocks of draws: how often each task was drawn, of shape (d, t), and mean scores, of shape (d, a, t).

    Families are drawn with replacement, as many as there are; in each copy of one its tasks, as many as it
    has; and of a task drawn c times c times its runs, each agent's by itself. All agents share the tasks of
    a draw, as they share the suite. Copies of a family are drawn apart, so that counts of tasks are
    multinomial, and successes among runs of 0 or 1 binomial: no run is copied.

    Source:
        Kwa et al. 2025, section 3.2, arXiv:2503.14499.
    """
    rng = np.random.default_rng(seed)
    partial = _partial_cells(runs)
    for at in range(0, draws, _AT_ONCE):
        tasks_dt = drawn_tasks(runs, min(_AT_ONCE, draws - at), rng)
        picks = tasks_dt[:, None, :] * runs.counts.astype(np.int64)
        scores = rng.binomial(picks, runs.shares).astype(np.float64)
        for rows, columns, values in partial:
            drawn = rng.multinomial(picks[:, rows, columns], np.full(values.shape[1], 1 / values.shape[1]))
            scores[:, rows, columns] = np.einsum("dcr,cr->dc", drawn, values)
        yield tasks_dt.astype(np.float64), scores / np.maximum(picks, 1)


def drawn_tasks(runs: TaskRuns, draws: int, rng: np.random.Generator) -> Counts:
    """How often each task is drawn, of shape (d, t)."""
    families = int(runs.family.max()) + 1
    copies = rng.multinomial(families, np.full(families, 1 / families), size=draws)
    found = np.zeros((draws, len(runs.tasks)), dtype=np.int64)
    for family in range(families):
        inside = np.flatnonzero(runs.family == family)
        even = np.full(len(inside), 1 / len(inside))
        found[:, inside] = rng.multinomial(copies[:, family] * len(inside), even)
    return found


def _partial_cells(
    runs: TaskRuns,
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Array]]:
    """Cells with scores between 0 and 1, by number of runs: agents, tasks, scores of shape (cells, runs)."""
    cell = runs.agent * len(runs.tasks) + runs.task
    order = np.argsort(cell, kind="stable")
    names, first, count = np.unique(cell[order], return_index=True, return_counts=True)
    between = (runs.score > 0) & (runs.score < 1)
    wanted = np.isin(names, cell[between])
    found = []
    for size in np.unique(count[wanted]):
        chosen = wanted & (count == size)
        values = runs.score[order][first[chosen][:, None] + np.arange(size)]
        found.append((names[chosen] // len(runs.tasks), names[chosen] % len(runs.tasks), values))
    return found
