"""The forecast of a study, stated once: the register joins fits, target and runs."""

from __future__ import annotations

from allometry.forecasts.records import RegisteredForecast
from allometry.forecasts.register import read_register, register
from allometry.runs.study import Study
from allometry.sweeps.fits import forecast_from, target_recipe
from allometry.sweeps.spec import read_spec


def forecast_target(study: Study, *, level: float = 0.9) -> RegisteredForecast:
    """State what the study's target will measure, or give back what was stated if it has been trained.

    Raises:
        InputError: If the study holds no fit yet.
        RecipeError: If it has no target.
        ForecastError: If the target was trained without a forecast, or the register was touched.
    """
    target = target_recipe(study).run_id
    stated = [entry for entry in read_register(study) if entry.target == target]
    run = study.run(target)
    if stated and run is not None and run.status == "done":
        return stated[-1]
    spec = read_spec(study)
    made = forecast_from(study.folder, level=level, inputs={})
    words = spec.target.assumptions if spec.target else ""
    return register(made, study, target=target, assumptions=words, fit_path=spec.fits[0].file)
