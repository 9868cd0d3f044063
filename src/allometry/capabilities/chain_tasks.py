"""A task of a table of runs: where its score stands, which loss explains it, what guessing scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.shares import refuse_below_chance, refuse_chance, refuse_no_shares
from allometry.errors import FitError, InputError, TableError
from allometry.runs.run import Runs

Array = NDArray[np.float64]
_FEWEST = 6  # runs: a law of three coefficients, and some to judge it by


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task, in the columns of a table.

    Attributes:
        score: Column of its score, a share in [0, 1].
        loss: Column of the loss that explains the score: of the run, or of the task's own correct answers.
        chance: The score of guessing; None where it is not known, or where there is none.
        falls: Whether the column is an error, which falls as a model gets better; `chance` is then an error.
    """

    score: str
    loss: str = "loss"
    chance: float | None = None
    falls: bool = False

    def __post_init__(self) -> None:
        if self.chance is not None:
            refuse_chance(self.score, self.chance, falls=self.falls)

    @property
    def best(self) -> float:
        """What a perfect model would have in this column."""
        return 0.0 if self.falls else 1.0

    def above_chance(self, scores: Array | float) -> Array:
        """How much better than guessing, above zero for an error too."""
        chance = 0.0 if self.chance is None else self.chance
        return np.asarray(chance - np.asarray(scores) if self.falls else np.asarray(scores) - chance)


def read_tasks(
    columns: Iterable[str], chance: Mapping[str, float] | None = None, *, falls: bool = False
) -> tuple[Task, ...]:
    """Tasks from words of the form score=loss, or score alone where the run's own loss explains it.

    Args:
        chance: Column of a score to the score of guessing.
        falls: Whether the columns are errors.

    Raises:
        InputError: If there is no task, or chance is given for a column that is none.

    >>> [(task.score, task.loss) for task in read_tasks(["acc=answer_loss", "f1"])]
    [('acc', 'answer_loss'), ('f1', 'loss')]
    """
    known = dict(chance or {})
    tasks = tuple(_read(text, known, falls) for text in columns)
    if not tasks:
        raise InputError('Name at least one task by the column of its score: tasks=["acc=answer_loss"].')
    if known:
        raise InputError(
            f"Chance is given for '{next(iter(known))}', which is no task; they are: "
            f"{', '.join(task.score for task in tasks)}."
        )
    return tasks


def _read(text: str, chance: dict[str, float], falls: bool) -> Task:
    """One task; its chance is taken out of those that are left."""
    score, _, loss = (part.strip() for part in text.partition("="))
    return Task(score=score, loss=loss or "loss", chance=chance.pop(score, None), falls=falls)


def last_rows(runs: Runs, order: str = "tokens") -> Runs:
    """One row a run, its last: checkpoints of one run share its luck and are not independent.

    Raises:
        TableError: If runs repeat and the column that orders their rows is not there.
    """
    table = runs.table
    if "run_id" not in table.columns or not table["run_id"].duplicated().any():
        return runs
    if order not in table.columns:
        raise TableError(
            f"{runs.source} has several rows of one run and no '{order}' that says which is its last. "
            "Keep one row a run, or give each row a run_id of its own if they are separate trainings."
        )
    kept = table.sort_values(order, kind="stable").groupby("run_id", sort=False).tail(1).sort_index()
    return Runs(kept.reset_index(drop=True), source=runs.source, mapping=runs.mapping, filters=runs.filters)


def refuse_impossible(runs: Runs, tasks: Sequence[Task]) -> None:
    """Refuse scores that are no shares, and scores that no guessing explains.

    Raises:
        MissingColumn: If a column is not there.
        TableError: If a score lies outside [0, 1], or below chance by more than 0.05.
    """
    for task in tasks:
        runs.require(task.score, task.loss)
        refuse_no_shares(runs, task.score)
        if task.chance is not None:
            refuse_below_chance(runs, task.score, task.chance, falls=task.falls)


def rows_with_both(runs: Runs, task: Task) -> NDArray[np.bool_]:
    """Which runs have the score and its loss, of shape (runs,)."""
    both = np.isfinite(runs.column(task.score)) & np.isfinite(runs.column(task.loss))
    return np.asarray(both, dtype=np.bool_)


def scored(runs: Runs, task: Task) -> Runs:
    """The runs that have both the score and its loss.

    Raises:
        FitError: If fewer than six are left.
    """
    both = rows_with_both(runs, task)
    if both.sum() < _FEWEST:
        raise FitError(
            f"{runs.source} has {int(both.sum())} runs with '{task.score}' and '{task.loss}'; a chain from "
            f"loss to task needs {_FEWEST} or more, from several sizes."
        )
    if both.all():
        return runs
    return runs.where(
        f'"{task.score}" IS NOT NULL AND "{task.loss}" IS NOT NULL', because="score or loss missing"
    )
