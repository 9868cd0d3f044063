"""One budget for training and attempts: what every size makes of it, and the best split."""

from __future__ import annotations

import altair as alt
import pandas as pd

from allometry.capabilities.joint import JointOptimum
from allometry.plots import axes, marks
from allometry.plots.theme import MUTED, finish, sizes_colour
from allometry.units import show_count, show_power

_NEAR = 1.6  # a power of ten this near to the best number of attempts is left out


def score_against_size(best: JointOptimum) -> alt.LayerChart:
    """pass@k by the size of the model, one line a number of attempts, all of which spend the same budget."""
    table = _lines(best)
    names = list(dict.fromkeys(table["series"]))
    across = axes.log_axis("params", table["x"], axes.title("params"), pad=0.01)
    up = axes.plain_axis([0.0, *table["value"], best.score.high], "pass@k")
    here = pd.DataFrame([{
        "x": best.params.value, "value": best.score.value, "left": best.params.low,
        "right": best.params.high, "low": best.score.low, "high": best.score.high,
    }])  # fmt: skip
    alone = pd.DataFrame([{"x": best.training_only.value, "low": 0.0, "high": float(table["value"].max())}])
    return finish(
        [
            *marks.bars(alone, x=across.x(), y=up.y("low"), y2="high", color=MUTED, strokeDash=[6, 4]),
            *marks.lines(table, x=across.x(), y=up.y(), color=sizes_colour(names, "attempts k")),
            *marks.bars(here, x=across.x("left"), x2="right", y=up.y()),
            *marks.bars(here, x=across.x(), y=up.y("low"), y2="high"),
            *marks.diamonds(here, x=across.x(), y=up.y()),
        ],
        title=f"One budget of {show_power(best.flops)} FLOP for training and attempts",
        subtitle=[_best_words(best), _mark_words(best)],
        description=_best_words(best),
    )


def _lines(best: JointOptimum) -> pd.DataFrame:
    """The table of sizes as the chart's rows: without powers of ten that the best line would hide."""
    k, chosen = best.sizes["k"], best.k.value
    kept = best.sizes[(k == chosen) | (k > _NEAR * chosen) | (k < chosen / _NEAR)]
    said = [f"{show_count(one)} (best)" if one == chosen else show_count(one) for one in kept["k"]]
    named = {"params": "x", "score": "value"}
    return kept.rename(columns=named).assign(series=said)[["series", "x", "value"]]


def _best_words(best: JointOptimum) -> str:
    share = best.inference_share.value
    return (
        f"Best: {show_count(best.params.value)} parameters, {show_count(best.tokens.value)} tokens, "
        f"{show_count(best.k.value)} attempts; {share:.0%} of it goes to attempts."
    )


def _mark_words(best: JointOptimum) -> str:
    return (
        f"Bars: {best.level:.0%} ranges of the best size and its pass@k. "
        f"Dashed: best size for training alone, {show_count(best.training_only.value)}."
    )
