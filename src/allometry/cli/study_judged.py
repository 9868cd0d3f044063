"""Commands on the register of forecasts: the track record of one study or many."""

from __future__ import annotations

from pathlib import Path

import allometry as al
from allometry.cli.application import Flag, app


@app.command(sort_key=7.1)
def calibration(studies: list[Path], /, *, plot: Path | None = None, json: Flag = False) -> int:
    """Say whether forecasts kept their promise: errors, and how many outcomes fell into their intervals.

    Parameters
    ----------
    studies
        Folders of studies.
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
