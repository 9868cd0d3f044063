"""Batches on their way to the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from allometry.lab.data import Batches
from allometry.lab.steps import Batch


class Feed(Protocol):
    """The batch of every step, on the device: a pure function of the step."""

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        ...


@dataclass(frozen=True)
class HostFeed:
    """Batches that are put together on the host and sent over one by one."""

    batches: Batches
    device: torch.device

    def batch(self, step: int) -> Batch:
        """Windows of the text."""
        return Batch.of_windows(torch.from_numpy(self.batches.batch(step)).to(self.device, non_blocking=True))
