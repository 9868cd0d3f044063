"""What is not taken into the register: a forecast that says nothing, or one of what is known already."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from allometry.errors import ForecastError, InputError
from allometry.fitting.result import Forecast
from allometry.forecasts.records import RegisteredOutcome
from allometry.recipe import Recipe
from allometry.runs.run import FINISHED
from allometry.runs.study import Study


def refuse_unusable(forecast: Forecast, target: str) -> None:
    """A forecast without a value, or for what is no run.

    Raises:
        ForecastError: Saying which.
    """
    if not math.isfinite(forecast.median):
        raise ForecastError(
            f"A forecast of {forecast.median} says nothing; register one with a finite median."
        )
    if Path(target).name != target or target == "..":
        raise ForecastError(
            f"'{target}' is not a run_id; give the run_id of the recipe that will be trained."
        )


def refuse_no_day(deadline: str) -> None:
    """A deadline that no calendar has.

    Raises:
        InputError: Saying how a day is written.
    """
    try:
        if deadline:
            date.fromisoformat(deadline)
    except ValueError as error:
        raise InputError(f"'{deadline}' is not a day; write a deadline as 2027-01-31.") from error


def is_over(deadline: str) -> bool:
    """Whether a deadline is over everywhere: where the day ends last it is twelve hours behind UTC.

    >>> is_over("2024-02-29"), is_over("")
    (True, False)
    """
    return bool(deadline) and date.fromisoformat(deadline) < (datetime.now(UTC) - timedelta(hours=12)).date()


def refuse_past(deadline: str) -> None:
    """A deadline that is over.

    Raises:
        InputError: Naming it.
    """
    if is_over(deadline):
        raise InputError(f"The deadline {deadline} is over: give a day by which the run can still be made.")


def refuse_other_recipe(recipe: str, target: str) -> None:
    """A recipe that is not the target's: the register would say by itself what was not forecast.

    Raises:
        ForecastError: Naming both.
        RecipeError: If it is no recipe.
    """
    if not recipe:
        return
    own = Recipe.from_toml(recipe, "the recipe of the forecast").run_id
    if own != target:
        raise ForecastError(
            f"The recipe is that of run '{own}' and the forecast is for '{target}'; give the target's own "
            f"recipe, or name '{own}'."
        )


def refuse_if_known(study: Study, target: str, recipe: str, outcomes: Iterable[RegisteredOutcome]) -> None:
    """A target that has been run here, whatever is left of it, or whose like has been by another seed.

    Raises:
        ForecastError: Saying what is known of it.
    """
    if not target:
        return
    _refuse_if_run(study, target)
    for outcome in outcomes:
        if outcome.target == target:
            raise ForecastError(
                f"Line {outcome.number} of the register of {study.folder} holds what run '{target}' "
                f"measured: what is known cannot be forecast. Name a target that has not been run."
            )
    if recipe:
        _refuse_if_run_by_another_seed(study, Recipe.from_toml(recipe))


def _refuse_if_run(study: Study, target: str) -> None:
    run = study.run(target)
    if run is not None and run.status in FINISHED:
        how = ", and it diverged" if run.status == "diverged" else ""
        raise ForecastError(
            f"Run '{target}' has already been trained in {study.folder}{how}: what is known cannot be "
            f"forecast. Register before training, or name a target that has not been run."
        )


def _refuse_if_run_by_another_seed(study: Study, recipe: Recipe) -> None:
    done = {run.run_id: run.values.get("seed") for run in study.ended() if run.status == "done"}
    seeds = sorted({seed for seed in done.values() if isinstance(seed, int)} - {recipe.seed})
    for seed in seeds:
        # Named, not compared: the run_id is the hash of everything else in the recipe, too.
        twin = replace(recipe, seed=seed).run_id
        if twin in done:
            raise ForecastError(
                f"Run '{twin}' has been trained in {study.folder} and differs from '{recipe.run_id}' in its "
                f"seed alone: its loss is known but for noise. State the forecasts of all seeds before the "
                f"first of them is trained."
            )
