"""Commands on how far growth can go, and on how much a token or a watt buys."""

from __future__ import annotations

from pathlib import Path

from allometry.cli.application import EVERYTHING, Flag, Selection, chosen_runs
from allometry.cli.trend import trend


@trend.command
def walls(
    file: Path,
    *,
    history: str | None = None,
    value: str = "flops",
    date: str | None = None,
    since: str | None = None,
    selection: Selection = EVERYTHING,
    chart: Path | None = None,
    level: float = 0.9,
    draws: int = 4000,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how many more doublings of compute there are until power, data or money is a wall.

    Parameters
    ----------
    file
        A TOML file of constraints: now, bound, share and bound_growth of each.
    history
        A table of compute over time, instead of a stated growth.
    value
        Its column of compute.
    date
        Its column of dates, if it is not called date, release_date or year.
    since
        First date of its window.
    chart
        Where to save the picture, .svg or .png.
    level
        Of the intervals.
    draws
        Of bounds and rates.
    seed
        Of the draws.
    json
        Print everything as JSON.
    """
    from allometry import plots
    from allometry.report.terminal import show
    from allometry.trends.series import read_series
    from allometry.trends.walls import doublings_left
    from allometry.trends.walls_file import read_walls

    stated = read_walls(file)
    known = read_series(chosen_runs(history, selection), value, date=date).between(since) if history else None
    made = doublings_left(
        stated.constraints, growth=stated.growth, history=known, start=stated.start, level=level,
        draws=draws, seed=seed,
    )  # fmt: skip
    if chart is not None:
        plots.save_picture(plots.doublings_to_walls(made), chart)
    return show(made.facts(), made.summary(), json)
