"""Commands on a study: make its runs, forecast its target, score it, report it."""

from __future__ import annotations

from pathlib import Path

import allometry as al
from allometry.cli.application import Flag, Quantity, app
from allometry.cli.fits import check, fit
from allometry.cli.judging import forecast
from allometry.cli.planning import plan
from allometry.errors import InputError

_ONE_OF_BOTH = (
    "--until chooses runs of the design, and --target trains the run that they forecast: sweep with --until "
    "first, then state the forecast with `allometry forecast`, then sweep with --target."
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
            f"fit {folder}": lambda: fit(str(folder), json=json),
            f"check {folder}": lambda: check(folder, json=json),
            f"forecast {folder}": lambda: forecast(folder, json=json),
            f"sweep {folder} --target": lambda: sweep(folder, target=True, workers=workers, json=json),
            f"score {folder} --plot {drawn}": lambda: score(folder, plot=drawn, json=json),
            f"plan {folder}": lambda: plan(str(folder), json=json),
            f"report {folder}": lambda: report(folder, json=json),
        }
    )


@app.command(sort_key=1)
def sweep(
    study: Path,
    *,
    into: Path | None = None,
    target: Flag = False,
    executor: str = "local",
    workers: int | None = None,
    device: str = "cpu",
    until: str = "",
    dry_run: Flag = False,
    flops_per_second: Quantity | None = None,
    usd_per_hour: Quantity | None = None,
    plot: Path | None = None,
    json: Flag = False,
) -> int:
    """Train the runs of a study that are not there yet, over worker processes.

    Parameters
    ----------
    study
        A study.toml, or the folder of a study, or an address such as s3://bucket/study.
    into
        The folder for a study.toml; the study's name if not given.
    target
        Train the run that the study has forecast, instead of its design.
    executor
        Where runs are made: local, ray, slurm, or a .toml file with a kind and its settings.
    workers
        Worker processes of one thread each; if not given, one per core, or one alone on an accelerator.
    device
        cpu, cuda, cuda:1 …
    until
        Train only the runs that the forecast needs, in rounds, until "width < 1%" (of its interval),
        "gain < 5%" (of the width, from as much compute again) or "flops > 1e15" is so; join several by "or".
    dry_run
        Show the runs (with --until, those of the next round), and make none: what each takes, in FLOP, hours
        and money.
    flops_per_second
        For the hours of a dry run: speed of one worker; that of the study's own runs if not given.
    usd_per_hour
        For the money of a dry run: price of one worker.
    plot
        Where a dry run saves a picture of the design: a .svg or .png file.
    json
        Print the runs as JSON.
    """
    from functools import partial

    from allometry.report.registering import note_outcomes, require_forecast
    from allometry.report.sweeping import show_estimate, show_next_round, show_rounds
    from allometry.report.terminal import show_table
    from allometry.sweeps.progress import open_display
    from allometry.sweeps.rounds import judge_forecast, sweep_until
    from allometry.sweeps.spec import open_study, read_spec_file
    from allometry.sweeps.status import planned_table
    from allometry.sweeps.until import read_rule

    if until and target:
        raise InputError(_ONE_OF_BOTH)
    spec = read_spec_file(study)
    design = spec.target_design() if target else spec.design
    rates = {"flops_per_second": flops_per_second, "usd_per_hour": usd_per_hour}
    spec.require_fields(design)  # before there is a folder: the mended file would be another study's
    if dry_run and until:
        return show_next_round(study, read_rule(until), rates, into=into, plot=plot, as_json=json)
    if dry_run:
        return show_estimate(design, study, rates, plot=plot, as_json=json)
    place = open_study(study, into)
    if target:
        require_forecast(place)
    train = partial(
        al.run_sweep,
        study=place,
        trainer=spec.trainer,
        executor=executor,
        workers=workers,
        device=device,
        display=open_display(),
    )
    if until:
        rounds = sweep_until(place, read_rule(until), train=train)
        return show_rounds(rounds, judge_forecast(place), json)
    made = planned_table(design.recipes(train(design)), place)
    note_outcomes(place, as_json=json)
    return show_table(made, json) or int((made["status"] == "failed").any())


@app.command(sort_key=2)
def status(study: Path, *, live: Flag = False, json: Flag = False) -> int:
    """Show where a study stands: every run it asks for, made or not.

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    live
        Redraw it every other second until all runs have ended, or Ctrl-C; once where there is no terminal.
    json
        Print the table as JSON.
    """
    from allometry.report.terminal import show_table
    from allometry.sweeps.status import study_status

    place = al.Study.open(study)
    if live:
        from allometry.report.watching import show_live

        return show_live(place, json)
    return show_table(study_status(place), json)


@app.command(sort_key=7)
def score(study: Path, *more: Path, plot: Path | None = None, json: Flag = False) -> int:
    """Compare every registered forecast with the run it was about, and attach the outcomes that are new.

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    more
        Further studies.
    plot
        Where to save the first study's last forecast and its outcome as a picture: a .svg or .png file.
    json
        Print the scores as JSON.
    """
    from allometry.report.pictures import save_forecast_picture
    from allometry.report.registering import scored
    from allometry.report.terminal import show

    if plot:
        save_forecast_picture(al.Study.open(study), plot)
    scores, text = scored([al.Study.open(folder) for folder in (study, *more)])
    return show(scores, text, json)


@app.command(sort_key=9)
def report(study: Path, *, into: Path | None = None, json: Flag = False) -> int:
    """Write one HTML file with the forecast, the fits, the findings, the plots and the tables.

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    into
        The file; report.html in the study if not given.
    json
        Print where it is as JSON.
    """
    from allometry.report.terminal import show

    path = into or study / "report.html"
    al.write_report(al.Study.open(study), path)
    return show({"report": path}, f"Report: {path} (open it in a browser; it needs no network)", json)


@app.command(sort_key=11)
def query(study: Path, sql: str, *, json: Flag = False) -> int:
    """Answer SQL over a study's tables: runs, and history (all curves).

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    sql
        For example: SELECT design, count(*) FROM runs GROUP BY design
    json
        Print the rows as JSON.
    """
    from allometry.report.terminal import show_table

    return show_table(al.Study.open(study).query(sql), json)
