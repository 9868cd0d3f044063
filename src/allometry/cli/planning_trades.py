"""Commands on trades: where a run stands among those of equal loss, and when a loss is in reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from allometry.cli.application import Flag, Quantity, Words, app
from allometry.cli.planning import law_of
from allometry.errors import InputError
from allometry.units import read_quantity

if TYPE_CHECKING:
    from allometry.planning.effective_compute import Pace


@app.command(sort_key=8.05)
def triangle(
    source: str,
    *,
    params: Quantity,
    tokens: Quantity,
    unique_tokens: Quantity | None = None,
    plot: Path | None = None,
    level: float = 0.9,
    json: Flag = False,
) -> int:
    """Say where a run stands: undertrained, over-trained, held back by data or by compute.

    Parameters
    ----------
    source
        What judges it: a saved fit, the folder of a study with fits, or a published law.
    params
        Of the run or public model, 280B.
    tokens
        That it was or will be trained on, 300B.
    unique_tokens
        Distinct tokens there are for it.
    plot
        Where to save what another size takes of data and compute, .svg or .png.
    level
        Share that the ranges are meant to contain.
    json
        Print the position as JSON.
    """
    from allometry.planning.standings import standing
    from allometry.report.terminal import show

    law = law_of(source)
    made = standing(law, params=params, tokens=tokens, unique_tokens=unique_tokens, level=level)
    if plot is not None:
        from allometry import plots

        plots.save_picture(plots.trade_at_equal_loss(made, law), plot)
    return show(made, made.summary(), json)


@app.command(sort_key=8.1)
def effective_compute(
    source: str,
    *,
    loss: float,
    flops: Quantity,
    gain: Words = (),
    pace: Words = (),
    history: str | None = None,
    grows: str | None = None,
    date: str = "date",
    level: float = 0.9,
    json: Flag = False,
) -> int:
    """Say what compute is worth with better recipes, how many doublings a loss is away, and for how long.

    Parameters
    ----------
    source
        A saved fit, the folder of a study with fits, or a published law: the reference recipe.
    loss
        The target, on the text of that law.
    flops
        Training compute that there is, 1e24.
    gain
        What a better recipe saves, with its range: optimizer=1.5,1.2,1.9; may be repeated.
    pace
        Months in which something doubles, with the range: hardware=30,24,37; may be repeated. If none is
        given and no history, the algorithms of 2012 to 2023.
    history
        A table whose trend is a pace too.
    grows
        The column of it that grows.
    date
        Its column of dates.
    level
        Share that the ranges are meant to contain.
    json
        Print everything as JSON.
    """
    from allometry.planning import arrivals
    from allometry.planning.effective_compute import pace as pace_of_months
    from allometry.planning.quantities import within
    from allometry.report.terminal import show

    gains = [within(low, value, high, "1", name) for name, (value, low, high) in map(_ranged, gain)]
    paces = [pace_of_months(name, *months, "given") for name, months in map(_ranged, pace)]
    paces += _of_history(history, grows, date, level)
    made = arrivals.effective_compute(
        law_of(source), flops=flops, loss=loss, gains=gains, paces=paces or [arrivals.ALGORITHMS], level=level
    )
    return show(made, made.summary(), json)


def _of_history(source: str | None, column: str | None, date: str, level: float) -> list[Pace]:
    if (source is None) != (column is None):
        raise InputError("A history is a table and the column that grows: give --history and --grows.")
    if source is None or column is None:
        return []
    from allometry.cli.application import EVERYTHING, chosen_runs
    from allometry.planning.effective_compute import pace_of
    from allometry.trends.dates import decimal_years

    runs = chosen_runs(source, EVERYTHING)
    runs.require(date, column)
    known = runs.table[[date, column]].dropna()
    years = decimal_years(known[date], name=date)
    return [pace_of(column, years.tolist(), known[column].tolist(), source=source, level=level)]


def _ranged(text: str) -> tuple[str, tuple[float, float, float]]:
    """A name with a number, or with a number and the ends of its range."""
    name, equals, numbers = text.partition("=")
    given = [read_quantity(one) for one in numbers.split(",")] if numbers else []
    if not (name and equals and len(given) in (1, 3)):
        raise InputError(f"'{text}' is not of the form name=value or name=value,low,high.")
    value, low, high = given if len(given) == 3 else given * 3
    return name.strip(), (value, low, high)
