"""Single charts of a study as picture files, for a README or a slide."""

from __future__ import annotations

from pathlib import Path

from allometry import plots
from allometry.errors import InputError
from allometry.forecasts.register import read_register
from allometry.runs.study import Study
from allometry.sweeps.fits import main_fit


def save_forecast_picture(study: Study, path: Path) -> Path:
    """Save the last registered forecast, with the runs it came from and its outcome if there is one.

    Args:
        path: Ends in .svg or .png.

    Raises:
        InputError: If no forecast is registered, or the file's ending is another.
    """
    stated = read_register(study)
    if not stated:
        raise InputError(
            f"{study.folder} has no forecast to draw. State it with: allometry forecast {study.folder}"
        )
    last = stated[-1]
    run = study.run(last.target)
    outcome = run.values.get(last.forecast.output) if run is not None and run.status == "done" else None
    fit = main_fit(study.folder)
    # Made anew since, it is not the fit that the forecast came from: then only what was stated is drawn.
    known = fit if fit.fit_hash == last.forecast.fit_hash else None
    plots.save_picture(plots.forecast_and_outcome(last.forecast, known, outcome=outcome), path)
    return path
