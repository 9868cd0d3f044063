"""Majority and weighted votes over repeated answers, and the plateau where more answers stop helping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from allometry.errors import InputError, MissingColumn
from allometry.fitting.result import Finding
from allometry.runs.importers.table import read_runs
from allometry.runs.run import Runs

Array = npt.NDArray[np.float64]
_NEEDED = ("problem", "count", "right")


@dataclass(frozen=True, kw_only=True, eq=False)
class Ballot:
    """The answers to one problem.

    Attributes:
        share: How often each answer was given, of shape (answers,): counts, or chances that add up to 1.
        right: Which answers are right, of the same shape.
        weight: What one vote for each answer weighs; ones for a majority vote.
    """

    share: Array
    right: npt.NDArray[np.bool_]
    weight: Array

    @property
    def counted(self) -> bool:
        """Whether shares are counts of attempts that were made, rather than chances."""
        return bool(self.share.sum() > 1 + 1e-9 or (self.share == 1).any())

    def winner(self, votes: Array) -> Array:
        """Whether the right answer wins, of shape (draws,); a tie is a fair draw among the tied."""
        totals = votes * self.weight
        tied = totals >= totals.max(axis=1, keepdims=True) * (1 - 1e-12)
        return np.asarray((tied & self.right).sum(axis=1) / tied.sum(axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class VoteCurve:
    """Accuracy of a vote by the number of answers.

    Attributes:
        table: Columns k, accuracy, standard_error (over problems; the draws' own error is far smaller).
        limit: Accuracy with endless answers: the share of problems whose most frequent, or heaviest, answer
            is right.
        coverage_limit: Share of problems with any right answer: what a perfect chooser would reach.
    """

    table: pd.DataFrame
    limit: float
    coverage_limit: float
    weighted: bool
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """The curve in plain words."""
        kind = "Weighted vote" if self.weighted else "Majority vote"
        lines = [
            f"  {int(k):>7d} answers: {accuracy:.3f} ± {error:.3f}"
            for k, accuracy, error in self.table.to_numpy()
        ]
        ends = f"It ends at {self.limit:.3f}; a perfect chooser would reach {self.coverage_limit:.3f}."
        return "\n".join([f"{kind}:", *lines, ends])


def read_ballots(
    source: str | Path | pd.DataFrame | Runs, *, columns: Mapping[str, str] | None = None
) -> list[Ballot]:
    """Ballots from a table of one row an answer: problem, count, right (0 or 1), and weight if there is one.

    Args:
        columns: Header to one of these names.

    Raises:
        MissingColumn: If a column is not there.
        InputError: If a count is below zero, or right is neither 0 nor 1.

    >>> table = pd.DataFrame({"problem": [1, 1], "answer": ["4", "5"], "count": [7, 3], "right": [1, 0]})
    >>> vote(read_ballots(table), 1).table["accuracy"].tolist()
    [0.7]
    """
    runs = source if isinstance(source, Runs) else read_runs(source, columns={})
    table = runs.table.rename(columns=dict(columns or {}))
    for name in _NEEDED:
        if name not in table:
            raise MissingColumn(
                f"{runs.source} has no '{name}'. A vote needs problem, count and right, a row an answer; it "
                f"has: {', '.join(map(str, table.columns))}."
            )
    right = table["right"].astype(np.float64)
    if (table["count"].astype(np.float64) < 0).any() or not right.isin([0, 1]).all():
        raise InputError("Counts of answers are not below zero, and right is 0 or 1 for each answer.")
    table = table.assign(right=right == 1, weight=table.get("weight", 1.0))
    return [_ballot(rows) for _, rows in table.groupby("problem", sort=False)]


def ballots_from_chances(right: npt.ArrayLike, wrong: npt.ArrayLike) -> list[Ballot]:
    """Ballots of problems where only the chance of the right answer is known.

    Args:
        right: Chance of the right answer at each problem.
        wrong: How wrong answers spread: the share of each among the wrong ones, which must add up to 1.

    Raises:
        InputError: If a chance is outside [0, 1] or the shares do not add up to 1.

    Right in 40% of answers wins where the wrong ones scatter:

    >>> scattered, alike = (ballots_from_chances([0.4], wrong) for wrong in ([0.25] * 4, [1.0]))
    >>> vote(scattered, 99).limit, vote(alike, 99).limit
    (1.0, 0.0)
    """
    chance, spread = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (right, wrong))
    if ((chance < 0) | (chance > 1)).any() or (spread < 0).any() or abs(spread.sum() - 1) > 1e-6:
        raise InputError(
            "Chances of the right answer lie in [0, 1], and the shares of the wrong answers add up to 1."
        )
    flags = np.r_[True, np.zeros(spread.size, dtype=np.bool_)]
    return [Ballot(share=np.r_[p, (1 - p) * spread], right=flags, weight=np.ones(flags.size)) for p in chance]


def vote(
    ballots: list[Ballot], k: int | list[int] | tuple[int, ...], *, weighted: bool = False, draws: int = 500,
    seed: int = 0,
) -> VoteCurve:  # fmt: skip
    """Accuracy of the answer with most votes among k answers, averaged over problems.

    From counts it averages over ways to choose k of the answers given, so that it is unbiased; from chances,
    over answers drawn anew.

    Args:
        weighted: Weigh each vote by the ballot's weights, such as a verifier's mean score of that answer.
        draws: At each problem and k.

    Raises:
        InputError: If k is below 1, or above the answers given at some problem.

    Source:
        Wang et al. 2022, arXiv:2203.11171; the plateau against pass@k: Brown et al. 2024, section 4,
        arXiv:2407.21787.
    """
    ks = [int(one) for one in np.atleast_1d(k)]
    _refuse_votes(ballots, ks)
    used = ballots if weighted else [_even(ballot) for ballot in ballots]
    rng = np.random.default_rng(seed)
    each = np.array([[_accuracy(ballot, k, draws, rng) for k in ks] for ballot in used])
    spread = each.std(axis=0, ddof=1) if len(used) > 1 else np.full(len(ks), np.nan)
    error = spread / np.sqrt(len(used))
    return VoteCurve(
        table=pd.DataFrame({"k": ks, "accuracy": each.mean(axis=0), "standard_error": error}),
        limit=float(np.mean([ballot.winner(ballot.share[None, :])[0] for ballot in used])),
        coverage_limit=float(np.mean([(ballot.share[ballot.right] > 0).any() for ballot in used])),
        weighted=weighted,
    )


def _accuracy(ballot: Ballot, k: int, draws: int, rng: np.random.Generator) -> float:
    if k == 1:  # no need to draw
        return float(ballot.share[ballot.right].sum() / ballot.share.sum())
    if ballot.counted:
        votes = rng.multivariate_hypergeometric(ballot.share.astype(np.int64), k, size=draws)
    else:
        votes = rng.multinomial(k, ballot.share, size=draws)
    return float(ballot.winner(votes.astype(np.float64)).mean())


def _ballot(rows: pd.DataFrame) -> Ballot:
    return Ballot(
        share=rows["count"].to_numpy(dtype=np.float64),
        right=rows["right"].to_numpy(dtype=np.bool_),
        weight=rows["weight"].to_numpy(dtype=np.float64),
    )


def _even(ballot: Ballot) -> Ballot:
    return Ballot(share=ballot.share, right=ballot.right, weight=np.ones(len(ballot.share)))


def _refuse_votes(ballots: list[Ballot], ks: list[int]) -> None:
    if not ballots or not ks or min(ks) < 1:
        raise InputError(f"A vote needs a problem and k from 1 on, not {len(ballots)} problems and k = {ks}.")
    fewest = min((ballot.share.sum() for ballot in ballots if ballot.counted), default=np.inf)
    if max(ks) > fewest:
        raise InputError(
            f"A vote of {max(ks)} cannot be drawn from {fewest:g} answers to a problem; give k up to that."
        )
