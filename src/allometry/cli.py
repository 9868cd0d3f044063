"""The command line: one function a command; each calls the library and shows what it says.

Exit codes: 0 done; 1 done, but some runs failed; 2 something given is wrong; 3 refused, as the data
cannot carry the request; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

import allometry as al
from allometry.errors import AllometryError, Refusal
from allometry.units import read_quantity

Quantity = Annotated[float, Parameter(converter=lambda _, tokens: read_quantity(tokens[0].value))]
Flag = Annotated[bool, Parameter(negative=())]
Pairs = Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=False)]

app = App(
    name="allometry",
    suppress_keyboard_interrupt=False,  # `run` says how to go on
    help="Measure how a model family scales, forecast what is not trained yet, be scored on the forecast.",
)


@app.command(sort_key=0)
def quickstart(
    folder: Path = Path("quickstart"),
    *,
    workers: int | None = None,
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Go from real text to a scored forecast: the commands below, in order, on one small study.

    Parameters
    ----------
    folder
        Where the study is kept; run again, it trains nothing that is finished.
    workers
        Worker processes; one per core if not given.
    dry_run
        Show the runs it would make, and make none.
    json
        Print results as JSON, one value a step.
    """
    from allometry.report.terminal import numbered
    from allometry.sweeps.spec import quickstart_path

    if dry_run:
        return sweep(quickstart_path(), dry_run=True, json=json)
    drawn = folder / "forecast.svg"
    return numbered(
        {
            f"sweep {folder}": lambda: sweep(quickstart_path(), into=folder, workers=workers, json=json),
            f"fit {folder}": lambda: fit(folder, json=json),
            f"check {folder}": lambda: check(folder, json=json),
            f"forecast {folder}": lambda: forecast(folder, json=json),
            f"sweep {folder} --target": lambda: sweep(folder, target=True, workers=workers, json=json),
            f"score {folder} --picture {drawn}": lambda: score(folder, picture=drawn, json=json),
            f"plan {folder}": lambda: plan(folder, json=json),
            f"report {folder}": lambda: report(folder, json=json),
        }
    )


