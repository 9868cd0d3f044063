"""When a trend reaches a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.result import middle
from allometry.trends.backtest import Drawn
from allometry.trends.dates import show_date
from allometry.trends.forms import LEVELLING, Form
from allometry.trends.series import Series

Array = NDArray[np.float64]

_NEVER = 1e6  # a year that stands for never while quantiles are taken
_LATER = np.append(0.0, np.geomspace(1e-3, 1e3, 600))  # years: over a thousand is never


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """When a trend reaches a value.

    Attributes:
        year, low, high: Median and interval as decimal years; infinite for never.
        never: Share of the draws in which it does not.
    """

    name: str
    unit: str
    value: float
    year: float
    low: float
    high: float
    never: float
    level: float

    def summary(self) -> str:
        """In plain words."""
        ends = f"{100 * self.level:g}%: {show_date(self.low)} to {show_date(self.high)}"
        never = f"; in {self.never:.0%} of the draws it never does" if self.never else ""
        reached = f"{self.name} reaches {self.value:g} {self.unit}".rstrip()
        return f"{reached} on {show_date(self.year)} ({ends}){never}."


def crossing_years(part: Drawn, log2_value: float) -> Array:
    """Years from the last point at which each curve takes a value, infinite for never, of shape (draws,).

    Negative where the curve had the value before; drift begins at the last point.
    """
    years = _crossing(part.form, part.coefficients, log2_value)
    if not part.drift.any():
        return years
    return np.where(years <= 0, years, _crossing_later(part, log2_value))


def _crossing(form: Form, coefficients: Array, log2_value: float) -> Array:
    if form is not LEVELLING:
        start, slope = coefficients.T
        gap = log2_value - start
        return np.asarray(np.divide(gap, slope, out=np.full(len(gap), np.inf), where=slope != 0))
    level, rate, at_last, last = coefficients.T
    turn = np.where(rate < 0, -1.0, 1.0)
    short = np.exp2(np.clip(turn * (level - log2_value), -60, 500)) - 1
    inside = -np.log2(np.where(short > 0, short, 1.0))
    return np.asarray(np.where(short > 0, last + (inside - at_last) / np.maximum(abs(rate), 1e-12), np.inf))


def _crossing_later(part: Drawn, log2_value: float) -> Array:
    """The first crossing after the last point, straight between two times of a grid."""
    over = part.curve(_LATER) - log2_value
    turns = np.signbit(over[:, 1:]) != np.signbit(over[:, :-1])
    first = turns.argmax(axis=1)
    rows = np.arange(len(over))
    before, after = over[rows, first], over[rows, first + 1]
    share = np.divide(before, before - after, out=np.zeros(len(over)), where=before != after)
    at = _LATER[first] + share * (_LATER[first + 1] - _LATER[first])
    return np.where(turns[rows, first], at, np.inf)


def summed_up(series: Series, value: float, years: Array, level: float) -> Crossing:
    """Median, interval and share of never."""
    usable = np.where(np.isfinite(years) & (years < _NEVER), years, _NEVER)
    ends = [np.median(usable), *middle(usable, level)]
    year, low, high = (float(end) if end < _NEVER / 2 else np.inf for end in ends)
    return Crossing(
        name=series.name, unit=series.unit, value=value, year=year, low=low, high=high,
        never=float((usable >= _NEVER).mean()), level=level,
    )  # fmt: skip
