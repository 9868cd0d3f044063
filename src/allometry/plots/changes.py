"""What would change a plan: one line a change, from the plan to the answer then."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from allometry.planning.changes import Kind, Number, Sensitivity
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, finish, rows
from allometry.units import show_count

_PURPLE = "#cc79a7"  # of the same palette as the others
_GOLD = "#e69f00"
_SKY = "#56b4e9"
_COLOURS = {
    Kind.LAW: BLUE,
    Kind.COEFFICIENT: MUTED,
    Kind.PRICE: ORANGE,
    Kind.UTILISATION: _PURPLE,
    Kind.DEMAND: GREEN,
    Kind.SERVING: _SKY,
    Kind.DATA: _GOLD,
}
_WORDS: dict[Number, str] = {
    "params": "best number of parameters",
    "tokens": "best number of tokens",
    "loss": "predicted loss",
    "usd": "cost of training and serving",
}
_PAD = 0.2  # of the axis on each side: room for words beside the dots
_BAR: dict[str, Any] = {"strokeWidth": 5, "opacity": 0.45}
_ROW = 24  # pixels of the chart's height for each row
_LEAST_HEIGHT = 160


def what_would_change(found: Sensitivity, by: Number = "params", most: int = 14) -> alt.LayerChart:
    """Each change as a line from the plan to the answer then, the largest effect first.

    Args:
        by: The number of the answer that is shown.
        most: Rows, at most; a row holds all settings of one thing.
    """
    table = _table(found, by)
    names = list(dict.fromkeys(table["what"]))[:most]
    table = table[table["what"].isin(names)]
    spread = [*table["ratio"], 1.0]
    along = axes.log_axis("ratio", spread, f"{_WORDS[by]} over that planned", pad=_PAD)
    down = alt.Y("what:N", sort=names, title=None, axis=alt.Axis(labelLimit=190))
    kinds = [kind for kind in _COLOURS if str(kind) in set(table["kind"])]
    scale = alt.Scale(domain=[str(kind) for kind in kinds], range=[_COLOURS[kind] for kind in kinds])
    colour = alt.Color("kind:N", scale=scale, legend=alt.Legend(title=None))
    tips = {"what": "changed", "setting": "to", "ratio": f"{_WORDS[by]} over that planned"}
    base = pd.DataFrame({"ratio": [1.0]})
    chart = finish(
        [
            alt.Chart(rows(base)).mark_rule(color=INK, strokeWidth=1.2).encode(x=along.x("ratio")),
            *marks.bars(table, x=along.x("ratio"), x2="one", y=down, color=colour, **_BAR),
            *marks.dots(table, x=along.x("ratio"), y=down, color=colour, size=80, tips=tips),
            *_settings(table, along, down),
        ],
        title=f"What would change the plan: {_WORDS[by]}",
        subtitle=[f"Black line: as planned for {found.asked}, {_planned(found, by)}.", _how(found)],
        description=_description(table, by),
    )  # fmt: skip
    return chart.properties(height=max(_LEAST_HEIGHT, _ROW * len(names)))


def _table(found: Sensitivity, by: Number) -> pd.DataFrame:
    """One row a change that touches the number; the largest first."""
    kept = [one for one in found.ranked(by) if found.effect(one, by) > 0]
    return pd.DataFrame({
        "kind": [str(one.kind) for one in kept], "what": [one.what for one in kept],
        "setting": [one.setting for one in kept], "ratio": [found.over_base(one, by) for one in kept],
        "one": 1.0,
    })  # fmt: skip


def _settings(table: pd.DataFrame, along: axes.Axis, down: alt.Y) -> marks.Layers:
    """The settings beside the outer dot of each side, in the order of the dots, but for those of laws."""
    told = table[table["kind"] != str(Kind.LAW)].sort_values("ratio")
    sides = told[told["ratio"] > 1], told[told["ratio"] < 1]
    more, less = (
        alt.Chart(rows(side.groupby("what", as_index=False).agg({"ratio": outer, "setting": ", ".join})))
        for side, outer in zip(sides, ("last", "first"), strict=True)
    )
    marked = (
        more.mark_text(align="left", dx=8, fontSize=11.5, color=INK),
        less.mark_text(align="right", dx=-8, fontSize=11.5, color=INK),
    )
    return [text.encode(x=along.x("ratio"), y=down, text="setting:N") for text in marked]


def _planned(found: Sensitivity, by: Number) -> str:
    value = getattr(found.base, by)
    return (
        f"{value:.4g}"
        if by == "loss"
        else show_count(value) + {"usd": " USD", "tokens": " tokens"}.get(by, "")
    )


def _how(found: Sensitivity) -> str:
    moved = any(one.kind is Kind.COEFFICIENT for one in found.changes)
    ends = (
        f"Coefficients: ends of their {100 * found.level:g}% intervals, the others following. "
        if moved
        else ""
    )
    return f"{ends}By {found.law}."


def _description(table: pd.DataFrame, by: Number) -> str:
    if table.empty:
        return f"Nothing that was tried changes the {_WORDS[by]}."
    top = table.iloc[0]
    return f"The {_WORDS[by]} changes most with {top['what']} ({top['setting']}): {top['ratio']:.3g} times."
