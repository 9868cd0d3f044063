"""Trends in plain words, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from allometry.fitting.result import Estimate, Finding, Severity
from allometry.trends.dates import DAYS_A_YEAR, show_date

if TYPE_CHECKING:
    from allometry.trends.trend import DatedForecast, Trend

FEW = 6  # points below which an interval is a formality
_APART = 1.25  # factor between doubling times by other windows that is worth a word
_SHOWN = 6  # windows or parts in a summary


def days_words(days: Estimate, level: float) -> str:
    """A doubling time with its interval.

    >>> days_words(Estimate(value=212.4, low=171.0, high=249.0, unit="day"), 0.95)
    '212 days (95%: 171 to 249)'
    >>> days_words(Estimate(value=2000.0, low=900.0, high=float("inf"), unit="day"), 0.9)
    '5.5 years (90%: 2.5 to no end)'
    """
    size, unit = (DAYS_A_YEAR, "years") if days.value > 1000 else (1.0, "days")
    ends = [_amount(end / size) for end in (days.low, days.high)]
    return f"{_amount(days.value / size)} {unit} ({100 * level:g}%: {ends[0]} to {ends[1]})"


def number_words(value: float, unit: str = "") -> str:
    """A value of a series.

    >>> number_words(1234567.0, "FLOP"), number_words(54.226, "min")
    ('1.23e+06 FLOP', '54.2 min')
    """
    return f"{value:.3g} {unit}".strip()


def verb(made: Trend) -> str:
    """Doubles, or halves."""
    return "doubles" if made.doublings.value >= 0 else "halves"


def trend_words(made: Trend) -> str:
    """The trend in one sentence."""
    factor = 2**made.doublings.value
    ends = f"{2**made.doublings.low:.3g} to {2**made.doublings.high:.3g}"
    span = f"{show_date(made.series.years[0])} to {show_date(made.series.years[-1])}"
    return (
        f"{made.series.name} {verb(made)} every {days_words(made.doubling_days, made.level)}: a factor of "
        f"{factor:.3g} a year ({ends}), by {len(made.series)} points of {span}."
    )


def windows_words(made: Trend) -> str:
    """The doubling times by windows that begin later."""
    rows = made.windows.iloc[:: max(1, -(-len(made.windows) // _SHOWN))].to_dict("records")
    said = ", ".join(f"{_amount(row['doubling_days'])} since {show_date(row['since'])[:7]}" for row in rows)
    return f"By the window, in days: {said}."


def penalties_words(days: Mapping[str, float]) -> str:
    """The doubling times by the penalty that horizons were measured with.

    >>> penalties_words({"firth": 184.2, "none": 183.4, "published": 190.0})
    'By the penalty on slopes, in days: 184 firth, 183 none, 190 published.'
    """
    said = ", ".join(
        f"{'too few points' if np.isnan(value) else _amount(value)} {name}" for name, value in days.items()
    )
    return f"By the penalty on slopes, in days: {said}."


def summarise(made: Trend) -> str:
    """The sentence, the windows, findings."""
    counted = {
        "drawn": "the interval counts that other models could have been released",
        "fixed": "the interval takes these models as given, and counts noise of measurement only",
    }[made.models]
    lines = [trend_words(made), f"  R² {made.r_squared:.3f}; {counted}.", f"  {windows_words(made)}"]
    return "\n".join([*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in made.findings)])


def forecast_words(made: DatedForecast) -> str:
    """A forecast, and each part of it."""
    ends = f"{number_words(made.low)} to {number_words(made.high)}"
    head = (
        f"{made.name} on {show_date(made.year)}: {number_words(made.median, made.unit)} "
        f"({100 * made.level:g}%: {ends})"
    )
    names = list(made.parts)[:: max(1, -(-len(made.parts) // _SHOWN))]
    said = ", ".join(f"{number_words(made.parts[name])} ({name})" for name in names)
    return f"{head}; by part: {said}." if said else f"{head}."


def trend_findings(made: Trend) -> tuple[Finding, ...]:
    """What is doubtful about a trend through one window."""
    return (*_few(made), *_window_decides(made), *_bounded(made), *_flat(made))


def _few(made: Trend) -> Iterator[Finding]:
    count = len(made.series)
    if count < FEW:
        yield Finding(
            code="few_points",
            severity=Severity.WARNING,
            sentence=f"The trend goes through {count} points: its interval rests on {count - 2} residuals.",
            evidence={"points": count},
            remedy=f"Give {FEW} or more.",
        )


def _window_decides(made: Trend) -> Iterator[Finding]:
    days = made.windows["doubling_days"]
    usable = days[np.isfinite(days)]
    if len(usable) > 1 and usable.max() / usable.min() > _APART:
        ends = f"{_amount(usable.min())} to {_amount(usable.max())}"
        yield Finding(
            code="window_decides",
            severity=Severity.NOTE,
            sentence=f"By the window the doubling time is {ends} days: one window's forecast is one of "
            "several.",
            evidence={"least_days": float(usable.min()), "most_days": float(usable.max())},
            remedy="Forecast with a mixture over windows and forms.",
        )


def _bounded(made: Trend) -> Iterator[Finding]:
    bounded = made.series.bounded
    if bounded.any():
        yield Finding(
            code="bounded_values",
            severity=Severity.WARNING,
            sentence=f"{int(bounded.sum())} of {len(bounded)} values are lower bounds: what could be "
            f"measured ends at {number_words(made.series.ceiling, made.series.unit)}.",
            evidence={"bounded": int(bounded.sum())},
            remedy="They count as at least that much; the newest part of the trend is assumed, not measured.",
        )


def _flat(made: Trend) -> Iterator[Finding]:
    if not np.isfinite(made.doubling_days.high):
        yield Finding(
            code="no_trend",
            severity=Severity.WARNING,
            sentence=f"A flat trend is inside the interval: doublings a year are {made.doublings.low:.2g} to "
            f"{made.doublings.high:.2g}.",
            evidence={"low": made.doublings.low, "high": made.doublings.high},
            remedy="Give more points before quoting a doubling time.",
        )


def _amount(value: float) -> str:
    if not np.isfinite(value):
        return "no end"
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"
