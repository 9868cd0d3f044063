"""One chart of a report: its words as text of the page, its marks as Vega-Lite for the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

_SMALL_HEIGHT = 230


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One chart.

    Attributes:
        title, lines, description: Its words, as text of the page, where they wrap and can be read aloud.
        spec: The chart without its title, as wide as the page.
        small: Shown beside others.
    """

    title: str
    lines: tuple[str, ...]
    description: str
    spec: dict[str, Any]
    small: bool = False


def as_figure(chart: alt.LayerChart, *, small: bool = False) -> Figure:
    """A chart as wide as the page, its words taken out of it."""
    spec = chart.to_dict(validate=False)  # tests validate every chart; here it would take half of the time
    heading = spec.pop("title")
    description = spec.pop("description")
    wide = {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    height = {"height": _SMALL_HEIGHT} if small else {}
    lines = tuple(heading.get("subtitle", ()))
    return Figure(
        title=heading["text"], lines=lines, description=description,
        spec={**spec, **wide, **height, "description": description}, small=small,
    )  # fmt: skip
