"""What a machine has for runs, and what is left of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.needs import Needs
from allometry.units import show_count


def free_memory() -> float:
    """Bytes that are free now; without bound where the system does not say.

    >>> free_memory() > 0
    True
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    stated = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return float(stated["MemAvailable"].split()[0]) * 1024


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is for runs.

    Attributes:
        gpus: Accelerators, numbered from 0.
        memory_bytes: That runs may take together; what is free when the sweep begins, if not given.
    """

    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    gpus: int = 0
    memory_bytes: float = field(default_factory=free_memory)

    def has(self, needs: Needs, running: Sequence[Job], *, workers: int) -> bool:
        """Whether a run fits beside those that run; a run that is alone may take more threads than cores."""
        memory = self.memory_bytes - sum(job.needs.memory_bytes for job in running)
        cores = max(self.cores, workers) - sum(job.needs.cores for job in running)
        fits = needs.memory_bytes <= memory and needs.gpus <= len(self.free_gpus(running))
        return fits and (needs.cores <= cores or not running)

    def free_gpus(self, running: Sequence[Job]) -> tuple[int, ...]:
        """Accelerators that no run has."""
        taken = {gpu for job in running for gpu in job.gpus}
        return tuple(gpu for gpu in range(self.gpus) if gpu not in taken)

    def shortage(self, needs: Needs) -> str:
        """What a run needs and this machine does not have; empty if nothing.

        >>> Machine(gpus=2, memory_bytes=8e9).shortage(Needs(gpus=4))
        'it needs 4 accelerators and 2 are given to runs here; say gpus = 4, or take another machine'
        >>> Machine(memory_bytes=8e9).shortage(Needs(memory_bytes=4e10))
        'it states a peak memory of 40B bytes and runs may take 8B bytes here'
        """
        if needs.gpus > self.gpus:
            return (
                f"it needs {needs.gpus} accelerators and {self.gpus} are given to runs here; "
                f"say gpus = {needs.gpus}, or take another machine"
            )
        if needs.memory_bytes > self.memory_bytes:
            stated, there = show_count(needs.memory_bytes), show_count(self.memory_bytes)
            return f"it states a peak memory of {stated} bytes and runs may take {there} bytes here"
        return ""
