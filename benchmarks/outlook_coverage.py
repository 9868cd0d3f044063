"""How often 80% and 90% intervals of outlooks hold what comes, beside those of one line.

Use: python benchmarks/outlook_coverage.py [--full] [--markdown]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

import benchmarks.parts.one_thread  # noqa: F401, I001  before NumPy

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import middle
from allometry.trends.outlook import Outlook, outlook
from allometry.trends.series import Series
from allometry.trends.trend import Trend, exponential_trend
from benchmarks.parts.coverage import shares, standard_error
from benchmarks.parts.page import Table, options, progress, publish

Array = NDArray[np.float64]
AHEAD = (2026.0, 2027.0)
LEVELS = (0.8, 0.9)
LIMITS = (
    "Rates drift by as much as the back-test's errors ask for, which widens little where growth is steady. A "
    "bend two years ago in many scattered points is still not held as often as said: few forecasts made "
    "since have come due. In a third of such series a warning says that the newest points were missed."
)
MOMENT = 1e-4  # years, for the pace of a truth


@dataclass(frozen=True, kw_only=True)
class History:
    """A kind of simulated series, up to 2025."""

    name: str
    truth: Callable[[Array], Array]  # log2 of the value by year
    points: int = 14
    since: float = 2019.0
    scatter: float = 0.5  # of single points, in doublings

    @property
    def title(self) -> str:
        """As the table says it."""
        return f"{self.name}, {self.points} points of {2025 - self.since:.0f} years, scatter {self.scatter:g}"


def _steady(year: Array) -> Array:
    return np.asarray(1.8 * (year - 2025))


def _levelling_off(year: Array) -> Array:
    return np.asarray(-np.log2(1 + np.exp2(-2 * (year - 2024.5))))


def _bent(year: Array) -> Array:
    return np.asarray(np.where(year < 2023, 1.0, 3.0) * (year - 2023))


SHORT = (
    History(name="exponential", truth=_steady),
    History(name="levelling off", truth=_levelling_off),
    History(name="bent two years ago", truth=_bent),
)
# Longer ones are like tables of inputs: compute, cost, power of notable models.
LONG = tuple(replace(one, points=60, since=2013.0, scatter=1.5) for one in SHORT)


def table(studies: int) -> Table:
    """Whether outlooks hold a new point one and two years ahead, and how fast the truth grows now."""
    rows = []
    for history in (*SHORT, *LONG):
        progress(history.title)
        *held, wider, warned = shares(partial(ahead, history), 0, studies).held
        pairs = [f"{low:.1%}, {high:.1%}" for low, high in zip(held[::2], held[1::2], strict=True)]
        rows.append((history.title, *pairs, f"{wider:.2f}", f"{warned:.0%}"))
    errors = ", ".join(f"{standard_error(level, studies):.1%}" for level in LEVELS)
    return Table(
        name="outlook-coverage",
        title="Coverage of outlooks",
        command="benchmarks/outlook_coverage.py --full",
        says=f"{studies} simulated series a row (standard errors {errors}); each cell is the coverage of 80% "
        "and of 90% intervals, default windows, forms and weights. One new point one and two years after "
        "the last, its scatter included; the doublings a year as of the last point; beside them one line "
        "through the whole window. Wider: 90% intervals at 2 years, in doublings, over those without drift, "
        "on average. Warned: outlooks that say that their newest forecasts missed too often.",
        header=(
            "truth", "1 year", "2 years", "doublings now", "one line: 1 year", "one line: 2 years",
            "one line: doublings", "wider", "warned",
        ),
        rows=rows,
        notes=[LIMITS],
    )  # fmt: skip


def ahead(history: History, seed: int) -> list[float]:
    """Whether each interval holds what it is about, 80% and 90% in turn; how much wider; whether warned."""
    rng = np.random.default_rng(seed)
    years = np.sort(rng.uniform(history.since, 2025, history.points))
    noisy = history.truth(years) + history.scatter * rng.standard_normal(history.points)
    labels = tuple(map(str, range(history.points)))
    series = Series(name="p50", labels=labels, years=years, values=np.exp2(noisy))
    points = history.truth(np.array(AHEAD)) + history.scatter * rng.standard_normal(2)
    mixed = outlook(series, seed=seed)
    lines = [exponential_trend(series, level=level) for level in LEVELS]
    rate = float((history.truth(years[-1:]) - history.truth(years[-1:] - MOMENT))[0]) / MOMENT
    rates = [middle(mixed.rates, level) for level in LEVELS]
    return [
        *_points_held([mixed, mixed], points),
        *(float(low <= rate <= high) for low, high in rates),
        *_points_held(lines, points),
        *(float(line.doublings.low <= rate <= line.doublings.high) for line in lines),
        _doublings_wide(mixed) / _doublings_wide(_without_drift(mixed)),
        float(any(one.code == "recent_forecasts_missed" for one in mixed.findings)),
    ]


def _without_drift(made: Outlook) -> Outlook:
    return replace(made, parts=tuple(part.without_drift() for part in made.parts))


def _doublings_wide(made: Outlook) -> float:
    said = made.at(AHEAD[-1])
    return float(np.log2(said.high / said.low))


def _points_held(ways: Sequence[Outlook | Trend], log2_points: Array) -> list[float]:
    """Whether points lie in the intervals of each level's way, 80% and 90% of one date, then of the next."""
    said = [
        (way.at(year, level), point)
        for year, point in zip(AHEAD, 2**log2_points, strict=True)
        for way, level in zip(ways, LEVELS, strict=True)
    ]
    return [float(one.low <= point <= one.high) for one, point in said]


def main() -> None:
    """Print one table."""
    chosen = options(__doc__).parse_args()
    publish(table(100 if chosen.full else 10), markdown=chosen.markdown)


if __name__ == "__main__":
    main()
