"""Refusals that all columns of scores share: no share in [0, 1], or one that no guessing explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError, TableError
from allometry.runs.run import Runs

BELOW_CHANCE = 0.05  # a score lower than chance by more than this is no luck of guessing


def refuse_no_shares(runs: Runs, column: str, way_out: str = "Divide percentages by 100.") -> None:
    """Refuse scores outside [0, 1].

    Raises:
        TableError: If there is one.
    """
    scores = runs.column(column)
    bad = (scores < 0) | (scores > 1)
    refuse_rows(runs, column, bad, f"a score is a share in [0, 1]. {way_out}")


def refuse_below_chance(runs: Runs, column: str, chance: float, *, falls: bool = False) -> None:
    """Refuse a chance that is no share, and scores worse than guessing by more than its luck.

    Args:
        chance: Score of guessing; where the column `falls` as models get better, error of guessing.

    Raises:
        InputError: If chance leaves no room for a better score.
        TableError: If a score lies beyond chance by more than 0.05.
    """
    refuse_chance(column, chance, falls=falls)
    scores = runs.column(column)
    worse = scores - chance if falls else chance - scores
    refuse_rows(
        runs, column, worse > BELOW_CHANCE,
        f"guessing scores {chance:g}. Check how it is scored, give another chance, or leave chance away.",
    )  # fmt: skip


def refuse_chance(column: str, chance: float, *, falls: bool = False) -> None:
    """Refuse a chance that is no share, or leaves no room for a better score.

    Raises:
        InputError: If it is.
    """
    if not 0 <= (1 - chance if falls else chance) < 1:
        raise InputError(
            f"Chance on '{column}' is {chance:g}; it is a share, for example 0.25 for four choices (of an "
            "error: 0.75). Divide percentages by 100."
        )


def refuse_rows(runs: Runs, column: str, bad: NDArray[np.bool_], rule: str) -> None:
    """Name the first of the rows that break a rule, and how many do.

    Raises:
        TableError: If there is one.
    """
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        more = f" ({int(bad.sum())} rows in all)" if bad.sum() > 1 else ""
        value = runs.column(column)[row]
        raise TableError(f"{runs.source}: '{column}' is {value:g} in row {row + 1}{more}; {rule}")
