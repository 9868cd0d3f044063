"""What every executor promises to `run_sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from allometry.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to make.

    Attributes:
        study: The study's folder.
        keep_steps: Checkpoints that branches will start from.
    """

    recipe: Recipe
    study: str
    design: str
    keep_steps: tuple[int, ...] = ()

    @property
    def run_id(self) -> str:
        """Identity of the run."""
        return self.recipe.run_id


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """A run in training said how far it is."""

    run_id: str
    tokens: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run ended and its result, whatever it is, is in the study; `reason` if it is not done."""

    run_id: str
    status: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Died:
    """A worker died while on a run; the run's last checkpoint is intact.

    Attributes:
        by_signal: It was killed from outside (out of memory, kill -9) rather than by its own error.
        reason: Its last words, or the signal.
    """

    run_id: str
    by_signal: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """The study folder cannot be written: no run can be made until that is mended."""

    run_id: str
    reason: str


Event = Advanced | Ended | Died | Unusable


class Executor(Protocol):
    """Makes runs; `run_sweep` decides which and when."""

    def free(self) -> int:
        """How many more jobs can be started now."""
        ...

    def start(self, job: Job) -> None:
        """Begin a run; only when `free()` is positive."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """What happened since the last call; waits at most so long for something to happen."""
        ...

    def close(self) -> None:
        """Ask all runs to save a checkpoint and stop, and wait until they have."""
        ...
