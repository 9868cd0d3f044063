"""What every executor promises to `run_sweep`, and what it is told of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from allometry.recipe import Recipe, spelled_out
from allometry.sweeps.executors.events import Advanced, Died, Ended, Event, Unusable
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.trainers import AnyTrainer, Lab, read_trainer

__all__ = ["Advanced", "Died", "Ended", "Event", "Executor", "Job", "Unusable"]

_PLAIN = ("study", "design", "keep_steps", "stop_after", "device", "gpus", "checkpoint_seconds", "directory")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to make.

    Attributes:
        study: The study's folder.
        design: Why it is made.
        keep_steps: Checkpoints that branches will start from.
        stop_after: Steps of a trunk that its branches need by now; 0 for all of the run.
        trainer: What makes it.
        needs: What it takes of a machine.
        device: "cpu", "cuda", …
        gpus: Which of a machine's accelerators are the run's own; empty: as `device` says.
        checkpoint_seconds: Time between its checkpoints.
        directory: Where the sweep was started: relative paths of a user's command begin there.
        siblings: Other runs that are made in the same passes; the job has ended when all have.
    """

    recipe: Recipe
    study: str
    design: str
    keep_steps: tuple[int, ...] = ()
    stop_after: int = 0
    trainer: AnyTrainer = field(default_factory=Lab)
    needs: Needs = field(default_factory=Needs)
    device: str = "cpu"
    gpus: tuple[int, ...] = ()
    checkpoint_seconds: float = 15.0
    directory: str = "."
    siblings: tuple[Recipe, ...] = ()

    @property
    def run_id(self) -> str:
        """Identity of the run."""
        return self.recipe.run_id

    def on(self, gpus: tuple[int, ...]) -> Job:
        """The job on certain accelerators of its machine."""
        return replace(self, gpus=gpus)

    def to_json(self) -> str:
        """The job as one line of text, for the process that makes the run."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        choices = {"trainer": spelled_out(self.trainer), "needs": spelled_out(self.needs)}
        siblings = [recipe.to_toml() for recipe in self.siblings]
        return json.dumps({**plain, **choices, "recipe": self.recipe.to_toml(), "siblings": siblings})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(
            recipe=Recipe.from_toml(values.pop("recipe")),
            trainer=read_trainer(values.pop("trainer")),
            needs=Needs(**values.pop("needs")),
            keep_steps=tuple(values.pop("keep_steps")),
            gpus=tuple(values.pop("gpus")),
            siblings=tuple(map(Recipe.from_toml, values.pop("siblings"))),
            **values,
        )


class Executor(Protocol):
    """Makes runs; `run_sweep` decides which and when."""

    def room_for(self, needs: Needs) -> bool:
        """Whether a run with such needs can be started now."""
        ...

    def shortage(self, needs: Needs) -> str:
        """Why a run with such needs can never be made here; empty if it can."""
        ...

    def start(self, job: Job) -> None:
        """Begin a run; only when there is room for it."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """What happened since the last call; waits at most so long for something to happen."""
        ...

    def close(self) -> None:
        """Ask all runs to save a checkpoint and stop, and wait until they have."""
        ...
