"""Loss against the learning rate at several widths: does the best rate move?"""

from __future__ import annotations

import altair as alt
import pandas as pd

from allometry.fitting.learning_rates import best_rates, mean_losses, rate_drift
from allometry.plots import axes, frames, marks
from allometry.plots.theme import INK, counted, finish, sizes_colour
from allometry.runs.run import Runs


def learning_rate_transfer(runs: Runs) -> alt.LayerChart:
    """Loss against the peak learning rate, one line a width, the minimum of each marked.

    A star is a minimum between tried rates, its bar the interval that the neighbouring rates leave open; a
    ring is the lowest loss at an end of the rates tried, where no minimum was seen.

    Args:
        runs: As of `lab.rate_transfer.learning_rate_transfer`: alike in all but width, rate and seed.

    Raises:
        MissingColumn: If width, learning_rate or loss is missing.
        FitError: If no run of a width has a loss.
    """
    best = best_rates(runs)
    tried = mean_losses(runs).dropna(subset=["loss"])
    labels = [f"{width:g}" for width in sorted(best["width"])]
    colour = sizes_colour(labels, "width")
    frame, minima = _placed(tried), _placed(best)
    lost = frames.lost_runs(runs, "learning_rate")
    across = axes.log_axis("learning_rate", [*frame["x"], *lost["x"]], "peak learning rate (1)").x()
    up = axes.loss_axis("loss", "nat/token", frame["value"]).y()
    tips = {"series": "width", "x": "rate", "value": "loss", "low": "above", "high": "below"}
    seen, edges = minima[~minima["edge"]], minima[minima["edge"]]
    return finish(
        [
            *marks.lines(frame, x=across, y=up, color=colour),
            *marks.dots(frame, x=across, y=up, color=colour, size=50, tips=tips),
            *_intervals(seen, across, up),
            *marks.stars(seen, x=across, y=up, color=colour, stroke=INK, strokeWidth=1, tips=tips),
            *marks.rings(edges, x=across, y=up, color=colour, tips=tips),
            *marks.crosses(lost, x=across),
        ],
        title=_moves(best),
        subtitle=[
            f"{counted(len(runs), 'run')}; star: minimum, its bar: between the rates tried next to it.",
            "Ring: lowest loss, at an edge: the minimum lies beyond it." if len(edges) else "",
            "Cross: a rate at which a run diverged or failed." if len(lost) else "",
        ],
        description=f"Held-out loss against the peak learning rate, one line a width. {_moves(best)}.",
    )


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    """Where the marks of a table of widths, rates and losses stand."""
    series = [f"{width:g}" for width in table["width"]]
    return table.assign(series=series, x=table["learning_rate"], value=table["loss"])


def _intervals(seen: pd.DataFrame, across: alt.X, up: alt.Y) -> marks.Layers:
    if seen.empty:
        return []
    return marks.bars(seen.assign(x=seen["low"]), x=across, x2="high", y=up, strokeWidth=1.2, opacity=0.6)


def _moves(best: pd.DataFrame) -> str:
    if best["edge"].any():
        return (
            f"At {best['edge'].sum()} of {len(best)} widths the lowest loss is at an end of the rates tried"
        )
    if len(best) < 2:
        return "The best learning rate lies between tried ones"
    widths = f"From width {best['width'].min():g} to {best['width'].max():g}"
    return f"{widths} the best learning rate goes as width^{rate_drift(best):.2f}"
