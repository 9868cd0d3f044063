"""Commands that judge and forecast: what the runs say about runs that have not been made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import allometry as al
from allometry.cli.application import EVERYTHING, Flag, Quantity, Selection, Words, app, chosen_runs
from allometry.cli.fits import Objective


@app.command(sort_key=5.2)
def compare(
    source: str,
    *,
    laws: Words = ("chinchilla", "kaplan"),
    hold_out: str = "largest_flops",
    steps: int | None = None,
    selection: Selection = EVERYTHING,
    objectives: Annotated[tuple[Objective, ...], Parameter(negative=())] = ("huber",),
    output: str | None = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Let laws forecast larger runs from smaller ones, and rank them by what came of it.

    Parameters
    ----------
    source
        A table of runs, the folder of a study, or another source.
    laws
        Names from `allometry laws`; may be repeated. A log-log line and "no change" always take part.
    hold_out
        largest_flops, largest_params, largest_tokens, a column, or an SQL condition for the runs to hold out.
    steps
        Cuts at most.
    objectives
        Fit each law by each of these.
    output
        The column to predict, if it is not the laws' own.
    level
        Of the intervals that are scored.
    draws
        Resamples of each fit.
    seed
        Of starts and resamples.
    json
        Print ranking, table and findings as JSON.
    """
    from allometry.report.terminal import show

    runs = chosen_runs(source, selection)
    how = {"hold_out": hold_out, "steps": steps, "objectives": objectives, "output": output}
    made = al.compare(laws, runs, level=level, draws=draws, seed=seed, **how)  # type: ignore[arg-type]
    return show(made, made.summary(), json)


@app.command(sort_key=5.3)
def multiplier(
    source: str,
    *,
    by: str,
    law: str = "chinchilla",
    reference: str | None = None,
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Say how many times the compute one recipe is worth another's, with interval.

    Parameters
    ----------
    source
        A table of runs, the folder of a study, or another source.
    by
        The column that says by which recipe a run was made.
    law
        The law whose exponents the recipes share.
    reference
        The recipe to compare with; the one with most runs if not given.
    level
        Of the intervals.
    draws
        Resamples.
    seed
        Of starts and resamples.
    json
        Print the result as JSON.
    """
    from allometry.report.terminal import show

    runs = chosen_runs(source, selection)
    made = al.multiplier(runs, by=by, law=law, reference=reference, level=level, draws=draws, seed=seed)
    return show(made, made.summary(), json)


@app.command(sort_key=5.4)
def frontier(
    source: str,
    *,
    flops: Quantity | None = None,
    law: str = "chinchilla",
    selection: Selection = EVERYTHING,
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    json: Flag = False,
) -> int:
    """Find the compute-optimal sizes by approaches 1, 2 and 3, side by side, with what they disagree on.

    Parameters
    ----------
    source
        A table of runs, the folder of a study, or another source.
    flops
        The budget to compare them at; ten times the largest run's if not given.
    law
        The law of approach 3.
    level
        Of the intervals.
    draws
        Resamples.
    seed
        Of starts and resamples.
    json
        Print the table and the findings as JSON.
    """
    from allometry.fitting.frontier.approaches import three_approaches
    from allometry.report.terminal import show

    runs = chosen_runs(source, selection)
    made = three_approaches(runs, flops=flops, law=law, level=level, draws=draws, seed=seed)
    return show(made, made.summary(), json)


@app.command(sort_key=6)
def forecast(
    source: Path,
    *,
    params: Quantity | None = None,
    tokens: Quantity | None = None,
    flops: Quantity | None = None,
    at: Words = (),
    law: str = "",
    level: float = 0.9,
    assuming: str = "",
    deadline: str = "",
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """State what a run will measure before it is trained; a study's forecast goes into its register.

    Parameters
    ----------
    source
        A saved fit, or the folder of a study with a target.
    params
        Of the run, for a saved fit: 7e9 or 7B.
    tokens
        Of the run, for a saved fit.
    flops
        Of the run, for a saved fit of loss by compute.
    at
        Any other input of the law, column=value, for example unique_tokens=10B; may be repeated.
    law
        FILE.py:NAME of the law of a saved fit, if it is one of your own.
    level
        Share of outcomes that the interval is meant to contain.
    assuming
        What must hold for a study's forecast, in words; what study.toml says if not given.
    deadline
        The day until which its run is to be made, such as 2027-01-31.
    dry_run
        Show a study's forecast, and register nothing.
    json
        Print the forecast as JSON.
    """
    from allometry.report.registering import forecast_target
    from allometry.report.terminal import describe_forecast, describe_stated, quantities, show
    from allometry.sweeps.fits import forecast_from

    if source.is_dir() and not dry_run:
        words = {"assuming": assuming, "deadline": deadline}
        stated = forecast_target(al.Study.open(source), level=level, **words)
        return show(stated, describe_stated(stated), json)
    given = {"params": params, "tokens": tokens, "flops": flops}
    place = {name: value for name, value in given.items() if value is not None} | quantities(at)
    made = forecast_from(source, level=level, inputs=place, law=law)
    return show(made, describe_forecast(made), json)
