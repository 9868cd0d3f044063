"""What `allometry watch` and `allometry status --live` show: once, or again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from allometry.errors import InputError
from allometry.report.terminal import show, show_table
from allometry.runs.study import Study
from allometry.sweeps.status import counts, study_status
from allometry.units import show_count

_SECONDS = 2.0  # between looks of `status --live`
_MOST_ROWS = 40  # of a live table: a terminal has no more

if TYPE_CHECKING:
    from allometry.sweeps.watching import Watched


def watched(study: Study, *, alarms: float, finished: bool) -> Watched:
    """The study against its law, and the target against its registered forecast: the last one counts."""
    from allometry.forecasts.register import read_register  # what laws and alarms load, a status needs not
    from allometry.sweeps.watching import watch

    stated = {entry.target: entry.forecast.median for entry in read_register(study) if entry.target}
    return watch(study, stated=stated, alarms=alarms, finished=finished)


def _draw(made: Watched, path: Path) -> None:
    from allometry.plots.pictures import save_picture  # a second that a status need not wait for
    from allometry.plots.watched import watch_chart

    save_picture(watch_chart(made), path)


def show_watched(
    study: Study, *, alarms: float, finished: bool, every: float | None, plot: Path | None, as_json: bool
) -> int:
    """Print what is off, once, or every so many seconds until all runs have ended.

    Returns:
        1 if anything is off at the last look, else 0.

    Raises:
        InputError: If the seconds are not above zero.
    """
    if every is not None and not every > 0:
        raise InputError(f"--every is in seconds above zero, not {every:g}.")
    made = watched(study, alarms=alarms, finished=finished)
    while True:
        if plot:
            _draw(made, plot)
        show(made, watched_text(made), as_json)
        if every is None or not made.unfinished:
            return int(bool(made.warnings))
        time.sleep(every)
        made = watched(study, alarms=alarms, finished=finished)


def watched_text(made: Watched) -> str:
    """Table and warnings in plain words."""
    if made.runs.empty:
        return f"No run is in training.\n{made.summary()}"
    table = made.runs.assign(
        params=made.runs["params"].map(show_count),
        share=made.runs["share"].map(lambda share: "" if pd.isna(share) else f"{share:.0%}"),
    ).dropna(axis="columns", how="all")
    return f"{table.to_string(index=False, na_rep='', float_format='{:.4g}'.format)}\n{made.summary()}"


def show_live(study: Study, as_json: bool) -> int:
    """Redraw where a study stands until every run has ended; once where the output is no terminal.

    Ctrl-C ends it with the last table left in place.
    """
    console = Console(file=sys.stdout)
    if as_json or not console.is_terminal or console.is_dumb_terminal:
        return show_table(study_status(study), as_json)
    with Live(console=console, auto_refresh=False) as live:
        follow(lambda: study_status(study), lambda drawn: live.update(drawn, refresh=True), _ticks())
    return 0


def follow(
    look: Callable[[], pd.DataFrame], draw: Callable[[RenderableType], None], ticks: Iterator[None]
) -> None:
    """Look and draw at every tick until nothing is left to wait for, or Ctrl-C."""
    try:
        for _ in ticks:
            status = look()
            draw(_live_table(status))
            if not {"planned", "running", "stopped"} & set(counts(status)):
                return
    except KeyboardInterrupt:
        return


def _ticks() -> Iterator[None]:
    while True:
        yield
        time.sleep(_SECONDS)


def _live_table(status: pd.DataFrame) -> Table:
    """What moves first, then what failed, then the rest; as many rows as a terminal has."""
    order = {"running": 0, "failed": 1, "diverged": 1, "unreadable": 1, "stopped": 2, "planned": 3, "done": 4}
    said = ", ".join(f"{number} {state}" for state, number in counts(status).items())
    table = Table(title=said or "Nothing.", title_justify="left")
    for name in ("design", "run_id", "params", "tokens", "status", "loss", "reason"):
        table.add_column(name)
    ordered = status.sort_values("status", key=lambda states: states.map(order), kind="stable")
    for row in ordered.head(_MOST_ROWS).to_dict("records"):
        loss = "" if row["loss"] is None or pd.isna(row["loss"]) else f"{row['loss']:.4f}"
        size, tokens = (show_count(float(row[name])) for name in ("params", "tokens"))
        table.add_row(row["design"], row["run_id"], size, tokens, row["status"], loss, row["reason"])
    return table
