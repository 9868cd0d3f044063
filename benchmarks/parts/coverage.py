"""Shares of intervals that hold the truth, and the rule by which what misses its goal is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

AGAIN = 3  # times as many further studies for what misses its goal; all of them count
T = TypeVar("T")


def measured_on(
    measure: Callable[[int, int], T],
    studies: int,
    *,
    missed: Callable[[T], bool],
    both: Callable[[T, T], T],
) -> T:
    """Measure, and where the goal is missed measure on, so that bad luck is told from bad intervals.

    Args:
        measure: Takes the seed of the first study and how many there are.
        both: Of what came of the first studies and of the further ones, that of all of them.

    >>> measured_on(lambda first, studies: studies, 10, missed=lambda found: found < 20, both=int.__add__)
    40
    """
    once = measure(0, studies)
    return both(once, measure(studies, AGAIN * studies)) if missed(once) else once


def misses(share: float, studies: int, *, level: float, allowed: float) -> bool:
    """Whether a share of so many studies is off its level by more than is allowed and half a study."""
    return abs(share - level) > allowed + 0.5 / studies


def standard_error(level: float, studies: int) -> float:
    """That of the coverage of a right interval, over so many independent studies.

    >>> round(standard_error(0.9, 300), 4)
    0.0173
    """
    return float((level * (1 - level) / studies) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """In which share of studies each of several intervals held the truth."""

    studies: int
    held: tuple[float, ...]

    def and_(self, more: Shares) -> Shares:
        """The same over both sets of studies."""
        total = self.studies + more.studies
        held = (self.studies * np.array(self.held) + more.studies * np.array(more.held)) / total
        return Shares(studies=total, held=tuple(held.tolist()))


def shares(study: Callable[[int], Sequence[float]], first: int, studies: int) -> Shares:
    """Studies of so many seeds from `first` on; each says of every interval whether it held the truth."""
    held = np.mean([study(seed) for seed in range(first, first + studies)], axis=0)
    return Shares(studies=studies, held=tuple(held.tolist()))


def shares_measured_on(
    study: Callable[[int], Sequence[float]], studies: int, *, levels: Sequence[float], allowed: float
) -> Shares:
    """Shares of intervals, measured on where one of those with a level misses it.

    Args:
        levels: What each interval is to hold; NaN where no goal is set.
    """

    def missed(found: Shares) -> bool:
        pairs = zip(found.held, levels, strict=True)
        return any(misses(one, found.studies, level=level, allowed=allowed) for one, level in pairs)

    return measured_on(
        lambda first, count: shares(study, first, count), studies, missed=missed, both=Shares.and_
    )
