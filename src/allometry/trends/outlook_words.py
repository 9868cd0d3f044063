"""Outlooks in plain words, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from allometry.fitting.result import Finding, Severity
from allometry.trends.dates import show_date
from allometry.trends.trend_words import FEW, days_words, number_words

if TYPE_CHECKING:
    from allometry.trends.outlook import Outlook

_TOLD_APART = 4.0  # difference of AICc from which one form is clearly better (Burnham and Anderson 2002)


def outlook_words(made: Outlook) -> str:
    """The doubling time at the last point, in one sentence."""
    falling = (made.table["doubling_days"] < 0).mean() > 0.5
    last = show_date(made.series.years[-1])
    return (
        f"{made.series.name} {'halves' if falling else 'doubles'} every "
        f"{days_words(made.doubling_days, made.level)} as of {last}, by {len(made.table)} windows and forms."
    )


def forms_words(made: Outlook) -> str:
    """Whether the points tell an exponential from one that levels off."""
    apart = made.forms_apart
    if not np.isfinite(apart):
        return "There are too few points to tell an exponential from a trend that levels off."
    if abs(apart) < _TOLD_APART:
        return (
            "These points do not tell an exponential from a trend that levels off "
            f"(difference of AICc {apart:+.1f})."
        )
    better = "An exponential" if apart > 0 else "A trend that levels off"
    return f"{better} explains these points better (difference of AICc {abs(apart):.1f})."


def backtest_words(made: Outlook) -> str:
    """What the weights rest on."""
    if not made.scores.forecasts:
        return "Weights are equal: there are too few points for a back-test."
    return (
        f"Weights come from {made.scores.forecasts} forecasts of {made.scores.points} later points from "
        f"earlier ones.{_drift_words(made.drift)}"
    )


def _drift_words(drift: float) -> str:
    """How far rates are let move, if at all."""
    if not drift:
        return ""
    return (
        " These missed by more than they said, so that intervals count a change of the rate by "
        f"{drift:.2g} doublings a year (one standard deviation)."
    )


def summarise(made: Outlook) -> str:
    """The sentence, one line a part, forms, back-test, findings."""
    lines = [outlook_words(made)]
    for row in made.table.sort_values("weight", ascending=False, kind="stable").to_dict("records"):
        pace = "halves" if row["doubling_days"] < 0 else "doubles"
        score = f", off by {row['crps']:.2f} doublings" if row["crps"] == row["crps"] else ""
        lines.append(
            f"  {row['weight']:4.0%}  {row['form']:13s} since {show_date(row['since'])}, "
            f"{row['points']} points: {pace} every {abs(row['doubling_days']):.0f} days{score}"
        )
    lines += [f"  {forms_words(made)}", f"  {backtest_words(made)}"]
    return "\n".join([*lines, *(f"  {one.severity}: {one.sentence} {one.remedy}" for one in made.findings)])


def outlook_findings(made: Outlook) -> tuple[Finding, ...]:
    """What is doubtful about a mixture."""
    return (*_few(made), *_bounded(made), *_missed(made))


def _missed(made: Outlook) -> Iterator[Finding]:
    back = made.lookback
    if back is not None and back.too_many:
        yield Finding(
            code="recent_forecasts_missed",
            severity=Severity.WARNING,
            sentence=f"Of the newest {back.points} points {back.missed} lay outside the "
            f"{100 * back.level:g}% intervals forecast for them {back.years:.1f} years before (in the "
            f"middle), where {back.points * (1 - back.level):.2g} should: "
            "growth has bent, or intervals are too narrow.",
            evidence={"points": back.points, "missed": back.missed, "years": back.years},
            remedy="Take a window that begins after the bend beside this one; the interval here is widened "
            "as far as past errors ask, which a new bend outruns.",
        )


def _few(made: Outlook) -> Iterator[Finding]:
    count = len(made.series)
    if count < FEW:
        yield Finding(
            code="few_points",
            severity=Severity.WARNING,
            sentence=f"There are {count} points: one window and one form are all that can be fitted.",
            evidence={"points": count},
            remedy=f"Give {FEW} or more.",
        )


def _bounded(made: Outlook) -> Iterator[Finding]:
    bounded = made.series.bounded
    if bounded.any():
        most = number_words(made.series.ceiling, made.series.unit)
        yield Finding(
            code="bounded_values",
            severity=Severity.WARNING,
            sentence=f"{int(bounded.sum())} of {len(bounded)} values are lower bounds ({most}): they are "
            "filled in by each form, and say nothing for or against levelling off.",
            evidence={"bounded": int(bounded.sum())},
            remedy="Measure with longer tasks.",
        )
