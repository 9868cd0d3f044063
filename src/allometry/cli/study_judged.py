"""Commands that judge a study's runs and forecasts: while they train, and once they have outcomes."""

from __future__ import annotations

from pathlib import Path

import allometry as al
from allometry.cli.application import Flag, app


@app.command(sort_key=2.1)
def watch(
    study: Path,
    *,
    every: float | None = None,
    alarms: float = 0.05,
    finished: Flag = False,
    plot: Path | None = None,
    json: Flag = False,
) -> int:
    """Say of each run in training whether it is on forecast; exit code 1 if anything is off.

    Parameters
    ----------
    study
        The folder of a study.
    every
        Look again after so many seconds, until all runs have ended or Ctrl-C.
    alarms
        Share of runs on forecast that may be called off, at the most.
    finished
        Judge the curves of finished runs too.
    plot
        Where to save a picture of it: a .svg or .png file.
    json
        Print the runs, the looks at each and the warnings as JSON.
    """
    from allometry.report.watching import show_watched

    place = al.Study.open(study)
    return show_watched(place, alarms=alarms, finished=finished, every=every, plot=plot, as_json=json)


@app.command(sort_key=7.1)
def calibration(studies: list[Path], /, *, plot: Path | None = None, json: Flag = False) -> int:
    """Say whether forecasts kept their promise: errors, and how many outcomes fell into their intervals.

    Parameters
    ----------
    studies
        Folders of studies, or addresses such as s3://bucket/study.
    plot
        Where to save a picture of it: a .svg or .png file.
    json
        Print errors and coverage as JSON.
    """
    from allometry.forecasts.calibration import calibration
    from allometry.report.terminal import show

    made = calibration([al.Study.open(folder) for folder in studies])
    if plot:
        from allometry.plots.calibration import calibration_chart
        from allometry.plots.pictures import save_picture

        save_picture(calibration_chart(made), plot)
    return show({"coverage": made.coverage, "scores": made.scores}, made.summary(), json)
