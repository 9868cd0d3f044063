"""The user's own trainer: any program that can be told what to train and says what came out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from allometry.errors import InputError
from allometry.files import put_in_place, sync_file, sync_folder
from allometry.recipe import Recipe, choice
from allometry.recipe.facts import recipe_facts
from allometry.runs.claiming import Claim, claimed
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.sweeps.executors.events import Died, Ended
from allometry.sweeps.trainers.guarding import begin_a_guard
from allometry.sweeps.trainers.measured import measured
from allometry.sweeps.trainers.placing import visible
from allometry.sweeps.trainers.processes import Ending, supervised
from allometry.sweeps.trainers.results import Finished, JsonLine, PythonResult, Result
from allometry.sweeps.trainers.template import filled, recipe_fields, split_command
from allometry.sweeps.trainers.watch import Watch

if TYPE_CHECKING:
    from allometry.sweeps.executors.definition import Job

_ENDED = ("done", "diverged")
_RECIPE = "recipe.toml"
_FOLDER = Path("runs/RUN_ID")  # stands for the run's own where a command is only tried


@choice
class Command:
    """The user's own trainer, started once a run.

    Attributes:
        command: Its words, with fields of the recipe in braces: "python train.py --n-layer {layers}". It is
            split into words before the values are put in, and no shell sees it. It is started where the
            sweep was; {folder} is the run's own folder, where it may keep checkpoints to go on from.
        result: Where it says what came out.
        timeout_seconds: It may take; then it is ended and the run has failed. None: as long as it likes.
        grace_seconds: Between being asked to stop (SIGTERM) and being ended (SIGKILL).

    >>> Command(command="python train.py --lr {learning_rate}").result.kind
    'json_line'
    """

    command: str
    result: Result = JsonLine()
    timeout_seconds: float | None = Field(default=None, gt=0)
    grace_seconds: float = Field(default=30.0, ge=0)
    kind: Literal["command"] = "command"

    @property
    def branches(self) -> bool:
        """Whether it takes up a run from a checkpoint of another: every run is trained straight."""
        return False

    @property
    def shares_passes(self) -> bool:
        """Whether a job may have siblings: another's trainer makes one run at a time."""
        return False

    def require(self, recipes: Sequence[Recipe], *, device: str, directory: str) -> None:
        """Refuse before anything is started.

        Raises:
            InputError: If a field is none of a recipe's, or there is no function that reads results.
        """
        words = split_command(self.command)
        for recipe in recipes:
            filled([*words, *self._paths()], recipe_fields(recipe, _FOLDER))
        if isinstance(self.result, PythonResult):
            self.result.load(Path(directory))

    def prepare(self, study: Study, recipes: Sequence[Recipe]) -> None:
        """Nothing: the data are the trainer's own."""

    @staticmethod
    def warm_up() -> None:
        """Begin the guard of the programs to come."""
        begin_a_guard()

    def make(self, job: Job, watch: Watch) -> Ended | Died:
        """Start the trainer for a job and read its result.

        Raises:
            StudyBusy: If another process is making the run.
            StudyError: If its folder cannot be written.
        """
        study = Study.open(job.study)
        folder = study.run_folder(job.run_id).resolve()
        with claimed(folder, patience=watch.patience) as claim:
            before = study.run(job.run_id)
            if before is not None and before.status in _ENDED:
                return Ended(run_id=job.run_id, status=before.status, reason=before.reason)
            put_in_place(folder / _RECIPE, job.recipe.to_toml())
            return self._made(job, watch, study, before, claim)

    def _made(self, job: Job, watch: Watch, study: Study, before: Run | None, claim: Claim) -> Ended | Died:
        folder = study.run_folder(job.run_id).resolve()
        started = _began(before)
        fields = recipe_fields(job.recipe, folder)
        ending = supervised(
            filled(split_command(self.command), fields),
            folder=folder,
            directory=job.directory,
            settings={"OMP_NUM_THREADS": str(job.needs.threads), **visible(job)},
            should_stop=lambda: claim.lost or watch.should_stop(),
            meanwhile=lambda: _keep_recipe(folder),
            timeout=self.timeout_seconds,
            grace=self.grace_seconds,
        )
        claim.confirm()
        spent = _seconds(before) + ending.seconds
        facts = {**recipe_facts(job.recipe), "design": job.design, "started": started, "seconds": spent}
        facts |= {"trainer": "command", "allometry_version": version("allometry")}
        if ending.stopped or ending.timed_out or ending.code:
            return self._unfinished(ending, study, Run(run_id=job.run_id, status="stopped", values=facts))
        finished = Finished(folder=folder, directory=Path(job.directory), fields=fields)
        made = self._finished(finished, study, job.run_id, facts)
        if made.status == "failed" and watch.should_stop():  # it was told to stop, too, and did so well
            ended = replace(ending, stopped=True)
            return self._unfinished(ended, study, Run(run_id=job.run_id, status="stopped", values=facts))
        return made

    def _unfinished(self, ending: Ending, study: Study, run: Run) -> Ended | Died:
        if ending.stopped:
            reason = "stopped on request; the next sweep starts the trainer again in the same folder"
            study.save_run(Run(run_id=run.run_id, status="stopped", values=run.values, reason=reason))
            return Ended(run_id=run.run_id, status="stopped", reason=reason)
        if ending.timed_out:
            reason = f"its trainer did not end within {self.timeout_seconds:g} s (timeout_seconds)"
            return Ended(run_id=run.run_id, status="failed", reason=reason)
        if ending.code < 0:
            return Died(run_id=run.run_id, by_signal=True, reason=f"its trainer {ending.described}")
        reason = f"its trainer {ending.described}: {ending.last_words}"
        return Ended(run_id=run.run_id, status="failed", reason=reason)

    def _finished(self, finished: Finished, study: Study, run_id: str, facts: Mapping[str, Any]) -> Ended:
        try:
            values = {**facts, **measured(self.result.read(finished))}
        except InputError as error:
            reason = f"its trainer ended without a result: {error}"
            return Ended(run_id=run_id, status="failed", reason=reason)
        run = Run(run_id=run_id, status="done", values=values)
        if not math.isfinite(values["loss"]):
            run = Run(
                run_id=run_id, status="diverged", values=facts, reason="its loss is not a finite number"
            )
        study.save_run(run)
        return Ended(run_id=run_id, status=run.status, reason=run.reason)

    def _paths(self) -> list[str]:
        return [path] if (path := getattr(self.result, "path", "")) else []


def _keep_recipe(folder: Path) -> None:
    """Let it survive a power cut, too: before the result does, and while the program already runs."""
    sync_file(folder / _RECIPE)
    sync_folder(folder)


def _began(before: Run | None) -> str:
    """When the first sitting did: what is forecast between two sittings is not forecast before the run."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return now if before is None or before.status != "stopped" else str(before.values.get("started", now))


def _seconds(before: Run | None) -> float:
    """What earlier sittings took that were stopped."""
    return 0.0 if before is None or before.status != "stopped" else float(before.values.get("seconds", 0.0))
