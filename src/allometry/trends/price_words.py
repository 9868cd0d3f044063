"""Prices over time in plain words, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from allometry.fitting.result import Finding, Severity
from allometry.trends.dates import show_date
from allometry.trends.trend_words import FEW

if TYPE_CHECKING:
    from allometry.trends.prices import Prices, PriceTrend

_MOSTLY = 0.5  # share of the smaller one's points that two trends have in common


def price_words(one: PriceTrend) -> str:
    """The factor a year of one score."""
    factor = one.factor
    span = f"{show_date(one.series.years[0])[:7]} to {show_date(one.series.years[-1])[:7]}"
    ends = f"{100 * one.trend.level:g}%: {times_words(factor.low)} to {times_words(factor.high)}"
    return (
        f"{one.name}: {times_words(factor.value)} cheaper a year ({ends}), {len(one.series)} models, {span}"
    )


def summarise(made: Prices) -> str:
    """One line a score, what was declined, findings."""
    lines = ["The price of a given score falls by a factor a year of"]
    for one in made.trends:
        flag = f"; fewer than {FEW} points" if len(one.series) < FEW else ""
        lines.append(f"  {price_words(one)}{flag}.")
    lines += [f"  {name}: none. {why}" for name, why in made.declined.items()]
    return "\n".join([*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in made.findings)])


def price_findings(trends: Sequence[PriceTrend], declined: Mapping[str, str]) -> Iterator[Finding]:
    """What is doubtful about the prices of several scores."""
    yield from _few(trends)
    yield from _same(trends)
    yield from _shared(trends)
    yield from _rising(trends)
    if declined:
        yield Finding(
            code="no_trend_of_some",
            severity=Severity.NOTE,
            sentence=f"{len(declined)} scores have too few models for a trend: {', '.join(declined)}.",
            evidence={"declined": len(declined)},
            remedy="They are left out, not counted as flat.",
        )


def _few(trends: Sequence[PriceTrend]) -> Iterator[Finding]:
    few = [one for one in trends if len(one.series) < FEW]
    if few:
        said = ", ".join(f"{one.name} ({len(one.series)})" for one in few)
        yield Finding(
            code="few_points",
            severity=Severity.WARNING,
            sentence=f"Fewer than {FEW} points: {said}.",
            evidence={one.name: len(one.series) for one in few},
            remedy="Quote their intervals, not their factors.",
        )


def _same(trends: Sequence[PriceTrend]) -> Iterator[Finding]:
    for one, other in combinations(trends, 2):
        if _in_common(one, other) == len(one.series) == len(other.series):
            yield Finding(
                code="same_fit",
                severity=Severity.WARNING,
                sentence=f"'{one.name}' and '{other.name}' go through the same points: one fit, shown twice.",
                evidence={"points": len(one.series)},
                remedy="Count it once.",
            )


def _shared(trends: Sequence[PriceTrend]) -> Iterator[Finding]:
    pairs = [
        (one, other)
        for one, other in combinations(trends, 2)
        if _in_common(one, other) > _MOSTLY * min(len(one.series), len(other.series))
    ]
    names = {one.name for pair in pairs for one in pair}
    if names:
        yield Finding(
            code="points_shared",
            severity=Severity.NOTE,
            sentence=f"{len(names)} of {len(trends)} trends share most of their points with another.",
            evidence={"trends": len(names), "pairs": len(pairs)},
            remedy="They are not that many independent measurements.",
        )


def _rising(trends: Sequence[PriceTrend]) -> Iterator[Finding]:
    unsure = [one.name for one in trends if one.factor.low < 1]
    if unsure:
        yield Finding(
            code="no_trend",
            severity=Severity.WARNING,
            sentence=f"No fall at all is inside the interval of {', '.join(unsure)}.",
            evidence={"trends": len(unsure)},
            remedy="Give more points before quoting a factor.",
        )


def _in_common(one: PriceTrend, other: PriceTrend) -> int:
    """Points of the same day and price."""
    return len(_points(one) & _points(other))


def _points(one: PriceTrend) -> set[tuple[float, float]]:
    rows = np.column_stack([one.series.years, one.series.values]).tolist()
    return {(year, price) for year, price in rows}


def times_words(factor: float) -> str:
    """A factor, in digits that mean something.

    >>> times_words(11.77), times_words(9.24), times_words(254.8), times_words(4e6)
    ('12×', '9.2×', '255×', '4e+06×')
    """
    if factor >= 1e4:
        return f"{factor:.0e}×"
    return f"{factor:.0f}×" if factor >= 10 else f"{factor:.2g}×"
