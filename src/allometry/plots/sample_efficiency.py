"""The curves of recipes against tokens, and where each meets the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, ORANGE, counted, finish
from allometry.trends.sample_efficiency import SampleEfficiency
from allometry.units import show_count

_COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", "#999999", "#882255")
_POINTS = 80
_ROOM = 30.0  # times the longest run that the axis reaches at most
_TIPS = {"series": "recipe", "x": "tokens", "value": "value"}
_STARS = {"recipe": "recipe", "tokens": "tokens", "low": "low", "high": "high", "never": "never reached in"}


def tokens_to_target(made: SampleEfficiency, *, most: int = len(_COLOURS)) -> alt.LayerChart:
    """Each recipe's curve with its runs, and the interval of the tokens at which it meets the target.

    Runs are shown where tokens are the only input of the law: else they differ in more than the axis says.

    Args:
        most: Recipes that are shown, the first ones; more colours cannot be told apart.
    """
    table = made.table.head(most)
    names = {row["recipe"]: _name(row) for row in table.to_dict("records")}
    edge = _edge(made)
    runs = _runs(made, names)
    curves = pd.concat([_curve(made, name, said, edge) for name, said in names.items()], ignore_index=True)
    met = _met(made, names, edge)
    across = axes.log_axis("tokens", [*curves["x"], *met["low"]], axes.title("tokens")).x
    up = axes.log_axis("loss", [*curves["value"], *runs["value"], made.aim], _title(made), most=6).y()
    said = list(names.values())
    scale = alt.Scale(domain=said, range=list(_COLOURS[: len(said)]))
    legend = alt.Legend(title="recipe, and its tokens to the target", columns=2, labelLimit=320)
    colour = alt.Color("series:N", scale=scale, sort=said, legend=legend)
    hidden = len(made.table) - len(table)
    return finish(
        [
            *marks.level_line(made.aim, up),
            *marks.bars(met, x=across("low"), y=up, x2="high", color=colour, strokeWidth=6, opacity=0.4),
            *marks.lines(curves, x=across(), y=up, color=colour),
            *marks.dots(runs, x=across(), y=up, color=colour, tips=_TIPS, size=45),
            *marks.stars(met[met["shown"]], x=across("tokens"), y=up, tips=_STARS, fill=INK),
        ],
        title=f"Tokens to {_article(made)} of {made.target:g}",
        subtitle=[
            f"Stars: where each curve meets the target; bars: {100 * made.level:g}% interval of the tokens.",
            "A bar that ends with the curves goes on beyond the picture, or has no end."
            if bool((met["high"] >= edge).any()) else "",
            f"{counted(hidden, 'more recipe')} left out of the picture." if hidden else "",
        ],
        description=made.summary(),
    )  # fmt: skip


def _name(row: Mapping[Any, Any]) -> str:
    tokens = float(row["tokens"])
    return f"{row['recipe']}: {show_count(tokens) if np.isfinite(tokens) else 'never'}"


def _article(made: SampleEfficiency) -> str:
    return f"{'an' if made.output[0] in 'aeiou' else 'a'} {made.output.replace('_', ' ')}"


def _title(made: SampleEfficiency) -> str:
    return f"1 − {made.output.replace('_', ' ')}" if made.score else axes.title(made.output)


def _tokens(made: SampleEfficiency, name: str) -> np.ndarray:
    fit = made.fits[name]
    return fit.data.inputs[next(key for key, column in fit.inputs.items() if column == "tokens")]


def _edge(made: SampleEfficiency) -> float:
    """Right end of the picture: beyond the last finite end, but not by orders beyond the runs."""
    longest = max(float(_tokens(made, name).max()) for name in made.fits)
    ends = made.table[["tokens", "low", "high"]].to_numpy(float)
    last = float(ends[np.isfinite(ends)].max(initial=longest))
    return min(1.1 * last, _ROOM * longest)


def _runs(made: SampleEfficiency, names: dict[str, str]) -> pd.DataFrame:
    none = pd.DataFrame({"series": [], "x": [], "value": []}).astype({"series": object})
    parts = [
        pd.DataFrame({"series": said, "x": _tokens(made, name), "value": made.fits[name].data.output})
        for name, said in names.items()
        if len(made.fits[name].inputs) == 1
    ]
    return pd.concat(parts, ignore_index=True) if parts else none


def _curve(made: SampleEfficiency, name: str, said: str, edge: float) -> pd.DataFrame:
    x = np.geomspace(float(_tokens(made, name).min()), edge, _POINTS)
    return pd.DataFrame({"series": said, "x": x, "value": made.curve(name, x)})


def _met(made: SampleEfficiency, names: dict[str, str], edge: float) -> pd.DataFrame:
    """Where curves meet the target, inside the picture; a recipe that never does has a bar of no length."""
    table = made.table[made.table["recipe"].isin(names)]
    return table.assign(
        series=table["recipe"].map(names),
        value=made.aim,
        shown=table["tokens"] <= edge,
        low=table["low"].clip(upper=edge),
        high=table["high"].clip(upper=edge),
    )
