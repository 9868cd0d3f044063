"""Where training computes: threads and devices, set so that the same recipe gives the same bits."""

from __future__ import annotations

import torch

from allometry.errors import InputError


def use_threads(count: int) -> None:
    """Compute with so many threads from now on; the bits of a run depend on it."""
    torch.set_num_threads(count)


def open_device(name: str) -> torch.device:
    """A device that is there, with deterministic kernels if it is not the CPU.

    Args:
        name: "cpu", "cuda", "cuda:1" …

    Raises:
        InputError: If there is no such device here; the message lists those there are.
    """
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name not in there and not (name == "cuda" and len(there) > 1):
        raise InputError(f"There is no device '{name}' here. There are: {', '.join(there)}.")
    if name != "cpu":
        # Attention's fast backward adds in any order; cuBLAS needs its workspace fixed (see LocalExecutor).
        torch.use_deterministic_algorithms(True)
    return torch.device(name)
