"""Resamples of task runs: whole families, or as published families, tasks in them and runs of each task.

Legend: d draws, a agents, t tasks, f families.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from allometry.trends.task_runs import TaskRuns, sums_by

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Index = NDArray[np.intp]
Resampling = Literal["families", "published"]

RESAMPLINGS: tuple[Resampling, ...] = ("families", "published")
_AT_ONCE = 50  # draws whose tables of agents and tasks are held at a time, fewer where these are large
_CELLS_AT_ONCE = 400_000  # draws x agents x tasks: what a processor's cache holds


def resampled(
    runs: TaskRuns, draws: int, seed: int, resampling: Resampling = "families"
) -> Iterator[tuple[Array, Array]]:
    """Blocks of draws: how often each task counts, of shape (d, t), and mean scores, of shape (d, a, t).

    All agents share the tasks of a draw, as they share the suite.

    Args:
        resampling: "families" draws whole families and leaves what is in them as it is; "published" draws
            families, tasks in them and runs of each task, which counts the noise of tasks twice and that of
            runs three times (docs/trends/time-horizon.md).
    """
    rng = np.random.default_rng(seed)
    cells = len(runs.agents) * len(runs.tasks)
    block = max(1, min(_AT_ONCE, _CELLS_AT_ONCE // cells))
    sizes = (min(block, draws - at) for at in range(0, draws, block))
    if resampling == "published":
        return _three_levels(runs, sizes, rng)
    return _whole_families(runs, sizes, rng)


def clusters(runs: TaskRuns) -> Index:
    """What each task shares its luck with, of shape (t,): its family; itself where there is one family."""
    return runs.family if runs.family.max() > 0 else np.arange(len(runs.tasks))


def effective_clusters(runs: TaskRuns) -> Array:
    """How many equally weighted families each agent's weights are worth, of shape (a,).

    Source:
        Kish 1965, Survey Sampling, section 11.7.
    """
    return np.asarray(1 / (sums_by(runs.weights, clusters(runs)) ** 2).sum(axis=1))


def widened(log2_da: Array, best_a: Array, families_a: Array, rng: np.random.Generator) -> Array:
    """Draws whose distances from the estimate are those of a t distribution with families - 1 degrees.

    How much families differ is itself known from these few of them; all agents of a draw are moved alike.

    Source:
        Hesterberg 2015, section 4.1, doi:10.1080/00031305.2015.1089789, with Kish's number of families.
    """
    freedom = np.maximum(families_a - 1, 1)
    factor = np.sqrt(freedom / (2 * gammaincinv(freedom / 2, rng.random((len(log2_da), 1)))))  # chi-squared
    return np.where(np.isfinite(best_a), best_a + factor * (log2_da - best_a), log2_da)


def _whole_families(
    runs: TaskRuns, sizes: Iterator[int], rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Draw one family fewer than there are, with replacement, each counted f / (f - 1) times.

    The variance of a mean over families is then that of the sample without bias. It holds the noise of tasks
    and runs already, because family means differ by that too: nothing below is drawn again.

    Source:
        Nested levels: Davison and Hinkley 1997, section 3.8; Owen and Eckles 2012, arXiv:1106.2125. One
        fewer: McCarthy and Snowden 1985; Rao and Wu 1988, doi:10.1080/01621459.1988.10478591.
    """
    cluster = clusters(runs)
    count = int(cluster.max()) + 1
    for size in sizes:
        copies = rng.multinomial(count - 1, np.full(count, 1 / count), size=size)
        counted = copies.astype(np.float64) * (count / (count - 1))
        yield counted[:, cluster], np.broadcast_to(runs.shares, (size, *runs.shares.shape))


def _three_levels(
    runs: TaskRuns, sizes: Iterator[int], rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """Draw families, as many as there are; in each copy of one its tasks; and the runs of each task drawn.

    Of a task drawn c times c times its runs are drawn, each agent's by itself. Copies of a family are drawn
    apart, so that counts of tasks are multinomial, and successes among runs of 0 or 1 binomial: no run is
    copied.

    Source:
        Kwa et al. 2025, section 3.2, arXiv:2503.14499.
    """
    partial = _partial_cells(runs)
    for size in sizes:
        tasks_dt = drawn_tasks(runs, size, rng)
        picks = tasks_dt[:, None, :] * runs.counts.astype(np.int64)
        scores = rng.binomial(picks, runs.shares).astype(np.float64)
        for rows, columns, values in partial:
            drawn = rng.multinomial(picks[:, rows, columns], np.full(values.shape[1], 1 / values.shape[1]))
            scores[:, rows, columns] = np.einsum("dcr,cr->dc", drawn, values)
        yield tasks_dt.astype(np.float64), scores / np.maximum(picks, 1)


def drawn_tasks(runs: TaskRuns, draws: int, rng: np.random.Generator) -> Counts:
    """How often each task is drawn where families and then tasks in them are, of shape (d, t)."""
    families = int(runs.family.max()) + 1
    copies = rng.multinomial(families, np.full(families, 1 / families), size=draws)
    found = np.zeros((draws, len(runs.tasks)), dtype=np.int64)
    together = np.argsort(runs.family, kind="stable")
    ends = np.cumsum(np.bincount(runs.family, minlength=families))
    for family, inside in enumerate(np.split(together, ends[:-1])):
        even = np.full(len(inside), 1 / len(inside))
        found[:, inside] = rng.multinomial(copies[:, family] * len(inside), even)
    return found


def _partial_cells(runs: TaskRuns) -> list[tuple[Index, Index, Array]]:
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
