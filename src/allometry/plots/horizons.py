"""Time horizons: every agent with its interval, the trend of the best, and single success curves."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import marks
from allometry.plots.theme import BLUE, INK, MUTED, ORANGE, counted, finish
from allometry.plots.trends import minutes_axis, year_axis
from allometry.trends.dates import show_date
from allometry.trends.horizon import Horizons
from allometry.trends.horizon_findings import show_minutes
from allometry.trends.trend import Trend
from allometry.trends.trend_words import trend_words

_LINE_POINTS = 60
_TIPS = {"label": "agent", "when": "released", "value": "p50 (min)", "low": "low", "high": "high"}
_CAP = 4.0  # an interval is drawn to this factor beyond the suite


def horizons_over_time(found: Horizons, trend: Trend) -> alt.LayerChart:
    """Each agent's horizon at its release with its interval, and the trend of those that were the best.

    Agents beyond the longest task sit on the dashed line, hollow: their horizon is at least that.

    Args:
        trend: Of `horizon_series(found).best()`.
    """
    points = _horizon_rows(found, set(trend.series.labels))
    years = np.linspace(float(trend.series.years[0]), float(trend.series.years[-1]), _LINE_POINTS)
    line = pd.DataFrame({"x": years, "value": trend.line(years)})
    line = line[line["value"] <= _CAP * found.longest]
    across = year_axis(float(points["x"].min()), float(points["x"].max()))
    values = [value for name in ("value", "low", "high") for value in points[name]]
    up = minutes_axis([*values, *line["value"], found.longest], "task length, as people take it")
    best, rest = points[points["best"]], points[~points["best"]]
    return finish(
        [
            *marks.level_line(found.longest, up.y()),
            *marks.bars(rest.dropna(), x=across, y=up.y("low"), y2="high", color=MUTED, strokeWidth=1.4),
            *marks.bars(best.dropna(), x=across, y=up.y("low"), y2="high", color=BLUE, strokeWidth=1.8),
            *marks.lines(line, x=across, y=up.y(), color=ORANGE),
            *marks.dots(rest[~rest["bounded"]], x=across, y=up.y(), color=MUTED, size=55, tips=_TIPS),
            *marks.dots(best[~best["bounded"]], x=across, y=up.y(), color=BLUE, tips=_TIPS),
            *marks.rings(points[points["bounded"]], x=across, y=up.y(), color=INK, size=90, tips=_TIPS),
        ],
        title="Time horizon: task length at which half succeed",
        subtitle=[
            trend_words(trend),
            f"Blue: the best at release; bars: {100 * found.level:g}% of the draws; orange: their trend.",
            f"Dashed: the longest task, {show_minutes(found.longest)}. Hollow: beyond it, a lower bound.",
        ],
        description=f"Horizons of {counted(len(points), 'agent')} by release date. {trend_words(trend)}",
    )


def _horizon_rows(found: Horizons, best: set[str]) -> pd.DataFrame:
    table = found.table
    table = table[np.isfinite(table["year"]) & (table["status"] != "flat")]
    low, high = found.shortest / _CAP, found.longest * _CAP
    return pd.DataFrame({
        "x": table["year"],
        "value": table["p50"].clip(low, found.longest),
        "low": table["p50_low"].clip(low, high),
        "high": table["p50_high"].clip(low, high),
        "label": table["agent"],
        "when": [show_date(year) for year in table["year"]],
        "bounded": table["status"] == "above",
        "best": table["agent"].isin(best),
    }).reset_index(drop=True)  # fmt: skip
