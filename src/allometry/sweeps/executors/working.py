"""Making one run, in whatever process an executor has for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from allometry.errors import AllometryError, StudyBusy, StudyError
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import ELSEWHERE, Died, Ended, Unusable, event_to_json
from allometry.sweeps.trainers.watch import Watch

# One thread unless a run's needs say more; what cuBLAS needs to give the same bits twice; and glibc keeps the
# memory of a step for the next, in large pages: fetching it anew from the system costs a small model's step
# up to a tenth, small pages another twenty-fifth.
SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "GLIBC_TUNABLES": ":".join(filter(None, (os.environ.get("GLIBC_TUNABLES"), "glibc.malloc.hugetlb=1"))),
}
PATIENCE = 0.0  # seconds to wait for a run that another process has: the sweep makes others first


def work(job: Job, watch: Watch) -> Ended | Died | Unusable:
    """Make the run of a job; whatever comes of it is an event."""
    try:
        return job.trainer.make(job, watch)
    except StudyBusy as error:
        return Ended(run_id=job.run_id, status=ELSEWHERE, reason=str(error))
    except StudyError as error:
        return Unusable(run_id=job.run_id, reason=str(error))
    except AllometryError as error:
        return Ended(run_id=job.run_id, status="failed", reason=str(error))


def work_as_told(job: str, settings: Mapping[str, str]) -> str:
    """Make the run of a job that came as text, in a process of a cluster; SIGINT asks it to save and stop.

    Args:
        settings: Of the environment where the sweep was started.

    Returns:
        The event, as text.
    """
    told = Job.from_json(job)
    os.environ.update({**SETTINGS, **settings})
    os.chdir(told.directory)  # relative paths of a recipe begin where the sweep was started
    with noting(signal.SIGINT) as came:
        return event_to_json(work(told, Watch(should_stop=came, patience=PATIENCE)))


@contextmanager
def noting(*numbers: int) -> Iterator[Callable[[], bool]]:
    """Note signals inside the block instead of what they do otherwise.

    Yields:
        Whether one came.
    """
    came = threading.Event()
    before = {number: signal.signal(number, lambda *_: came.set()) for number in numbers}
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
