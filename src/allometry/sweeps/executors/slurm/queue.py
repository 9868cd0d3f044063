"""What Slurm says of jobs, through its own commands: no accounting database is needed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from allometry.errors import StudyError

_FORMAT = "%i|%j|%K|%T"  # job, name, index in its array, state
_STATE = re.compile(r"\bJobState=(\w+)")
_PREEMPTED = re.compile(r"\bPreemptTime=\d")
_PATIENCE = 60.0  # seconds for a command of Slurm


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run is in the queue: which array, and which of it. Known before the array has a number."""

    array: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Queued:
    """One job of the queue.

    Attributes:
        job: Slurm's number for it, such as "12_3".
        state: In Slurm's words: PENDING, RUNNING, COMPLETING …
    """

    job: str
    state: str


def queue() -> dict[Place, Queued]:
    """This user's jobs, waiting and running.

    Raises:
        StudyError: If there is no Slurm here, or its controller does not answer.
    """
    said = _ask("squeue", "--me", "--noheader", "--array", f"--format={_FORMAT}")
    return read_queue(said)


def read_queue(text: str) -> dict[Place, Queued]:
    """Read what squeue prints.

    >>> read_queue("12_3|sweep-ab|3|RUNNING")
    {Place(array='sweep-ab', index=3): Queued(job='12_3', state='RUNNING')}
    >>> read_queue("13|other|N/A|PENDING")
    {Place(array='other', index=0): Queued(job='13', state='PENDING')}
    """
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 3]
    return {
        Place(array=name, index=int(index) if index.isdigit() else 0): Queued(job=job, state=state)
        for job, name, index, state in rows
    }


def last_state(job: str) -> str:
    """How a job that left the queue ended, in Slurm's words; "unknown" when Slurm has forgotten it."""
    return read_state(_shown(job))


def read_state(text: str) -> str:
    """Read the state from what scontrol shows of a job.

    >>> read_state("   JobState=NODE_FAIL Reason=NodeDown")
    'NODE_FAIL'
    """
    found = _STATE.search(text)
    return found[1] if found else "unknown"


def is_in_grace(job: str) -> bool:
    """Whether a job that was told to end is preempted and still runs: Slurm will not queue it again."""
    return read_grace(_shown(job))


def read_grace(text: str) -> bool:
    """Read from what scontrol shows of a job whether it has the GraceTime of its partition before it must go.

    >>> read_grace("JobState=RUNNING Reason=None\\n PreemptTime=2026-01-31T19:48:11")
    True
    >>> read_grace("JobState=RUNNING Reason=None\\n PreemptTime=None")
    False
    """
    return read_state(text) == "RUNNING" and _PREEMPTED.search(text) is not None


def cancel(jobs: Mapping[Place, Queued]) -> None:
    """Cancel jobs: those that run are sent SIGTERM and have Slurm's KillWait to save."""
    if jobs:
        _ask("scancel", *(queued.job for queued in jobs.values()))


def requeue(job: str) -> None:
    """Send a running job back to the queue."""
    _ask("scontrol", "requeue", job)


def _shown(job: str) -> str:
    """What Slurm knows of a job; nothing when it has forgotten it or does not answer."""
    try:
        return _ask("scontrol", "show", "job", job)
    except StudyError:
        return ""


def _ask(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except FileNotFoundError as error:
        raise StudyError(
            f"There is no Slurm here: {words[0]} is not found. Start the sweep on a node where sbatch works."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise StudyError(
            f"Slurm did not answer {words[0]} within {_PATIENCE:g} s; try again later."
        ) from error
    except subprocess.CalledProcessError as error:
        said = next(iter(error.stderr.strip().splitlines()), f"code {error.returncode}")
        raise StudyError(f"Slurm does not answer {words[0]}: {said}. See that `squeue` works.") from error
    return done.stdout
