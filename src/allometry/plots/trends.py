"""Dated values: the points, the trend through them, and what several windows and forms say next."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, INK, MUTED, counted, finish
from allometry.trends.dates import show_date
from allometry.trends.horizon_findings import show_minutes
from allometry.trends.outlook import Outlook
from allometry.trends.outlook_words import forms_words, outlook_words
from allometry.trends.series import Series
from allometry.trends.trend import Trend
from allometry.trends.trend_words import trend_words

_LINE_POINTS = 70
_AHEAD = 2.0  # years that an outlook is drawn for, unless another date is asked for
_TIPS = {"label": "of", "when": "date", "value": "value"}
_ROOM = 1e3  # a band may leave the points by this factor before it is cut off
_PARTS = ["#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#e69f00", "#999999", "#882255"]


def outlook_chart(made: Outlook, *, until: float | None = None) -> alt.LayerChart:
    """The points, the median of each window and form, and the interval of the mixture beyond the last point.

    Args:
        until: Decimal year to draw to; two years beyond the last point if not given.
    """
    last = float(made.series.years[-1])
    end = until or last + _AHEAD
    band = made.band(np.linspace(last, end, 24)).rename(columns={"year": "x", "median": "value"})
    parts = _part_lines(made, end)
    points = series_rows(made.series)
    across, up = _axes(made.series, end, [*points["value"], *_near(band, made.series), *parts["value"]])
    scale = alt.Scale(domain=made.names, range=_PARTS)
    legend = alt.Legend(title="window and form", columns=3, labelLimit=240)
    colour = alt.Color("series:N", scale=scale, sort=made.names, legend=legend)
    return finish(
        [
            *marks.band(band, x=across, low=up.y("low"), high="high", color=MUTED, opacity=0.22),
            *marks.lines(parts, x=across, y=up.y(), color=colour, strokeWidth=1.6),
            *marks.lines(band, x=across, y=up.y(), color=INK, strokeWidth=2.6),
            *_points(points, across, up),
        ],
        title=f"{made.series.name}: what it may do next",
        subtitle=[
            outlook_words(made),
            forms_words(made),
            f"Black: median of the mixture; grey: {100 * made.level:g}% of new points. Hollow: lower bounds.",
        ],
        description=f"{counted(len(points), 'point')} of {made.series.name} over time. {outlook_words(made)}",
    )


def trend_chart(made: Trend) -> alt.LayerChart:
    """The points of one window, the line through them, and the lines of its draws as a band."""
    years = np.linspace(float(made.series.years[0]), float(made.series.years[-1]), _LINE_POINTS)
    logs = made.draws[:, :1] + made.draws[:, 1:] * (years - 2020)
    low, high = np.quantile(logs, [(1 - made.level) / 2, (1 + made.level) / 2], axis=0)
    line = pd.DataFrame({"x": years, "value": made.line(years), "low": 2**low, "high": 2**high})
    points = series_rows(made.series)
    across, up = _axes(made.series, float(years[-1]), [*points["value"], *line["value"]])
    return finish(
        [
            *marks.band(line, x=across, low=up.y("low"), high="high", color=BLUE),
            *marks.lines(line, x=across, y=up.y(), color=BLUE),
            *_points(points, across, up),
        ],
        title=f"{made.series.name} over time",
        subtitle=[trend_words(made), f"Shaded: {100 * made.level:g}% of the draws of the line."],
        description=trend_words(made),
    )


def series_rows(series: Series) -> pd.DataFrame:
    """The points of a series as rows of a chart."""
    return pd.DataFrame({
        "x": series.years,
        "value": series.values,
        "label": list(series.labels),
        "when": [show_date(year) for year in series.years],
        "bounded": series.bounded,
    })  # fmt: skip


def year_axis(low: float, high: float) -> alt.X:
    """A horizontal axis of decimal years, ticks at whole ones."""
    margin = 0.03 * max(high - low, 0.5)
    scale = alt.Scale(domain=[low - margin, high + margin], nice=False, zero=False)
    axis = alt.Axis(title="date", format="d", tickMinStep=1, tickCount=10)
    return alt.X("x:Q", scale=scale, axis=axis)


def minutes_axis(values: list[float], text: str) -> axes.Axis:
    """A logarithmic axis of task lengths, ticks from a second to a month of work."""
    low, high = axes.span(values)
    shown = [1 / 60, 1 / 6, 1, 4, 15, 60, 240, 960, 2400, 10_000, 120_000]
    kept = [tick for tick in shown if low / 2 <= tick <= high * 2]
    words = {
        1 / 60: "1 s",
        1 / 6: "10 s",
        2400: "1 week (40 h)",
        10_000: "1 month (167 h)",
        120_000: "1 year",
    }
    labels = {tick: words.get(tick, show_minutes(tick).replace(".0", "")) for tick in kept}
    expression = "".join(f"datum.value == {tick!r} ? '{label}' : " for tick, label in labels.items()) + "''"
    return axes.Axis(
        scale=alt.Scale(type="log", domain=[low / 1.4, high * 1.4], nice=False),
        axis=alt.Axis(title=text, values=kept, labelExpr=expression, labelOverlap=False),
    )


def _axes(series: Series, end: float, values: list[float]) -> tuple[alt.X, axes.Axis]:
    unit = f" ({series.unit})" if series.unit else ""
    title = f"{series.name.replace('_', ' ')}{unit}"
    across = year_axis(float(series.years[0]), end)
    if series.unit == "min":
        return across, minutes_axis(values, f"time horizon ({series.name})")
    return across, axes.log_axis(series.name, values, title)


def _points(points: pd.DataFrame, across: alt.X, up: axes.Axis) -> marks.Layers:
    bounded = points["bounded"]
    return [
        *marks.dots(points[~bounded], x=across, y=up.y(), color=INK, tips=_TIPS),
        *marks.rings(points[bounded], x=across, y=up.y(), color=INK, size=80, tips=_TIPS),
    ]


def _part_lines(made: Outlook, end: float) -> pd.DataFrame:
    """The median curve of each part, from the first point of its window on."""
    tables = []
    for name, part, since in zip(made.names, made.parts, made.table["since"], strict=True):
        years = np.linspace(since, end, _LINE_POINTS)
        curve = np.median(part.form.curve(part.coefficients, years - made.series.years[-1]), axis=0)
        tables.append(pd.DataFrame({"series": name, "x": years, "value": 2**curve}))
    lines = pd.concat(tables, ignore_index=True)
    low, high = axes.span(made.series.values)
    return lines[(lines["value"] > low / _ROOM) & (lines["value"] < high * _ROOM)]


def _near(band: pd.DataFrame, series: Series) -> list[float]:
    low, high = axes.span(series.values)
    ends = [float(value) for name in ("low", "high") for value in band[name]]
    return [value for value in ends if low / _ROOM < value < high * _ROOM]