@app.command(sort_key=1)
def sweep(
    study: Path,
    *,
    into: Path | None = None,
    target: Flag = False,
    workers: int | None = None,
    device: str = "cpu",
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Train the runs of a study that are not there yet, over worker processes.

    Parameters
    ----------
    study
        A study.toml, or the folder of a study.
    into
        The folder for a study.toml; the study's name if not given.
    target
        Train the run that the study has forecast, instead of its design.
    workers
        Worker processes of one thread each; if not given, one per core, or one alone on an accelerator.
    device
        cpu, cuda, cuda:1 …
    dry_run
        Show the runs, and make none.
    json
        Print the runs as JSON.
    """
    from allometry.report.registering import require_forecast
    from allometry.report.terminal import show_table
    from allometry.sweeps.progress import open_display
    from allometry.sweeps.spec import open_study, read_spec_file
    from allometry.sweeps.status import planned_table

    spec = read_spec_file(study)
    design = spec.target_design() if target else spec.design
    if dry_run:
        return show_table(planned_table(design.outline()), json)
    place = open_study(study, into)
    if target:
        require_forecast(place)
    runs = al.run_sweep(design, place, workers=workers, device=device, display=open_display())
    made = planned_table(design.recipes(runs), place)
    return show_table(made, json) or int((made["status"] == "failed").any())


@app.command(sort_key=2)
def status(study: Path, *, json: Flag = False) -> int:
    """Show where a study stands: every run it asks for, made or not.

    Parameters
    ----------
    study
        The folder of a study.
    json
        Print the table as JSON.
    """
    from allometry.report.terminal import show_table
    from allometry.sweeps.status import study_status

    return show_table(study_status(al.Study.open(study)), json)


@app.command(name="import", sort_key=3)
def import_(
    source: Path, *, into: Path, columns: Pairs = (), dry_run: Flag = False, json: Flag = False
) -> int:
    """Read a table of runs made elsewhere, show how its columns were understood, save it in base units.

    Parameters
    ----------
    source
        A CSV, TSV, Parquet, JSONL or JSON file.
    into
        Where to write: a .csv or .parquet file.
    columns
        How to read a column, theirs=ours; may be repeated.
    dry_run
        Show the mapping, and write nothing.
    json
        Print the mapping as JSON.
    """
    from allometry.report.terminal import pairs, show
    from allometry.runs.importers.table import write_runs

    runs = al.read_runs(source, columns=pairs(columns))
    if not dry_run:
        write_runs(runs, into)
    return show(runs.mapping, al.describe_mapping(runs), json)


@app.command(sort_key=4)
def fit(
    source: Path,
    *,
    law: str = "chinchilla",
    where: str = "",
    because: str = "",
    columns: Pairs = (),
    inputs: Pairs = (),
    output: str | None = None,
    hold: Pairs = (),
    objective: Literal["huber", "lad", "least_squares", "lower_envelope"] = "huber",
    delta: float = 1e-3,
    on: Literal["log", "raw"] = "log",
    draws: int = 1000,
    seed: int = 0,
    save: Path | None = None,
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Fit a law to a table of runs, with intervals; or to a study all the laws that it asks for.

    Parameters
    ----------
    source
        A table of runs; or the folder of a study, whose study.toml then says what is fitted.
    law
        A name from `allometry laws`, or FILE.py:NAME for one of your own.
    where
        SQL condition on the rows to fit, for example "loss < 5".
    because
        Why only those rows; kept with the fit.
    columns
        How to read a column, theirs=ours; may be repeated.
    inputs
        The law's input = column, for example x=flops; may be repeated.
    output
        The column to predict, if it is not the law's own.
    hold
        A coefficient kept at a value, for example E=1.69; may be repeated.
    objective
        What is minimised, summed over runs.
    delta
        Residual beyond which a run's pull stays the same.
    on
        Compare logarithms or raw values.
    draws
        Resamples for the intervals.
    seed
        Of starts and resamples.
    save
        Where to save the fit, as JSON.
    dry_run
        Show the runs that would be fitted, and fit nothing.
    json
        Print the fits as JSON.
    """
    from allometry.report.terminal import pairs, say, show, show_fits
    from allometry.sweeps.fits import fit_study, runs_to_fit

    runs = runs_to_fit(source, columns=pairs(columns), where=where, because=because)
    say(al.describe_mapping(runs) if runs.mapping else runs.describe(), json)
    if dry_run:
        return show(runs, "", json)
    if source.is_dir():
        return show_fits(fit_study(al.Study.open(source)), json)
    held = {name: read_quantity(value) for name, value in pairs(hold).items()}
    how = {"objective": objective, "delta": delta, "on": on, "output": output, "seed": seed}
    found = al.fit(law, runs, inputs=pairs(inputs), hold=held, **how)  # type: ignore[arg-type]
    found = al.bootstrap(found, draws=draws, seed=seed)
    if save:
        found.save(save)
    return show_fits({found.law.name: found}, json)


@app.command(sort_key=5)
def check(source: Path, *, json: Flag = False) -> int:
    """Look for what makes a fit misleading, and say it in plain words.

    Parameters
    ----------
    source
        A saved fit, or the folder of a study with fits.
    json
        Print the findings as JSON.
    """
    from allometry.report.terminal import show_findings
    from allometry.sweeps.fits import load_fits

    return show_findings({name: al.check(one) for name, one in load_fits(source).items()}, json)


@app.command(sort_key=6)
def forecast(
    source: Path,
    *,
    params: Quantity | None = None,
    tokens: Quantity | None = None,
    flops: Quantity | None = None,
    level: float = 0.9,
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
    level
        Share of outcomes that the interval is meant to contain.
    dry_run
        Show a study's forecast, and register nothing.
    json
        Print the forecast as JSON.
    """
    from allometry.report.registering import forecast_target
    from allometry.report.terminal import describe_forecast, describe_stated, show
    from allometry.sweeps.fits import forecast_from

    if source.is_dir() and not dry_run:
        stated = forecast_target(al.Study.open(source), level=level)
        return show(stated, describe_stated(stated), json)
    given = {"params": params, "tokens": tokens, "flops": flops}
    made = forecast_from(source, level=level, inputs={n: v for n, v in given.items() if v is not None})
    return show(made, describe_forecast(made), json)


@app.command(sort_key=7)
def score(study: Path, *, picture: Path | None = None, json: Flag = False) -> int:
    """Compare every registered forecast of a study with the run it was about.

    Parameters
    ----------
    study
        The folder of a study.
    picture
        Where to save the forecast and its outcome as a picture: a .svg or .png file.
    json
        Print the scores as JSON.
    """
    from allometry.forecasts.scoring import describe_score
    from allometry.report.pictures import save_forecast_picture
    from allometry.report.terminal import show

    if picture:
        save_forecast_picture(al.Study.open(study), picture)
    scores = al.score(al.Study.open(study))
    lines = [f"Forecast {row['number']}: {describe_score(row)}" for _, row in scores.iterrows()]
    return show(scores, "\n".join(lines) or "No forecast is registered.", json)


@app.command(sort_key=8)
def plan(source: Path, *, flops: Quantity | None = None, level: float = 0.9, json: Flag = False) -> int:
    """Say how large a model and how many tokens a compute budget should buy, with ranges.

    Parameters
    ----------
    source
        A saved fit, or the folder of a study with fits.
    flops
        The budget, 1e21; if not given, a study's plan_factor times the compute of its largest run.
    level
        Share that the ranges are meant to contain.
    json
        Print the plan as JSON.
    """
    from allometry.report.terminal import show
    from allometry.sweeps.fits import main_fit, plan_budget

    found = main_fit(source)
    made = al.allocate(found, flops=flops if flops is not None else plan_budget(source), level=level)
    return show(made, made.summary(), json)


@app.command(sort_key=9)
def report(study: Path, *, into: Path | None = None, json: Flag = False) -> int:
    """Write one HTML file with the forecast, the fits, the findings, the plots and the tables.

    Parameters
    ----------
    study
        The folder of a study.
    into
        The file; report.html in the study if not given.
    json
        Print where it is as JSON.
    """
    from allometry.report.terminal import show

    path = into or study / "report.html"
    al.write_report(al.Study.open(study), path)
    return show({"report": path}, f"Report: {path} (open it in a browser; it needs no network)", json)


@app.command(sort_key=10)
def laws(*, json: Flag = False) -> int:
    """List the laws that can be fitted, with formula and source.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    from allometry.report.terminal import show

    known = al.laws.LAWS.values()
    rows = [
        {"name": one.name, "formula": f"{one.predicts} = {one.formula}", "source": one.source}
        for one in known
    ]
    return show(rows, "\n".join("{name}: {formula}\n    {source}".format(**row) for row in rows), json)


@app.command(sort_key=11)
def query(study: Path, sql: str, *, json: Flag = False) -> int:
    """Answer SQL over a study's tables: runs, and history (all curves).

    Parameters
    ----------
    study
        The folder of a study.
    sql
        For example: SELECT design, count(*) FROM runs GROUP BY design
    json
        Print the rows as JSON.
    """
    from allometry.report.terminal import show_table

    return show_table(al.Study.open(study).query(sql), json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the process ends with the exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on standard error and an exit code."""
    try:
        return app(arguments, exit_on_error=False, result_action="return_value") or 0
    except CycloptsError:
        return 2  # it has said what was wrong
    except Refusal as error:
        return _say_error("Refused", error, 3)
    except AllometryError as error:
        return _say_error("Error", error, 2)
    except KeyboardInterrupt:
        return _say_error("Stopped", "run the same command again to go on from here", 130)
    except BrokenPipeError:
        return 0  # the reader of our output, such as `head`, has seen enough


def _say_error(kind: str, error: Exception | str, code: int) -> int:
    sys.stderr.write(f"{kind}: {error}\n")
    return code


if __name__ == "__main__":
    main()
