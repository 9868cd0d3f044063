"""Attempts and successes by problem, as read, and whether they can be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from allometry.errors import InputError, MissingColumn, TableError
from allometry.fitting.checks.definition import serious, warning
from allometry.fitting.result import Finding
from allometry.runs.importers.table import read_runs
from allometry.runs.run import Runs

Whole = npt.NDArray[np.int64]
ALIASES = {
    "problem": ("problem", "problem_id", "task", "task_id", "question", "id", "example"),
    "attempts": ("attempts", "n", "samples", "num_samples", "n_samples", "total", "tries"),
    "successes": ("successes", "c", "correct", "num_correct", "n_correct", "passed", "passes"),
}
_UNLIKELY = 0.001  # such a difference in n by outcome is not chance


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """How many attempts were made at each problem, and how many were right.

    Attributes:
        attempts: n, of shape (problems,).
        successes: c, of shape (problems,).
        problems: Their names.
        source: Where the counts are from, in words.
    """

    attempts: Whole
    successes: Whole
    problems: tuple[str, ...]
    source: str = "memory"

    @classmethod
    def of(cls, attempts: npt.ArrayLike, successes: npt.ArrayLike, source: str = "memory") -> Counts:
        """Counts from arrays.

        Raises:
            InputError: If a count is negative or no whole number, or c exceeds n.
        """
        n, c = np.broadcast_arrays(np.asarray(attempts, np.float64), np.asarray(successes, np.float64))
        if n.ndim != 1 or not n.size:
            raise InputError("Counts are one list of attempts and one of successes, of at least one problem.")
        refuse_counts(n, c)
        names = tuple(str(place) for place in range(n.size))
        return cls(attempts=n.astype(np.int64), successes=c.astype(np.int64), problems=names, source=source)

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def solved(self) -> float:
        """Share of the problems with at least one success."""
        return float((self.successes > 0).mean())

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What makes the counts doubtful."""
        found = (_stopped_on_success(self), _never_solved(self))
        return tuple(one for one in found if one is not None)

    @property
    def stopped_early(self) -> bool:
        """Whether the attempts at a problem seem to have ended with a success, which biases pass@k."""
        return any(finding.code == "stopped_on_success" for finding in self.findings)

    def thinned(self, attempts: int, seed: int = 0) -> Counts:
        """What so many of the attempts at each problem, chosen at random, would have shown.

        Raises:
            InputError: If fewer were made at some problem.
        """
        if not 1 <= attempts <= int(self.attempts.min()):
            raise InputError(
                f"{attempts} attempts cannot be drawn from {int(self.attempts.min())} at a problem."
            )
        rng = np.random.default_rng(seed)
        kept = rng.hypergeometric(self.successes, self.attempts - self.successes, attempts)
        return Counts(
            attempts=np.full(len(self), attempts), successes=kept, problems=self.problems, source=self.source
        )


def read_counts(
    source: str | Path | pd.DataFrame | Runs, *, columns: Mapping[str, str] | None = None, where: str = ""
) -> Counts:
    """Counts from a table of one row a problem: its attempts n and how many were right, c.

    Args:
        source: A table as `read_runs` takes it, or the JSON that `allometry attempts … --json` prints.
        columns: Header to "problem", "attempts" or "successes", where a header is not one of the usual.
        where: SQL condition on the rows, for example "model = 'Pythia 12B'".

    Raises:
        MissingColumn: If attempts or successes are not there.
        TableError: If a problem has more than one row.
        InputError: If a count cannot be, or no row is left.

    >>> table = pd.DataFrame({"model": ["a", "a", "b"], "problem": [1, 2, 1], "n": 4, "c": [0, 3, 4]})
    >>> read_counts(table, where="model = 'a'").successes
    array([0, 3])
    """
    runs = source if isinstance(source, Runs) else read_runs(_table_of(source), columns={})
    runs = runs.where(where, because="asked for") if where else runs
    if not len(runs):
        said = f" where {where}" if where else ""
        raise InputError(f"{runs.source} has no row{said}. Check the condition.")
    given = {name: header for header, name in (columns or {}).items()}
    table = runs.table
    found = {name: _header(table, name, given.get(name), runs.source) for name in ALIASES}
    names = table[found["problem"]].astype(str) if found["problem"] else pd.Series(range(len(table)))
    _refuse_repeats(table, names.astype(str), runs.source)
    made = Counts.of(table[found["attempts"]], table[found["successes"]], runs.source)
    return Counts(
        attempts=made.attempts, successes=made.successes, problems=tuple(map(str, names)), source=runs.source
    )


