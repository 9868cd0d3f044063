"""The forecast of a study, stated once: the register joins fits, target and runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from allometry.errors import ForecastError
from allometry.forecasts.records import RegisteredForecast
from allometry.forecasts.register import attach_outcomes, read_register, register
from allometry.forecasts.scoring import describe_score, score
from allometry.report.terminal import say
from allometry.runs.run import FINISHED
from allometry.runs.study import Study
from allometry.sweeps.fits import forecast_from, target_recipe
from allometry.sweeps.spec import read_spec


def require_forecast(study: Study) -> None:
    """Refuse to go on while the study's target has no forecast: it must be stated before the run.

    Raises:
        ForecastError: Saying how to state it.
    """
    target = target_recipe(study).run_id
    if not any(entry.target == target for entry in read_register(study)):
        raise ForecastError(
            f"No forecast is registered for run {target}, the target of {study.folder}. "
            f"State it before the run: allometry forecast {study.folder}"
        )


def forecast_target(
    study: Study, *, level: float = 0.9, assuming: str = "", deadline: str = ""
) -> RegisteredForecast:
    """State what the study's target will measure, or give back what was stated if it has been trained.

    Args:
        assuming: What must hold for it, in words; what study.toml says if empty.
        deadline: The day until which the run is to be made, such as 2027-01-31.

    Raises:
        InputError: If the study holds no fit yet.
        RecipeError: If it has no target.
        ForecastError: If the target was trained without a forecast, or the register was touched.
    """
    recipe = target_recipe(study)
    target = recipe.run_id
    stated = [entry for entry in read_register(study) if entry.target == target]
    run = study.run(target)
    if stated and run is not None and run.status in FINISHED:
        return stated[-1]
    spec = read_spec(study)
    made = forecast_from(study.folder, level=level, inputs={})
    return register(
        made,
        study,
        target=target,
        assumptions=assuming or (spec.target.assumptions if spec.target else ""),
        fit_path=spec.fits[0].file,
        recipe=recipe.to_toml(),
        deadline=deadline,
    )


def note_outcomes(study: Study, *, as_json: bool) -> None:
    """Attach to the register what runs that were forecast have measured since, and say so.

    Raises:
        ForecastError: If the register was touched after its forecasts were stated.
    """
    for one in attach_outcomes(study):
        say(
            f"Outcome of a forecast: {one.output} {one.value:.4f}, measured by run {one.target}, is line "
            f"{one.number} of the register.",
            as_json,
        )


def scored(studies: Sequence[Study]) -> tuple[pd.DataFrame, str]:
    """The scores of all forecasts of some studies, and the same in words; new outcomes are attached first.

    Raises:
        ForecastError: If a register was touched after its forecasts were stated.
    """
    tables, lines = [], []
    for study in studies:
        attach_outcomes(study)
        scores = score(study)
        where = f"{study.folder.name}: " if len(studies) > 1 else ""
        lines += [f"{where}Forecast {row['number']}: {describe_score(row)}" for _, row in scores.iterrows()]
        tables.append(scores.assign(study=study.folder.name) if len(studies) > 1 else scores)
    return pd.concat(tables, ignore_index=True), "\n".join(lines) or "No forecast is registered."
