"""Which accelerators a run's processes see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allometry.sweeps.executors.definition import Job


def visible(job: Job) -> dict[str, str]:
    """What shows a run's processes its own accelerators, and no others; nothing if it has none of its own."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, job.gpus))} if job.gpus else {}
