"""One look for all charts: colours that the colour-blind can tell apart, words on everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import altair as alt
import pandas as pd
from altair.utils.schemapi import debug_mode

WIDTH, HEIGHT = 660, 380
INK, MUTED, FAINT = "#1c2733", "#66727f", "#e4e8ec"
# Okabe and Ito's palette: told apart by all common kinds of colour vision, and in grey by lightness.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"

# Given to a chart all at once: each of Altair's configure methods copies the whole chart.
THEME = alt.Config(
    background="white",
    font=FONT,
    padding=8,
    view=alt.ViewConfig(stroke=None),
    title=alt.TitleConfig(
        anchor="start", color=INK, fontSize=17, fontWeight=600, subtitleColor=MUTED, subtitleFontSize=13,
        subtitlePadding=5, offset=14, subtitleLineHeight=17,
    ),
    axis=alt.AxisConfig(
        gridColor=FAINT, domainColor=MUTED, tickColor=MUTED, labelColor=INK, titleColor=INK,
        labelFontSize=13, titleFontSize=13.5, titleFontWeight=500, titlePadding=9, labelOverlap="greedy",
    ),
    legend=alt.LegendConfig(
        orient="bottom", columns=4, labelFontSize=13, titleFontSize=13, titleFontWeight=500,
        labelColor=INK, titleColor=INK, symbolSize=90, symbolOpacity=1, symbolStrokeWidth=2.5,
        columnPadding=18, titleLimit=400, labelLimit=260,
    ),
)  # fmt: skip


def finish(layers: Sequence[Any], *, title: str, subtitle: Sequence[str], description: str) -> alt.LayerChart:
    """Put layers together under a title that says what is seen.

    Args:
        subtitle: Lines below the title: how many runs, what the marks are.
        description: What a reader who cannot see the chart should know.
    """
    made = alt.layer(
        *layers,
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(text=title, subtitle=[line for line in subtitle if line]),
        description=description,
        config=THEME,
    )
    return cast(alt.LayerChart, made)


def rows(table: pd.DataFrame) -> alt.InlineData:
    """A table as data inside the chart, of any length, every number unrounded, a missing one as null."""
    # Column by column: of ten thousand runs, row by row takes three times as long.
    columns = [[_plain(value) for value in table.iloc[:, at].tolist()] for at in range(table.shape[1])]
    names = [str(name) for name in table.columns]
    values = tuple(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    with debug_mode(False):  # a record cannot be wrong, and Altair would hold each against its schema
        return alt.InlineData(values=values)  # a tuple: a list would be copied at each step of the making


def sizes_colour(labels: Sequence[str], title: str) -> alt.Color:
    """Colour for an ordered series such as model sizes: dark to light, never near white."""
    scale = alt.Scale(domain=list(labels), range=_viridis(len(labels)))
    return alt.Color("series:N", scale=scale, sort=list(labels), legend=alt.Legend(title=title))


def counted(number: int, noun: str) -> str:
    """Say how many.

    >>> counted(1, "run"), counted(16, "run")
    ('1 run', '16 runs')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(value: Any) -> Any:
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number


# Matplotlib's viridis (van der Walt and Smith, CC0) at even steps, without its last, too light, fifth.
_VIRIDIS = ((68, 1, 84), (70, 50, 126), (54, 92, 141), (39, 127, 142), (31, 161, 135), (74, 193, 109),
            (140, 208, 62))  # fmt: skip


def _viridis(count: int) -> list[str]:
    steps = [place * (len(_VIRIDIS) - 1) / max(count - 1, 1) for place in range(count)]
    return [_between(step) for step in steps]


def _between(step: float) -> str:
    low = min(int(step), len(_VIRIDIS) - 2)
    mixed = [round(a + (step - low) * (b - a)) for a, b in zip(_VIRIDIS[low], _VIRIDIS[low + 1], strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
