"""The fits and the target that a study's specification asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from allometry.errors import InputError, Refusal
from allometry.fitting.result import Fit, Forecast
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law, read_law
from allometry.recipe import Recipe
from allometry.runs.importers.table import read_runs
from allometry.runs.run import Runs
from allometry.runs.study import Study
from allometry.storage import open_place
from allometry.sweeps.spec import FitSpec, is_study, read_spec


def selected_runs(study: Study) -> Runs:
    """The runs of a study that its fits are made from: what its design finished, nothing else."""
    because = "checks, trunks and the target are not part of the design that is fitted"
    return study.runs().where(read_spec(study).selection, because=because)


def fitted_runs(spec: FitSpec, runs: Runs) -> Runs:
    """Those of the selected runs that one law is fitted to."""
    return runs.where(spec.where, because=spec.because) if spec.where else runs


def fit_study(study: Study, runs: Runs | None = None) -> dict[str, Fit]:
    """Make and save every fit that study.toml asks for, by name.

    Args:
        runs: What `selected_runs` found, where it has been asked; they are not read again then.

    Raises:
        FitError: If the runs cannot carry a law.
    """
    runs = selected_runs(study) if runs is None else runs
    fits: dict[str, Fit] = {}
    for spec in read_spec(study).fits:
        made = _fit(spec, runs)
        made.save(study.folder / spec.file)
        fits[spec.name or spec.law] = made
    return fits


def load_fits(source: Path, *, law: str = "") -> dict[str, Fit]:
    """The fits of a study's folder by name, in the order of study.toml, or the one in a file.

    Args:
        law: Of a file whose law is in no catalog, where it is written: "mylaws.py:my_law". A study's own
            laws are found where its study.toml says.

    Raises:
        InputError: If there is none yet.
        CorruptFile: If one cannot be read.
    """
    source = open_place(source)
    if not source.is_dir():
        return {source.stem: Fit.load(source, _written(law))}
    specs = [spec for spec in read_spec(Study.open(source)).fits if (source / spec.file).exists()]
    fits = {spec.name or spec.law: Fit.load(source / spec.file, _written(spec.law)) for spec in specs}
    if not fits:
        raise InputError(f"{source} holds no fit yet. Make it with: allometry fit {source}")
    return fits


def _written(law: str) -> Law | None:
    """The law that stands in a file of the user's own; a saved fit names those of the catalog itself."""
    return read_law(law) if ".py:" in law else None


def main_fit(source: Path, *, law: str = "") -> Fit:
    """The fit that forecasts and plans: the first one of a study, or the one in a file."""
    return next(iter(load_fits(source, law=law).values()))


def target_inputs(study: Study) -> dict[str, float]:
    """What laws may read of the run that the study forecasts: params, tokens, flops."""
    recipe = target_recipe(study)
    return {
        "params": float(recipe.architecture.params()),
        "tokens": float(recipe.tokens),
        "flops": recipe.flops(),
    }


def target_recipe(study: Study) -> Recipe:
    """The run that the study forecasts.

    Raises:
        RecipeError: If the study has no target.
        Refusal: If the checks that its learning rate comes from have not ended.
    """
    planned = read_spec(study).target_design().recipes(study.runs())
    if not planned:
        raise Refusal(
            f"The learning rate of the target waits for the checks of {study.folder}. "
            f"Make them with: allometry sweep {study.folder}"
        )
    return planned[0].recipe


def forecast_from(source: Path, *, level: float, inputs: Mapping[str, float], law: str = "") -> Forecast:
    """Forecast by the main fit: at the given inputs, or at a study's target if none are given.

    Raises:
        InputError: If the law needs an input that is not given, or one is given that it does not read.
    """
    source = open_place(source)
    found = main_fit(source, law=law)
    if inputs or not source.is_dir():
        return found.predict(level, **inputs)
    known = target_inputs(Study.open(source))
    return found.predict(level, **{name: known[name] for name in found.inputs.values() if name in known})


def plan_budget(source: Path) -> float:
    """The compute of a study's planning question: plan_factor times its largest finished run.

    Raises:
        InputError: If the source is not a study, or none of its runs says how much compute it took.
    """
    source = open_place(source)
    if not source.is_dir():
        raise InputError("Say for which compute: --flops 1e21.")
    study = Study.open(source)
    largest = largest_flops(study.runs())
    if not math.isfinite(largest):
        raise InputError(f"No finished run of {source} says how much compute it took: give --flops 1e21.")
    return read_spec(study).plan_factor * largest


def largest_flops(runs: Runs) -> float:
    """Most compute of a run that is done, NaN if none says; a diverged one did not spend its budget."""
    done = runs.where("status = 'done'") if "status" in runs.table.columns else runs
    flops = done.column("flops") if "flops" in done.table.columns else np.empty(0)
    return float(np.nanmax(flops)) if np.isfinite(flops).any() else math.nan


def runs_to_fit(
    source: str | Path,
    *,
    columns: Mapping[str, str],
    where: str,
    because: str,
    format: str | None = None,  # noqa: A002  (what the signature agreed on is called)
) -> Runs:
    """Runs from a table or another source, filtered; or those that a study fits.

    Raises:
        InputError: If a study is given together with columns or a filter, which its study.toml states.
    """
    if is_study(source) and format is None:
        if columns or where:
            raise InputError(f"{source} is a study: its study.toml says what is fitted; edit [[fits]] there.")
        return selected_runs(Study.open(source))
    runs = read_runs(source, columns=columns, format=format)
    return runs.where(where, because=because) if where else runs


def _fit(spec: FitSpec, runs: Runs) -> Fit:
    found = fit(spec.law, fitted_runs(spec, runs), inputs=spec.inputs or None, objective=spec.objective)
    return bootstrap(found, draws=spec.draws)
