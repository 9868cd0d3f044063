"""Where a study stands: every run it asks for, made or not, and whether the unfinished ones still move."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from allometry.errors import StudyError
from allometry.files import clock_ns
from allometry.recipe import Recipe
from allometry.runs.claiming import look
from allometry.runs.lens import CURVE
from allometry.runs.run import Run, Runs
from allometry.runs.study import Study
from allometry.storage import in_object_storage, stamp_of
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.spec import read_spec
from allometry.units import show_seconds

# A run that is trained writes a line far more often; a checkpoint of a large one may take this long.
SILENT_SECONDS = 300.0
_FACTS = ("params", "tokens", "flops", "learning_rate")
_SIGNS = (CURVE, "stdout.log", "checkpoints")  # what a run in training writes


def study_status(study: Study) -> pd.DataFrame:
    """One row a run that can be named now: design, run_id, params, tokens, flops, status, loss.

    Those the design asks for come first. The status is that of the run, but one that did not finish is
    "running" while a process has claimed it. Without either it is "running" if it has written a line, a log
    or a checkpoint in the last five minutes, "stopped" if for longer not or if its process is gone, and
    "planned" before it has begun; it is "unreadable" if its run.json is damaged. Runs whose learning rate
    waits for a check are not named yet.
    """
    study = study.to_look_at()
    spec = read_spec(study)
    designs: list[Design] = [spec.design]
    if spec.target is not None:
        designs.append(spec.target_design())
    ended = study.ended()
    runs = Runs.of(ended, source=str(study.folder))
    asked = [planned for design in designs for planned in design.recipes(runs)]
    table = planned_table(asked, study)
    named = {planned.recipe.run_id for planned in asked}
    others = pd.DataFrame(_other_rows(study, {run.run_id: run for run in ended}, named))
    return pd.concat([part for part in (table, others) if len(part)] or [table], ignore_index=True)


def counts(status: pd.DataFrame) -> dict[str, int]:
    """How many runs are planned, running, done and so on; states without a run are left out."""
    order = ("planned", "running", "done", "diverged", "failed", "stopped", "unreadable")
    found = Counter(status["status"]) if len(status) else Counter[str]()
    return {state: found[state] for state in order if found[state]}


def planned_table(planned: Sequence[Planned], study: Study | None = None) -> pd.DataFrame:
    """Planned runs as a table, with what a study knows of them."""
    now = _now_ns(study) if study else 0
    return pd.DataFrame([_row(one, study, now) for one in planned])


def given_table(recipes: Sequence[Recipe], study: Study | None = None) -> pd.DataFrame:
    """Recipes that were asked for one by one, as a table, with what a study knows of them."""
    return planned_table([Planned(recipe=recipe, design="given") for recipe in recipes], study)


def _other_rows(study: Study, ended: Mapping[str, Run], asked: set[str]) -> list[dict[str, Any]]:
    """Runs in the study that its design does not ask for: trained one by one, or by an earlier design."""
    now = _now_ns(study)
    names = [name for name in study.run_ids() if name not in asked]
    return [row for name in names if (row := _other_row(study, name, ended.get(name), now))]


def _other_row(study: Study, run_id: str, run: Run | None, now_ns: int) -> dict[str, Any] | None:
    if run is not None and all(name in run.values for name in _FACTS):
        # Its recipe would say the same and take longer to read than all else.
        facts = {name: run.values[name] for name in _FACTS}
        return {"design": str(run.values.get("design", "")), "run_id": run_id, **facts, **_outcome(run)}
    path = study.run_folder(run_id) / "recipe.toml"
    if not path.is_file():
        broken = run_id in study.unreadable()
        return {"design": "", "run_id": run_id, **_state(study, run_id, None, now_ns)} if broken else None
    recipe = Recipe.from_toml(path.read_text(encoding="utf-8"), str(path))
    design = str(run.values.get("design", "")) if run else ""
    return {**_row(Planned(recipe=recipe, design=design), study, now_ns), "run_id": run_id}


def _row(planned: Planned, study: Study | None, now_ns: int) -> dict[str, Any]:
    recipe = planned.recipe
    run = study.run(recipe.run_id) if study else None
    return {
        "design": planned.design,
        "run_id": recipe.run_id,
        "params": recipe.architecture.params(),
        "tokens": recipe.tokens,
        "flops": recipe.flops(),
        "learning_rate": recipe.optimizer.learning_rate,
        **_state(study, recipe.run_id, run, now_ns),
    }


def _now_ns(study: Study) -> int:
    if in_object_storage(study.folder):
        return time.time_ns()
    try:
        return clock_ns(study.folder)
    except StudyError:  # one that may only be read
        return time.time_ns()


_PLANNED: Mapping[str, Any] = {"status": "planned", "loss": None, "reason": ""}
_RUNNING: Mapping[str, Any] = {"status": "running", "loss": None, "reason": ""}


def _state(study: Study | None, run_id: str, run: Run | None, now_ns: int) -> Mapping[str, Any]:
    if study is None:
        return _PLANNED
    if reason := study.unreadable().get(run_id):
        return {"status": "unreadable", "loss": None, "reason": reason}
    if run is not None and run.status in ("done", "diverged"):
        return _outcome(run)
    claim = look(study.run_folder(run_id))
    if claim is not None and not claim.is_gone(now_ns):
        return _RUNNING
    if run is not None:
        return _outcome(run)
    return _unfinished(study, run_id, now_ns, left=claim is not None)


def _outcome(run: Run) -> dict[str, Any]:
    return {"status": run.status, "loss": run.values.get("loss"), "reason": run.reason}


def _unfinished(study: Study, run_id: str, now_ns: int, *, left: bool) -> Mapping[str, Any]:
    stamps = (stamp_of(study.run_folder(run_id) / name) for name in _SIGNS)
    signs = [stamp.mtime_ns for stamp in stamps if stamp is not None]
    if not signs:
        return _PLANNED
    silent = (now_ns - max(signs)) / 1e9
    if silent <= SILENT_SECONDS and not left:
        return _RUNNING
    why = "its process gives no sign of life" if left else f"no sign of life for {show_seconds(silent)}"
    reason = f"{why}; a sweep takes it up from its last checkpoint"
    return {"status": "stopped", "loss": None, "reason": reason}
