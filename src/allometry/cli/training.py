"""The command that trains recipes."""

from __future__ import annotations

from pathlib import Path

import allometry as al
from allometry.cli.application import Flag, app


@app.command(sort_key=2.5)
def train(
    *recipes: Path,
    into: Path = Path("runs"),
    executor: str = "local",
    workers: int | None = None,
    device: str = "cpu",
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Train recipes that are not trained yet, into one study.

    A recipe that begins with the weights of another, or learns from it, waits for it.

    Parameters
    ----------
    recipes
        Recipe files (.toml).
    into
        The folder of the study; it is made if it is not there.
    executor
        Where runs are made: local, ray, slurm, or a .toml file with a kind and its settings.
    workers
        Worker processes of one thread each; if not given, one per core, or one alone on an accelerator.
    device
        cpu, cuda, cuda:1 …
    dry_run
        Show the runs, and make none.
    json
        Print the runs as JSON.
    """
    from allometry.recipe.reading import read_recipes
    from allometry.report.registering import note_outcomes
    from allometry.report.terminal import show_table
    from allometry.sweeps.progress import open_display
    from allometry.sweeps.spec import open_collection
    from allometry.sweeps.status import given_table

    given = read_recipes(recipes)
    if dry_run:
        return show_table(given_table(given), json)
    study = open_collection(into)
    how = {"executor": executor, "workers": workers, "device": device}
    al.run_sweep(given, study, display=open_display(), **how)  # type: ignore[arg-type]
    made = given_table(given, study)
    note_outcomes(study, as_json=json)
    return show_table(made, json) or int((made["status"] == "failed").any())
