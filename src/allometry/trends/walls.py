"""How many more doublings until a wall: bounds and rates as distributions, and which comes first.

Legend: d draws, t times of a grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Finding, middle
from allometry.trends.dates import decimal_year
from allometry.trends.forms import EXPONENTIAL, LEVELLING, Form
from allometry.trends.inputs import alternative_words, levelling_weight
from allometry.trends.outlook import Outlook, outlook
from allometry.trends.series import Series
from allometry.trends.wall_bounds import Constraint, Range
from allometry.trends.wall_words import summarise, walls_findings

Array = NDArray[np.float64]

HORIZON = 60.0  # years; what is reached later counts as never
_TIMES = np.linspace(0.0, HORIZON, 601)
_HISTORY_DRAWS = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class Reached:
    """When walls are reached if growth goes on in one way.

    Attributes:
        growth: "exponential" or "levelling off".
        years: Constraint to years from the start, by draw, of shape (d,); infinite for never.
        doublings: Constraint to doublings of compute until then, the same way.
        in_all: Doublings of compute in 60 years if nothing were in the way, by draw.
    """

    growth: str
    years: Mapping[str, Array] = field(repr=False)
    doublings: Mapping[str, Array] = field(repr=False)
    in_all: Array = field(repr=False)

    @property
    def first_years(self) -> Array:
        """Years to whichever wall comes first, of shape (d,)."""
        return np.asarray(np.min(list(self.years.values()), axis=0))

    @property
    def first_doublings(self) -> Array:
        """Doublings of compute until whichever wall comes first, of shape (d,)."""
        return np.asarray(np.min(list(self.doublings.values()), axis=0))

    @property
    def binds_first(self) -> dict[str, float]:
        """Share of draws in which a constraint is the first; what is missing to 1 is never."""
        stacked = np.stack(list(self.years.values()))
        first, ever = stacked.argmin(axis=0), np.isfinite(stacked.min(axis=0))
        return {name: float((ever & (first == place)).mean()) for place, name in enumerate(self.years)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Walls:
    """How far growth of compute can go until something binds.

    Attributes:
        start: Decimal year that is counted from.
        going_on: If compute grows exponentially.
        levelling: If its growth levels off as its history allows; None without a history.
        history: Outlook of that history; None where only a rate was stated.
    """

    constraints: tuple[Constraint, ...]
    start: float
    level: float
    going_on: Reached
    levelling: Reached | None
    history: Outlook | None = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def ways(self) -> tuple[Reached, ...]:
        """Exponential growth, and levelling growth where it is known."""
        return (self.going_on,) if self.levelling is None else (self.going_on, self.levelling)

    @property
    def table(self) -> pd.DataFrame:
        """One row a way to grow and a constraint, and one for whichever comes first: growth, constraint,
        doublings and year with low and high (infinite for never), never (share), binds_first (share)."""
        return pd.DataFrame([row for way in self.ways for row in _rows(way, self.start, self.level)])

    @property
    def alternative(self) -> str:
        """Whether the history tells exponential growth from growth that levels off, in a sentence."""
        if self.history is None:
            return "Only a rate was stated: nothing here can say whether growth levels off before a wall."
        return alternative_words(self.history)

    def summary(self) -> str:
        """Which wall comes first, each wall, the alternative, what is doubtful."""
        return summarise(self)

    def facts(self) -> dict[str, Any]:
        """The same as values, for programs."""
        return {
            "start": self.start, "level": self.level, "walls": self.table,
            "forms_apart": float("nan") if self.history is None else self.history.forms_apart,
            "levelling_weight": float("nan") if self.history is None else levelling_weight(self.history),
            "alternative": self.alternative, "constraints": self.constraints, "findings": self.findings,
        }  # fmt: skip


def doublings_left(
    constraints: Sequence[Constraint],
    *,
    growth: Range | None = None,
    history: Series | None = None,
    start: object = None,
    level: float = 0.9,
    draws: int = 4000,
    seed: int = 0,
) -> Walls:
    """How many more doublings of compute until the first of several walls.

    With r doublings of compute a year, a resource that takes e doublings for each of compute, and a bound
    that moves by m doublings a year, a wall is reached after log2(bound / now) / (e r − m) years. All are
    drawn; draws of compute growth are shared by all constraints. Where growth levels off, r falls.

    Args:
        growth: Factor a year of compute, as a range; or
        history: compute over time, whose windows and forms are drawn from, weighted by a rolling back-test.
        start: Date of the constraints' present values; the last of the history if not given.

    Raises:
        InputError: Without constraints, with two of one name, without or with both of growth and history,
            without a start, or for growth that never gets there.
        FitError: With a history of fewer than four points.

    Source:
        The inputs of such a sum: Sevilla et al. 2024, epoch.ai/blog/can-ai-scaling-continue-through-2030.

    >>> power = Constraint(name="power", now=Range.exactly(1e8), bound=Range.exactly(1.6e9))
    >>> found = doublings_left([power], growth=Range.exactly(4), start=2025)
    >>> found.table[["doublings", "year"]].iloc[0].tolist()
    [4.0, 2027.0]
    """
    _refuse(constraints, growth, history, start)
    rng = np.random.default_rng(seed)
    known = None if history is None else outlook(history, level=level, draws=_HISTORY_DRAWS, seed=seed)
    begins = decimal_year(start) if start is not None or known is None else float(known.series.years[-1])
    sampled = {one.name: one.sampled(draws, rng) for one in constraints}
    if known is None:
        assert growth is not None
        paths = {EXPONENTIAL.name: np.log2(growth.sample(draws, rng))[:, None] * _TIMES}
    else:
        # Few points carry no third coefficient: then there is no levelling part.
        forms = [form for form in (EXPONENTIAL, LEVELLING) if form.name in set(known.table["form"])]
        paths = {form.name: _path(known, form, begins, draws, rng) for form in forms}
    ways = {name: _reached(name, path, sampled) for name, path in paths.items()}
    made = Walls(
        constraints=tuple(constraints), start=begins, level=level, going_on=ways[EXPONENTIAL.name],
        levelling=ways.get(LEVELLING.name), history=known,
    )  # fmt: skip
    return replace(made, findings=tuple(walls_findings(made)))


def _refuse(
    constraints: Sequence[Constraint], growth: Range | None, history: Series | None, start: object
) -> None:
    if not constraints:
        raise InputError("Give at least one constraint: what there is now, its bound, how fast it is used.")
    names = [one.name for one in constraints]
    if len(set(names)) < len(names):
        raise InputError(f"Two constraints have one name: {', '.join(names)}.")
    if (growth is None) == (history is None):
        raise InputError("Give either the growth of compute as a factor a year, or its history, not both.")
    if history is None and start is None:
        raise InputError("Without a history, say from which date the constraints count: start='2025-06-01'.")
    if growth is not None and growth.middle <= 1:
        raise InputError(
            f"Compute grows by a factor of {growth.middle:g} a year: at a rate of zero or less no wall is "
            "ever reached. Give a factor above 1."
        )


def _path(known: Outlook, form: Form, start: float, draws: int, rng: np.random.Generator) -> Array:
    """Doublings of compute from the start on, by windows of one form with their weights, of shape (d, t).

    Rates of exponential growth drift. Levelling is the alternative as it is: over sixty years a drift of some
    would leave nothing of it.
    """
    parts = [part for part in known.parts if part.form is form]
    if form is LEVELLING:
        parts = [part.without_drift() for part in parts]
    weights = known.table.loc[known.table["form"] == form.name, "weight"].to_numpy()
    counts = rng.multinomial(draws, weights / weights.sum())
    x = np.append(0.0, _TIMES) + start - known.series.years[-1]
    chosen = [
        part.take(rng.choice(len(part.scatter), count)) for part, count in zip(parts, counts, strict=True)
    ]
    curve = np.concatenate([part.curve(x) for part in chosen])
    return np.asarray(curve[:, 1:] - curve[:, :1])


def _reached(growth: str, path_dt: Array, sampled: Mapping[str, Mapping[str, Array]]) -> Reached:
    found = {name: _crossing(path_dt, draws) for name, draws in sampled.items()}
    return Reached(
        growth=growth,
        years={name: years for name, (years, _) in found.items()},
        doublings={name: doublings for name, (_, doublings) in found.items()},
        in_all=path_dt[:, -1],
    )


def _crossing(path_dt: Array, draws: Mapping[str, Array]) -> tuple[Array, Array]:
    """Years and doublings of compute at which a resource first reaches its bound; infinite for never."""
    room_d, share_d, moving_d = draws["room"], draws["share"], draws["moving"]
    over_dt = share_d[:, None] * path_dt - room_d[:, None] - moving_d[:, None] * _TIMES
    after = (over_dt >= 0).argmax(axis=1)
    rows = np.arange(len(over_dt))
    ever, before = over_dt[rows, after] >= 0, np.maximum(after - 1, 0)
    # Straight between two times: exact for exponential growth.
    gap = over_dt[rows, after] - over_dt[rows, before]
    part = np.where(gap > 0, -over_dt[rows, before] / np.where(gap > 0, gap, 1.0), 0.0)
    at = _TIMES[before] + part * (_TIMES[after] - _TIMES[before])
    grown = path_dt[rows, before] + part * (path_dt[rows, after] - path_dt[rows, before])
    return np.where(ever, at, np.inf), np.where(ever, grown, np.inf)


def _rows(way: Reached, start: float, level: float) -> list[dict[str, Any]]:
    first = way.binds_first
    rows = [
        _row(way.growth, name, way.doublings[name], way.years[name], start, level)
        | {"binds_first": first[name]}
        for name in way.years
    ]
    whole = _row(way.growth, "first of all", way.first_doublings, way.first_years, start, level)
    return [*rows, whole | {"binds_first": sum(first.values())}]


def _row(
    growth: str, name: str, doublings: Array, years: Array, start: float, level: float
) -> dict[str, Any]:
    centre, low, high = _ends(doublings, level)
    year, early, late = (start + end for end in _ends(years, level))
    return {
        "growth": growth, "constraint": name, "doublings": centre, "doublings_low": low,
        "doublings_high": high, "year": year, "year_low": early, "year_high": late,
        "never": float(np.isinf(years).mean()),
    }  # fmt: skip


def _ends(draws: Array, level: float) -> tuple[float, float, float]:
    """Median and interval, where infinity is one more large value."""
    finite = np.where(np.isfinite(draws), draws, 1e9)
    found = (float(np.median(finite)), *(float(end) for end in middle(finite, level)))
    centre, low, high = (np.inf if end > 1e6 else end for end in found)
    return centre, low, high
