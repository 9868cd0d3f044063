"""Where a study stands: every run it asks for, made or not."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.spec import read_spec


def study_status(study: Study) -> pd.DataFrame:
    """One row a run that can be named now: design, run_id, params, tokens, flops, status, loss.

    Those the design asks for come first. The status is that of the run, or "planned"; runs whose learning
    rate waits for a check are not named yet.
    """
    spec = read_spec(study)
    designs: list[Design] = [spec.design]
    if spec.target is not None:
        designs.append(spec.target_design())
    runs = study.runs()
    asked = [planned for design in designs for planned in design.recipes(runs)]
    return planned_table([*asked, *_others(study, asked)], study)


def _others(study: Study, asked: list[Planned]) -> list[Planned]:
    """Runs in the study that its design does not ask for: trained one by one, or by an earlier design."""
    known = {planned.recipe.run_id for planned in asked}
    paths = sorted((study.folder / "runs").glob("*/recipe.toml"))
    recipes = [Recipe.from_toml(p.read_text(), str(p)) for p in paths if p.parent.name not in known]
    return [Planned(recipe=recipe, design=_design(study, recipe)) for recipe in recipes]


def _design(study: Study, recipe: Recipe) -> str:
    run = study.run(recipe.run_id)
    return str(run.values.get("design", "")) if run else ""


def planned_table(planned: list[Planned], study: Study | None = None) -> pd.DataFrame:
    """Planned runs as a table, with what a study knows of them."""
    return pd.DataFrame([_row(one, study) for one in planned])


def _row(planned: Planned, study: Study | None) -> dict[str, object]:
    recipe = planned.recipe
    run = study.run(recipe.run_id) if study else None
    return {
        "design": planned.design,
        "run_id": recipe.run_id,
        "params": recipe.architecture.params(),
        "tokens": recipe.tokens,
        "flops": recipe.flops(),
        "learning_rate": recipe.optimizer.learning_rate,
        "status": run.status if run else "planned",
        "loss": run.values.get("loss") if run else None,
        "reason": run.reason if run else "",
    }


def given_table(recipes: Sequence[Recipe], study: Study | None = None) -> pd.DataFrame:
    """Recipes that were asked for one by one, as a table, with what a study knows of them."""
    return planned_table([Planned(recipe=recipe, design="given") for recipe in recipes], study)
