"""The scores to judge, read from a table: which column, how many items, what guessing scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.capabilities.emergence.bends import Measured
from allometry.capabilities.shares import BELOW_CHANCE
from allometry.errors import FitError, InputError, TableError
from allometry.runs.run import Runs

Array = NDArray[np.float64]

FEWEST = 5  # distinct scales: two on either side of a bend, and one
_LUCK = 4.0  # standard errors below guessing, where it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Skill:
    """One task to judge, in the columns of a table.

    Attributes:
        score: Column of the score, a share of right answers in [0, 1].
        continuous: Column of a continuous metric of the same outputs, in [0, 1]; empty if there is none. It
            may rise (probability of the right token) or fall (edit distance).
        length: Tokens of an answer, all of which must be right, where `continuous` is the mean share or
            probability of one; 0 if the score is no exact match.
        chance: The score of guessing.
    """

    score: str
    continuous: str = ""
    length: float = 0.0
    chance: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.chance < 1:
            raise InputError(f"Chance on '{self.score}' is a share below 1, not {self.chance:g}.")
        if self.length and not self.length >= 1:
            raise InputError(f"An answer has one token at least, not {self.length:g}.")
        if self.length and not self.continuous:
            raise InputError(
                f"The length of the answers of '{self.score}' says something with the share of single right "
                f"tokens only; name its column: {self.score}=token_probability."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """The rows of a task that can be judged, by ascending scale.

    Attributes:
        token: The continuous metric, turned so that it rises; None without one.
        falls: Whether it was turned.
    """

    skill: Skill
    scale: str
    score: Measured
    token: Measured | None
    falls: bool

    @property
    def known_items(self) -> bool:
        """Whether the number of items behind the scores is known."""
        return self.score.dispersion > 0


def read_skills(
    columns: Iterable[str], *, length: Mapping[str, float] | None = None,
    chance: Mapping[str, float] | None = None,
) -> tuple[Skill, ...]:  # fmt: skip
    """Tasks from words of the form score=continuous, or score alone.

    >>> read_skills(["score=token_probability"], length={"score": 5})[0].length
    5
    """
    made = []
    named = [word.partition("=") for word in columns]
    for known in (length or {}, chance or {}):
        for name in set(known) - {score for score, _, _ in named}:
            raise InputError(f"'{name}' is none of the scores: {', '.join(s for s, _, _ in named)}.")
    for score, _, continuous in named:
        made.append(
            Skill(score=score, continuous=continuous, length=(length or {}).get(score, 0.0),
                  chance=(chance or {}).get(score, 0.0))
        )  # fmt: skip
    return tuple(made)


def read_items(word: str | None) -> str | float | None:
    """A number of items, or the column that holds it.

    >>> read_items("1000"), read_items("documents"), read_items(None)
    (1000.0, 'documents', None)
    """
    try:
        return None if word is None else float(word)
    except ValueError:
        return word


def read_scores(runs: Runs, skill: Skill, scale: str, items: str | float | None) -> Scores:
    """The rows of a table that carry scale and score, checked.

    Args:
        scale: Column of the scale: compute, size or data.
        items: Column with the number of problems behind each score, or that number; by default the column
            documents if there is one.

    Raises:
        MissingColumn: If a column is not there.
        TableError: If a share lies outside [0, 1], or a score below guessing by more than its noise.
        FitError: If there are fewer than five scales.
    """
    runs.require(scale, skill.score, *([skill.continuous] if skill.continuous else []))
    x, score = runs.column(scale), runs.column(skill.score)
    token = runs.column(skill.continuous) if skill.continuous else np.zeros(len(runs))
    counts = _counts(runs, items)
    usable = np.isfinite(score) & np.isfinite(token) & (x > 0) & _done(runs)
    kept = np.flatnonzero(usable)[np.argsort(x[usable], kind="stable")]
    x, score, token, counts = x[kept], score[kept], token[kept], counts[kept]
    _refuse(runs.source, skill, scale, x, score, token, counts)
    known = bool(np.isfinite(counts).all())
    found = Measured(
        x=x, share=score, counts=counts if known else np.ones(len(x)), low=skill.chance,
        dispersion=float(known),
    )  # fmt: skip
    falls = bool(np.polyfit(np.log(x), token, 1)[0] < 0)
    return Scores(
        skill=skill, scale=scale, score=found, falls=falls,
        token=_token(found, skill, 1 - token if falls else token) if skill.continuous else None,
    )  # fmt: skip


def _token(score: Measured, skill: Skill, share: Array) -> Measured:
    """A mean over items varies at most as a binomial share does; over several tokens, less."""
    least = score.dispersion / max(skill.length, 1.0)
    return Measured(x=score.x, share=share, counts=score.counts, dispersion=least)


def _counts(runs: Runs, items: str | float | None) -> Array:
    if isinstance(items, str) or (items is None and "documents" in runs.table.columns):
        return runs.column(items or "documents")
    if items is None:
        return np.full(len(runs), np.nan)
    return np.full(len(runs), float(items))


def _done(runs: Runs) -> NDArray[np.bool_]:
    if "status" not in runs.table.columns:
        return np.ones(len(runs), dtype=np.bool_)
    status = runs.table["status"]
    return np.asarray((status.isna() | (status == "done")).to_numpy(), dtype=np.bool_)


def _refuse(
    source: str, skill: Skill, scale: str, x: Array, score: Array, token: Array, counts: Array
) -> None:
    for name, values in ((skill.score, score), (skill.continuous, token)):
        bad = np.flatnonzero((values < 0) | (values > 1))
        if bad.size:
            raise TableError(
                f"{source}: '{name}' is {values[bad[0]]:g} at {scale} {x[bad[0]]:g}; it is a share in "
                "[0, 1]. Divide percentages by 100; of a loss in nats give the probability exp(-loss)."
            )
    few = counts[counts < 1]
    if few.size:
        raise TableError(f"{source}: a score on {few[0]:g} items is none; give the number of problems.")
    noise = np.sqrt(np.maximum(skill.chance * (1 - skill.chance), 1e-12) / counts)
    allowed = np.where(
        np.isfinite(counts), _LUCK * noise, BELOW_CHANCE
    )  # where the number of items is not known
    under = np.flatnonzero(score < skill.chance - allowed)
    if under.size:
        raise TableError(
            f"{source}: '{skill.score}' is {score[under[0]]:g} at {scale} {x[under[0]]:g}, below guessing "
            f"({skill.chance:g}) by more than its noise. Check what guessing scores, or give a lower chance."
        )
    scales = len(np.unique(x))
    if scales < FEWEST:
        raise FitError(
            f"'{skill.score}' is known at {scales} scales of {scale}; a bend needs {FEWEST} at least. "
            "Score more sizes, smaller ones too."
        )
