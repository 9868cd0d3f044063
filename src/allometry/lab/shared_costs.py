"""What a run over several processes costs them together; all of them must ask alike, as in any exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import torch
import torch.distributed as dist

from allometry.lab.energy import METHODS, Energy, Readable


class SharedMeter:
    """The energy of all processes: what each meter tells, added up.

    The package counters of RAPL are of a machine: where several processes share one, the upper end counts its
    packages once for each of them.

    Args:
        own: Of this process.
        device: That the processes exchange tensors on.
    """

    def __init__(self, own: Readable, device: torch.device) -> None:
        self._own, self._device = own, device
        self._together: Energy
        self.gather()

    def poll(self) -> None:
        """Only of this process's meter: each reads its own."""
        self._own.poll()

    def gather(self) -> None:
        """Add up what the meters tell now; every process must call it, or the others wait forever."""
        own = self._own.read()
        every = _every([own.joules, own.low, own.high, METHODS.index(own.method)], self._device)
        parts = (
            replace(own, joules=joules, low=low, high=high, method=METHODS[int(method)])
            for joules, low, high, method in every
        )
        total = reduce(add, parts)
        self._together = replace(total, how=f"{total.how}; the sum over {len(every)} processes")

    def read(self) -> Energy:
        """As last gathered."""
        return self._together


def most_memory(own: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The peak memory of the process that used most, from that of each."""
    if "peak_memory_bytes" not in own:
        return {}
    every = _every([own["peak_memory_bytes"]], device)
    return {
        "peak_memory_bytes": int(max(used for (used,) in every)),
        "peak_memory_how": f"{own['peak_memory_how']}; the most of {len(every)} processes",
    }


def _every(numbers: list[float], device: torch.device) -> list[list[float]]:
    """The numbers of each process, in their order."""
    own = torch.tensor(numbers, dtype=torch.float64, device=device)
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own)
    return [part.tolist() for part in parts]
