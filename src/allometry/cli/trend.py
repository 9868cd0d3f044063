"""Commands on what changes over the calendar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from allometry.cli.application import EVERYTHING, Flag, Selection, Words, app, chosen_runs
from allometry.units import read_quantity

if TYPE_CHECKING:
    from allometry.trends.account import TrendAccount

trend = App(
    name="trend",
    help="Trends over the calendar, and what window and form decide; every command can print --json.",
    sort_key=9.3,
)
app.command(trend)


@trend.command
def horizon(
    source: str,
    *,
    share: float = 0.5,
    penalty: Literal["firth", "none", "published"] = "firth",
    resampling: Literal["families", "published"] = "families",
    since: str | None = None,
    until: str | None = None,
    models: Literal["drawn", "fixed"] = "drawn",
    at: Words = (),
    reaches: Words = (),
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Measure time horizons on task runs, and say how fast those of the best agents double.

    Parameters
    ----------
    source
        Task runs (agent, task, minutes, score, release_date), or a table of horizons (p50, release_date).
    share
        Of tasks that succeed at the horizon: 0.5 or 0.8.
    penalty
        On the slope of an agent's curve; published is METR's.
    resampling
        Whole families; or as published families, tasks and runs, whose intervals are wider.
    since
        First date of the window, 2023-01-01.
    until
        Last date of the window.
    models
        Whether the interval counts that other models could have been released (drawn), or not (fixed).
    at
        A date to forecast; may be repeated.
    reaches
        Minutes whose date is asked for, 10000 for a month of work; may be repeated.
    plot
        Where to save the outlook as a picture, .svg or .png.
    level
        Of the intervals.
    draws
        Resamples of the task runs, and of the outlook.
    seed
        Of the resamples.
    json
        Print everything as JSON.
    """
    from allometry.report.terminal import show
    from allometry.trends.account import horizon_account

    made = horizon_account(
        chosen_runs(source, selection), share=share, penalty=penalty, resampling=resampling,
        since=since, until=until, models=models, at=at, reaches=tuple(map(read_quantity, reaches)),
        level=level, draws=draws, seed=seed,
    )  # fmt: skip
    save_outlook(made, plot)
    return show(made.facts(), made.summary(), json)


@trend.command
def efficiency(
    source: str,
    *,
    value: str | None = None,
    date: str | None = None,
    unit: str = "",
    best: Literal["highest", "lowest"] | None = None,
    since: str | None = None,
    until: str | None = None,
    at: Words = (),
    reaches: Words = (),
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how fast a dated value doubles or halves; without one, how fast the compute for a loss falls.

    Parameters
    ----------
    source
        A table with dates: of devices, prices, energy, multipliers; or of runs (params, tokens, loss).
    value
        The column whose trend is asked for, such as flops_per_usd; if not given, algorithmic progress.
    date
        The column of dates, if it is not called date, release_date or year.
    unit
        Of the value, for the words.
    best
        Keep only what was the highest or lowest at its date.
    since
        First date of the window.
    until
        Last date of the window.
    at
        A date to forecast; may be repeated.
    reaches
        A value whose date is asked for; may be repeated.
    plot
        Where to save the outlook, or the halving time of each form, as a picture, .svg or .png.
    level
        Of the intervals.
    draws
        Of the outlook; a tenth as many of each form of algorithmic progress.
    seed
        Of the draws.
    json
        Print everything as JSON.
    """
    from allometry import plots
    from allometry.report.terminal import show
    from allometry.trends.account import series_account
    from allometry.trends.efficiency import algorithmic_progress

    runs = chosen_runs(source, selection)
    if value is None:
        how = {"level": level, "draws": max(draws // 10, 20), "seed": seed}
        found = algorithmic_progress(runs, date=date or "year", **how)  # type: ignore[arg-type]
        if plot is not None:
            plots.save_picture(plots.halving_by_form(found), plot)
        return show(found.facts(), found.summary(), json)
    made = series_account(
        runs, value, date=date, unit=unit, best=best, since=since, until=until, at=at,
        reaches=tuple(map(read_quantity, reaches)), level=level, draws=draws, seed=seed,
    )  # fmt: skip
    save_outlook(made, plot)
    return show(made.facts(), made.summary(), json)


def save_outlook(made: TrendAccount, path: Path | None) -> None:
    """Save the outlook as a picture, if a path was given."""
    if path is not None:
        from allometry import plots

        plots.save_picture(plots.outlook_chart(made.outlook), path)
