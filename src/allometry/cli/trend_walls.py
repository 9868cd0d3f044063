"""Commands on how far growth can go, and on how much a token or a watt buys."""

from __future__ import annotations

from pathlib import Path

from allometry.cli.application import EVERYTHING, Flag, Selection, Words, chosen_runs
from allometry.cli.trend import save_outlook, trend
from allometry.units import read_quantity


@trend.command
def walls(
    file: Path,
    *,
    history: str | None = None,
    value: str = "flops",
    date: str | None = None,
    since: str | None = None,
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
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
    plot
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
    if plot is not None:
        plots.save_picture(plots.doublings_to_walls(made), plot)
    return show(made.facts(), made.summary(), json)


@trend.command(name="sample-efficiency")
def sample_efficiency(
    source: str,
    target: float,
    *,
    by: str = "recipe",
    output: str = "loss",
    score: Flag = False,
    law: str = "power_law_with_floor",
    at: Words = (),
    date: str | None = None,
    reference: str | None = None,
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    draws: int = 300,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how many tokens each recipe takes to a loss or score, and how fast that falls over the years.

    Parameters
    ----------
    source
        A table of runs: tokens, the output, the recipe.
    target
        The loss or score to be reached.
    by
        The column of recipes.
    output
        The column of losses or scores.
    score
        The output is a score from 0 to 1 that rises.
    law
        Of the curve: by tokens alone, or one that reads tokens with the others given by --at.
    at
        Another input of the law, such as params=1B; may be repeated.
    date
        A column of dates, for the trend over recipes.
    reference
        The recipe that others are compared with.
    plot
        Where to save the picture, .svg or .png.
    level
        Of the intervals.
    draws
        Resamples of the runs.
    seed
        Of the resamples.
    json
        Print everything as JSON.
    """
    from allometry import plots
    from allometry.report.terminal import pairs, show
    from allometry.trends.sample_efficiency import tokens_to_reach

    made = tokens_to_reach(
        chosen_runs(source, selection), target, by=by, output=output, score=score, law=law,
        at={name: read_quantity(value) for name, value in pairs(at).items()}, date=date,
        reference=reference, level=level, draws=draws, seed=seed,
    )  # fmt: skip
    if plot is not None:
        plots.save_picture(plots.tokens_to_target(made), plot)
    return show(made.facts(), made.summary(), json)


@trend.command
def intelligence(
    source: str,
    numerator: str,
    *,
    per: str,
    date: str | None = None,
    since: str | None = None,
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how fast what a watt or a dollar buys grows, by your own measure of what is bought.

    Parameters
    ----------
    source
        A table with dates.
    numerator
        A column or an SQL expression over columns, such as "score * tokens_per_second".
    per
        The same for what it is divided by, such as power_watts.
    date
        The column of dates, if it is not called date, release_date or year.
    since
        First date of the window.
    plot
        Where to save the outlook as a picture, .svg or .png.
    level
        Of the intervals.
    draws
        Of the outlook.
    seed
        Of the draws.
    json
        Print everything as JSON.
    """
    from allometry.report.terminal import show
    from allometry.trends.intelligence import intelligence_per

    runs = chosen_runs(source, selection)
    made = intelligence_per(runs, numerator, per, date=date, since=since, level=level, draws=draws, seed=seed)
    save_outlook(made, plot)
    return show(made.facts(), made.summary(), json)