def refuse_counts(attempts: npt.NDArray[np.float64], successes: npt.NDArray[np.float64]) -> None:
    """Refuse counts that cannot be.

    Raises:
        InputError: Naming the first that is wrong.
    """
    n, c = (part.ravel() for part in np.broadcast_arrays(attempts, successes))
    whole = (np.mod(n, 1) == 0) & (np.mod(c, 1) == 0)  # NaN and infinity are not either
    rules = {
        "both are whole numbers": ~whole,
        "at least one attempt is needed": n < 1,
        "successes are not below zero": c < 0,
        "successes cannot exceed attempts": c > n,
    }
    for rule, broken in rules.items():
        if broken.any():
            place = int(broken.argmax())
            raise InputError(
                f"Row {place + 1} has {c[place]:g} successes in {n[place]:g} attempts: {rule}. "
                "Check which columns are n and c."
            )


def refuse_stopped(counts: Counts) -> None:
    """Refuse counts whose attempts ended on success.

    Raises:
        InputError: With the evidence and the way out.
    """
    for finding in counts.findings:
        if finding.code == "stopped_on_success":
            raise InputError(f"{finding.sentence} {finding.remedy}")


def _table_of(source: str | Path | pd.DataFrame) -> str | Path | pd.DataFrame:
    if isinstance(source, pd.DataFrame) or Path(source).suffix != ".json" or not Path(source).exists():
        return source
    read = json.loads(Path(source).read_text())
    return pd.DataFrame(read["problems"]) if isinstance(read, dict) and "problems" in read else source


def _header(table: pd.DataFrame, name: str, given: str | None, source: str) -> str:
    if given is not None and given not in table.columns:
        raise MissingColumn(f"{source} has no '{given}'. It has: {', '.join(map(str, table.columns))}.")
    lowered = {str(header).lower(): str(header) for header in table.columns}
    found = given or next((lowered[alias] for alias in ALIASES[name] if alias in lowered), "")
    if not found and name != "problem":
        raise MissingColumn(
            f"{source} has no column of {name}. It has: {', '.join(map(str, table.columns))}. "
            f"Say which it is: columns={{'header': '{name}'}}, or --columns header={name}."
        )
    return found


def _refuse_repeats(table: pd.DataFrame, names: pd.Series, source: str) -> None:
    if not names.duplicated().any():
        return
    twice = str(names[names.duplicated()].iloc[0])
    kinds = [str(name) for name in table if table[name].dtype == object and 1 < table[name].nunique() < 50]
    raise TableError(
        f"Problem '{twice}' has more than one row in {source}. One row is one problem of one model: choose "
        f"with where, for example on {' or '.join(kinds) or 'the column that tells them apart'}."
    )


def _stopped_on_success(counts: Counts) -> Finding | None:
    """n smaller where something was found: attempts ended with the success that was waited for."""
    n, right = counts.attempts, counts.successes > 0
    if len(np.unique(n)) == 1:
        return _one_success_each(counts)
    if right.all() or not right.any():
        # All solved with exactly one success each, at different n: each series ended with its success.
        if right.all() and len(np.unique(n)) > 2 and (counts.successes == 1).all():
            return _stopping(counts, "every problem has one success, at different n")
        return None
    from scipy.stats import mannwhitneyu  # takes a second to load

    chance = float(mannwhitneyu(n[right], n[~right], alternative="two-sided").pvalue)
    gap = abs(np.log(np.median(n[right]) / np.median(n[~right])))
    exactly_one = (counts.successes[right] == 1).all() and (n[right] <= n[~right].max()).all()
    if chance < _UNLIKELY or (exactly_one and gap > 0):
        return _stopping(
            counts,
            f"solved problems had {np.median(n[right]):g} attempts in the median, unsolved ones "
            f"{np.median(n[~right]):g}",
        )
    return None


def _one_success_each(counts: Counts) -> Finding | None:
    """The budget stands as n everywhere, but the attempts ended with the first success.

    With u = (1 - p)^n, one success has the chance n (u^((n-1)/n) - u), which is concave in u. So at a given
    share of unsolved problems exactly one success is commonest where all problems are equally hard.
    """
    n, solved = int(counts.attempts[0]), int((counts.successes > 0).sum())
    if n == 1 or not solved or counts.successes.max() > 1:
        return None
    u = (len(counts) - solved + 0.5) / (len(counts) + 1)
    chance = (n * (u ** ((n - 1) / n) - u) / (1 - u)) ** solved
    if chance >= _UNLIKELY:
        return None
    return _stopping(counts, f"all {solved} solved problems have exactly one success in {n} attempts")


def _stopping(counts: Counts, evidence: str) -> Finding:
    return serious(
        "stopped_on_success",
        f"The number of attempts depends on the outcome in {counts.source}: {evidence}. pass@k from such "
        "counts is biased.",
        "Make the same number of attempts at every problem, whatever comes of them.",
        {"fewest": float(counts.attempts.min()), "most": float(counts.attempts.max())},
    )


def _never_solved(counts: Counts) -> Finding | None:
    solved = int((counts.successes > 0).sum())
    if solved >= 5:
        return None
    return warning(
        "few_solved",
        f"Only {solved} of {len(counts)} problems were solved at all; the tail of hard problems cannot be "
        "told from so few.",
        "Make more attempts, or add easier problems.",
        {"solved": float(solved)},
    )
