"""Batches on their way to the device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from allometry.lab.data import Batches
from allometry.lab.steps import NOT_SCORED, Batch

_RESIDENT_SHARE = 0.25  # of the device's free memory that the text may take


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


@dataclass(frozen=True)
class ResidentFeed:
    """Batches put together on the device, where all of the text is; only the places of windows are sent.

    Attributes:
        ids: All tokens, as int32: no device can look up in uint16.
        places: 0 … context, what a window's tokens are from its first.
    """

    batches: Batches
    ids: Tensor
    places: Tensor

    @classmethod
    def load(cls, batches: Batches, *, context: int, device: torch.device) -> ResidentFeed:
        """Copy the text to the device."""
        ids = torch.from_numpy(batches.ids.astype(np.int32)).to(device)
        return cls(batches, ids, torch.arange(context + 1, device=device))

    def batch(self, step: int) -> Batch:
        """Windows of the text."""
        starts = torch.from_numpy(self.batches.windows(step))
        if self.ids.is_cuda:
            starts = starts.pin_memory()  # else the copy waits for the device
        windows = starts.to(self.ids.device, non_blocking=True).unsqueeze(1) + self.places
        return Batch.of_windows(self.ids[windows].long())


def open_feed(
    batches: Batches,
    *,
    context: int,
    device: torch.device,
    places: npt.NDArray[np.bool_] | None = None,
) -> Feed:
    """From the device itself if it is not the CPU and has room for the text.

    Args:
        places: Which targets of a window are learned, shape (context,); None for all.
    """
    feed = _open_whole(batches, context=context, device=device)
    return feed if places is None else AnswerFeed(feed, torch.from_numpy(places).to(device))


def _open_whole(batches: Batches, *, context: int, device: torch.device) -> Feed:
    if device.type != "cuda":
        return HostFeed(batches, device)
    free, _ = torch.cuda.mem_get_info(device)
    if 4 * len(batches.ids) > _RESIDENT_SHARE * free:
        return HostFeed(batches, device)
    return ResidentFeed.load(batches, context=context, device=device)


@dataclass(frozen=True)
class AnswerFeed:
    """Batches of which only some places are learned: the answers of problems.

    Attributes:
        feed: Of whole windows.
        places: Which targets of a window are learned, shape (context,), on the device.
    """

    feed: Feed
    places: Tensor

    def batch(self, step: int) -> Batch:
        """The windows, with the flat places of their answers."""
        whole = self.feed.batch(step)
        sequences, context = whole.targets_BT.shape
        firsts = torch.arange(sequences, device=self.places.device).unsqueeze(1) * context
        return Batch(
            whole.inputs_BT,
            whole.targets_BT.masked_fill(~self.places, NOT_SCORED),
            (firsts + self._chosen).flatten(),
        )

    @cached_property
    def _chosen(self) -> Tensor:
        return self.places.nonzero().flatten()  # waits for the device, once
