"""The price of each score over time, and the line through it."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import counted, finish
from allometry.plots.trends import series_rows, year_axis
from allometry.trends.price_words import times_words
from allometry.trends.prices import Prices, PriceTrend

_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#999999", "#882255"]
_TIPS = {"label": "model", "when": "date", "value": "price"}


def prices_over_time(made: Prices, *, most: int = len(_COLOURS)) -> alt.LayerChart:
    """The cheapest models of each score, with the line through their logarithms.

    Args:
        most: Scores that are shown, the first ones; more colours cannot be told apart.
    """
    shown = made.trends[:most]
    points = pd.concat([_points(one) for one in shown], ignore_index=True)
    lines = pd.concat([_line(one) for one in shown], ignore_index=True)
    across = year_axis(float(points["x"].min()), float(points["x"].max()))
    up = axes.log_axis(shown[0].series.name, [*points["value"], *lines["value"]], _title(shown[0]))
    names = [_name(one) for one in shown]
    legend = alt.Legend(
        title="score, and the factor a year by which it gets cheaper", columns=1, labelLimit=600
    )
    scale = alt.Scale(domain=names, range=_COLOURS[: len(names)])
    colour = alt.Color("series:N", scale=scale, sort=names, legend=legend)
    hidden = len(made.trends) - len(shown)
    return finish(
        [
            *marks.lines(lines, x=across, y=up.y(), color=colour, strokeWidth=1.8),
            # Scores share models: the rings of the first are the widest, so that none hides another.
            *(
                layer
                for place, (_, part) in enumerate(points.groupby("series", sort=False))
                for layer in marks.rings(
                    part,
                    x=across,
                    y=up.y(),
                    color=colour,
                    tips=_TIPS,
                    strokeWidth=2,
                    size=40 + 45 * (len(shown) - place),
                )
            ),
        ],
        title="What a given score costs over time",
        subtitle=[
            "Each ring is cheaper than all models before it at or above the score.",
            f"Brackets: {100 * made.level:g}% interval of the line, by t with n − 2.",
            f"{counted(hidden, 'more score')} left out of the picture." if hidden else "",
        ],
        description="; ".join(names),
    )


def _name(one: PriceTrend) -> str:
    factor = one.factor
    ends = f"{times_words(factor.low)} to {times_words(factor.high)}"
    return f"{one.name}: {times_words(factor.value)} ({ends}), n = {len(one.series)}"


def _title(one: PriceTrend) -> str:
    unit = f" ({one.series.unit})" if one.series.unit else ""
    return f"{one.series.name.replace('_', ' ')}{unit}"


def _points(one: PriceTrend) -> pd.DataFrame:
    return series_rows(one.series).assign(series=_name(one))


def _line(one: PriceTrend) -> pd.DataFrame:
    years = np.array([one.series.years[0], one.series.years[-1]])
    return pd.DataFrame({"series": _name(one), "x": years, "value": one.trend.line(years)})
