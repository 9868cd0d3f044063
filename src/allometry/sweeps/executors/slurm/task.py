"""What a job of a Slurm array does: make one run; save and queue again when its time is nearly up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from allometry.files import write_atomically
from allometry.runs.claiming import STALE_SECONDS
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Ended, event_to_json
from allometry.sweeps.executors.slurm.queue import is_in_grace, requeue
from allometry.sweeps.executors.working import SETTINGS, noting, work
from allometry.sweeps.trainers.watch import Watch

# After the loss of a node Slurm starts its jobs elsewhere before the claims of the dead ones are stale, and
# perhaps while no sweep looks on.
_PATIENCE = STALE_SECONDS + 15.0
_INTERRUPTED = 75  # exit status of what will be taken up later (EX_TEMPFAIL)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One job of an array.

    Attributes:
        job: The run to make, as text.
        answer: File for the event; written last, so its presence means that the job is over.
        settings: Of the environment where the sweep was started.
        requeues: Times that it may go back to the queue.
    """

    job: str
    answer: str
    settings: Mapping[str, str]
    requeues: int

    def __call__(self) -> str:
        """Make the run.

        Slurm announces the end of the time limit with SIGUSR2, preemption and cancellation with SIGTERM: the
        run saves. After the first the job puts itself back in the queue, and so it does where its partition
        gives a preempted job time (GraceTime): Slurm takes one that ends within it for failed.
        """
        os.environ.update({**SETTINGS, **self.settings})
        job = Job.from_json(self.job)
        os.chdir(job.directory)
        with noting(signal.SIGUSR2) as out_of_time, noting(signal.SIGTERM) as ended:
            watch = Watch(should_stop=lambda: out_of_time() or ended(), patience=_PATIENCE)
            event = work(job, watch)
        told = out_of_time() or ended()  # else it is a trunk that came as far as it is needed
        if told and isinstance(event, Ended) and event.status == "stopped":
            event = self._leave(job.run_id, out_of_time=out_of_time() and not ended())
        text = event_to_json(event)
        write_atomically(Path(self.answer), text + "\n")
        return text

    def _leave(self, run_id: str, *, out_of_time: bool) -> Ended:
        """End without an answer: whether the run is to be waited for, the queue says."""
        number = _own_number()
        if not (out_of_time or is_in_grace(number)):
            sys.exit(_INTERRUPTED)  # cancelled, or Slurm queues it again by itself
        if int(os.environ.get("SLURM_RESTART_COUNT", "0")) < self.requeues:
            requeue(number)
            sys.exit(_INTERRUPTED)
        reason = (
            f"its job {number} went back to the queue {self.requeues} times (requeues) and the run is not "
            f"done; the next sweep goes on from its checkpoint"
        )
        return Ended(run_id=run_id, status="failed", reason=reason)


def _own_number() -> str:
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array else os.environ["SLURM_JOB_ID"]
