"""Commands on what a score costs and how fast the inputs of training grow."""

from __future__ import annotations

from pathlib import Path

from allometry.cli.application import EVERYTHING, Flag, Selection, Words, chosen_runs
from allometry.cli.trend import trend


@trend.command
def prices(
    source: str,
    *,
    price: str,
    score: str | None = None,
    threshold: tuple[float, ...] = (),
    by: Words = (),
    date: str | None = None,
    label: str | None = None,
    unit: str = "",
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    json: Flag = False,
) -> int:
    """Say by which factor a year the price of a given score falls: the cheapest model at or above it.

    Parameters
    ----------
    source
        A table of models with prices and dates.
    price
        The column of prices.
    score
        The column of scores; if not given, every row reaches what is asked for.
    threshold
        A score to be reached; may be repeated.
    by
        A column within whose values the cheapest is sought, such as benchmark; may be repeated.
    date
        The column of dates, if it is not called date, release_date or year.
    label
        The column of names, if it is not called model or name.
    unit
        Of the price, for the words.
    plot
        Where to save the picture, .svg or .png.
    level
        Of the intervals.
    json
        Print everything as JSON.
    """
    from allometry import plots
    from allometry.report.terminal import show
    from allometry.trends.prices import price_trends

    made = price_trends(
        chosen_runs(source, selection), price=price, score=score, thresholds=threshold, by=by, date=date,
        label=label, unit=unit, level=level,
    )  # fmt: skip
    if plot is not None:
        plots.save_picture(plots.prices_over_time(made), plot)
    return show(made.facts(), made.summary(), json)


@trend.command
def growth(
    source: str,
    *,
    input: Words = ("flops",),  # noqa: A002  (the word of the field)
    date: str | None = None,
    since: str | None = None,
    until: str | None = None,
    largest: int | None = None,
    by: str = "flops",
    selection: Selection = EVERYTHING,
    plot: Path | None = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how fast inputs of training grow, and whether they may be levelling off.

    Parameters
    ----------
    source
        A table of models with dates.
    input
        A column such as flops, price_usd, tokens or power_watts; may be repeated.
    date
        The column of dates, if it is not called date, release_date or year.
    since
        First date of the window.
    until
        Last date of the window.
    largest
        Keep only models that were among so many largest at release.
    by
        The column that the largest are judged by.
    plot
        Where to save the picture, .svg or .png.
    level
        Of the intervals.
    draws
        Of the outlook.
    seed
        Of the draws.
    json
        Print everything as JSON.
    """
    from allometry import plots
    from allometry.report.terminal import show
    from allometry.trends.inputs import input_growth

    made = input_growth(
        chosen_runs(source, selection), input, date=date, since=since, until=until, largest=largest, by=by,
        level=level, draws=draws, seed=seed,
    )  # fmt: skip
    if plot is not None:
        plots.save_picture(plots.growth_of_inputs(made), plot)
    return show(made.facts(), made.summary(), json)
