"""The few kinds of marks that charts are made of; each turns a table into one layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from allometry.plots.theme import INK, MUTED, ORANGE, rows

STAR = "M0,-1L0.22,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.22,-0.31Z"


def dots(
    table: pd.DataFrame, *, x: Any, y: Any, tips: Mapping[str, str] | None = None, **look: Any
) -> Layers:
    """Filled dots; `tips` maps a field to its words and is shown under the pointer."""
    return _points(table, x, y, tips, {"filled": True, "size": 70, "opacity": 1, **look})


def rings(
    table: pd.DataFrame, *, x: Any, y: Any, tips: Mapping[str, str] | None = None, **look: Any
) -> Layers:
    """Hollow dots: runs a fit has not seen."""
    return _points(
        table, x, y, tips, {"size": 130, "strokeWidth": 2.5, "fill": "white", "opacity": 1, **look}
    )


def stars(
    table: pd.DataFrame, *, x: Any, y: Any, tips: Mapping[str, str] | None = None, **look: Any
) -> Layers:
    """Stars: an outcome, or the best of a series."""
    star = {"shape": STAR, "filled": True, "size": 190, "stroke": "white", "strokeWidth": 0.8, "opacity": 1}
    return _points(table, x, y, tips, {**star, **look})


def diamonds(table: pd.DataFrame, *, x: Any, y: Any) -> Layers:
    """The best values of a fit or a plan."""
    look = {"shape": "diamond", "filled": True, "size": 190, "color": ORANGE, "stroke": "white", "opacity": 1}
    return _points(table, x, y, None, look)


def crosses(table: pd.DataFrame, *, x: Any) -> Layers:
    """Lost runs, along the upper edge: they have a place in compute, and no loss."""
    look = {"shape": "cross", "angle": 45, "color": ORANGE, "filled": True, "size": 110, "opacity": 1}
    return _points(table, x, alt.value(6), {name: name for name in ("run_id", "status", "reason")}, look)


def lines(table: pd.DataFrame, *, x: Any, y: Any, detail: str = "", **look: Any) -> Layers:
    """Lines through the rows in the order of x; `color` may be an encoding or a fixed colour."""
    if table.empty:
        return []
    encoded, fixed = _colour(look)
    if detail:
        encoded["detail"] = f"{detail}:N"
    mark = alt.Chart(rows(table)).mark_line(clip=True, **{"strokeWidth": 2.0, **fixed})
    return [mark.encode(x=x, y=y, **encoded)]


def band(table: pd.DataFrame, *, x: Any, low: Any, high: str, **look: Any) -> Layers:
    """A shaded range; none where the table has no range."""
    usable = table.dropna(subset=[low.to_dict()["field"], high])
    if usable.empty:
        return []
    encoded, fixed = _colour(look)
    mark = alt.Chart(rows(usable)).mark_area(clip=True, line=False, **{"opacity": 0.14, **fixed})
    return [mark.encode(x=x, y=low, y2=f"{high}:Q", **encoded)]


def bars(table: pd.DataFrame, *, x: Any, y: Any, x2: str = "", y2: str = "", **look: Any) -> Layers:
    """A straight bar between two values: an interval."""
    encoded, fixed = _colour(look)
    ends = {name: f"{field}:Q" for name, field in (("x2", x2), ("y2", y2)) if field}
    colour = {} if encoded else {"color": INK}
    mark = alt.Chart(rows(table)).mark_rule(clip=True, **{**colour, "strokeWidth": 2.2, **fixed})
    return [mark.encode(x=x, y=y, **ends, **encoded)]


def level_line(value: float, axis_y: Any) -> Layers:
    """A dashed line across the chart."""
    table = pd.DataFrame({"value": [value]})
    return [alt.Chart(rows(table)).mark_rule(color=MUTED, strokeDash=[6, 4]).encode(y=axis_y)]


Layers = list[alt.Chart]


def _points(
    table: pd.DataFrame, x: Any, y: Any, tips: Mapping[str, str] | None, look: Mapping[str, Any]
) -> Layers:
    if table.empty:
        return []
    encoded, fixed = _colour(dict(look))
    shown = [_tip(field, text, table) for field, text in (tips or {}).items() if field in table.columns]
    if shown:
        encoded["tooltip"] = shown
    return [alt.Chart(rows(table)).mark_point(**fixed).encode(x=x, y=y, **encoded)]


def _colour(look: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split what depends on the data from what is fixed."""
    if isinstance(look.get("color"), alt.Color):
        return {"color": look.pop("color")}, look
    return {}, look


def _tip(field: str, text: str, table: pd.DataFrame) -> alt.Tooltip:
    numeric = pd.api.types.is_numeric_dtype(table[field])
    big = numeric and bool((table[field].abs() >= 1e4).any())
    return alt.Tooltip(
        f"{field}:{'Q' if numeric else 'N'}",
        title=text,
        format=(".4~g" if big else ".5~g") if numeric else "",
    )
