"""Making one run, in whatever process an executor has for it."""

from __future__ import annotations

from allometry.errors import AllometryError, StudyError
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Unusable
from allometry.sweeps.trainers.watch import Watch


def work(job: Job, watch: Watch) -> Ended | Died | Unusable:
    """Make the run of a job; whatever comes of it is an event."""
    try:
        return job.trainer.make(job, watch)
    except StudyError as error:
        return Unusable(run_id=job.run_id, reason=str(error))
    except AllometryError as error:
        return Ended(run_id=job.run_id, status="failed", reason=str(error))
