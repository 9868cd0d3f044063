"""Models of many families: their first component along compute, and a target score with both upper ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from allometry.capabilities.families import Families
from allometry.errors import InputError
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, counted, finish

_COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
_OTHERS, _GREY = "other families", "#b9c1c9"
_ENDS = ("upper end 1", "upper end fitted")


def component_against_compute(found: Families) -> alt.LayerChart:
    """The first component of each model against its compute, with the lines of the largest families."""
    first = found.lines[found.lines["component"] == 1].sort_values("models", ascending=False, kind="stable")
    shown = [str(name) for name in first["family"].head(len(_COLOURS))]
    table = found.table.dropna(subset=["flops", "pc1"])
    table = table.assign(series=table["family"].where(table["family"].isin(shown), _OTHERS))
    dots = table.rename(columns={"flops": "x", "pc1": "value"})[["model", "series", "x", "value", "trained"]]
    lines = pd.concat([_line(row, dots) for row in first.head(len(_COLOURS)).to_dict("records")])
    across = axes.log_axis("flops", dots["x"], axes.title("flops")).x()
    up = axes.plain_axis(dots["value"], "first component (score)").y()
    others = [_OTHERS] if (dots["series"] == _OTHERS).any() else []
    scale = alt.Scale(domain=[*shown, *others], range=[*_COLOURS[: len(shown)], _GREY][: len(shown + others)])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title="family"))
    benchmarks = counted(len(found.components.metrics), "benchmark")
    tips = {"model": "model", "series": "family", "x": "compute (FLOP)", "value": "component"}
    return finish(
        [
            *marks.lines(lines, x=across, y=up, color=colour),
            *marks.dots(dots[dots["trained"]], x=across, y=up, color=colour, tips=tips, size=45),
            *marks.rings(dots[~dots["trained"]], x=across, y=up, color=colour, tips=tips, size=55,
                         strokeWidth=1.5),
        ],
        title="Capability against compute, family by family",
        subtitle=[
            f"It holds {found.components.shares[0]:.0%} of the variance of {benchmarks}.",
            "Hollow: models that were not learnt from.",
        ],
        description="First principal component of each model against training compute, with a line a family.",
    )  # fmt: skip


def target_by_ends(found: Families) -> alt.LayerChart:
    """The target along the index that forecasts it: models, and the curves with either upper end.

    Raises:
        InputError: If there is no target.
    """
    if found.fixed is None or found.free is None:
        raise InputError("These families were observed without a target; give target=, a column of scores.")
    dots, curves = _target_dots(found), _target_curves(found)
    across = axes.plain_axis(dots["x"], "first component (score)").x()
    up = axes.plain_axis([0.0, 1.0], f"{found.target} (share)").y()
    scale = alt.Scale(domain=list(_ENDS), range=[BLUE, ORANGE])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    band_low = axes.plain_axis([0.0, 1.0], f"{found.target} (share)").y("low")
    return finish(
        [
            *marks.band(curves, x=across, low=band_low, high="high", color=colour),
            *marks.lines(curves, x=across, y=up, color=colour),
            *marks.dots(dots[dots["trained"]], x=across, y=up, color=MUTED, size=45, tips={"model": "model"}),
            *marks.rings(dots[~dots["trained"]], x=across, y=up, color=INK, size=55, strokeWidth=1.5,
                         tips={"model": "model"}),
        ],
        title=f"{found.target} with the upper end at 1 and at {found.free.end:.2f}, as fitted",
        subtitle=[
            "Curves: the other components follow the first as they do among the models.",
            f"Bands: {found.level:.0%} of refits to families drawn anew.",
            "Filled: learnt from. Hollow: held out.",
        ],
        description=f"Scores on {found.target} along the first component, with two curves.",
    )  # fmt: skip


def _line(row: Mapping[Any, Any], dots: pd.DataFrame) -> pd.DataFrame:
    x = dots.loc[(dots["series"] == row["family"]) & dots["trained"], "x"]
    ends = np.array([x.min(), x.max()])
    return pd.DataFrame(
        {"series": row["family"], "x": ends, "value": row["intercept"] + row["slope"] * np.log(ends)}
    )


def _target_dots(found: Families) -> pd.DataFrame:
    known = found.table.dropna(subset=["pc1", "target"])
    return known.rename(columns={"pc1": "x", "target": "value"})[["model", "x", "value", "trained"]]


def _target_curves(found: Families) -> pd.DataFrame:
    """Both curves along the first component, the others following it as they do among the models."""
    columns = [name for name in found.table.columns if name.startswith("pc")]
    places = found.table[columns].dropna().to_numpy(dtype=np.float64)
    first = np.linspace(places[:, 0].min(), places[:, 0].max(), 60)
    others = [np.polyval(np.polyfit(places[:, 0], column, 1), first) for column in places[:, 1:].T]
    along = np.column_stack([first, *others])
    parts = []
    for series, curve in zip(_ENDS, (found.fixed, found.free), strict=True):
        assert curve is not None  # the caller refuses families without a target
        low, high = curve.interval(along, found.level)
        parts.append(
            pd.DataFrame(
                {"series": series, "x": first, "value": curve.predict(along), "low": low, "high": high}
            )
        )
    return pd.concat(parts, ignore_index=True)
