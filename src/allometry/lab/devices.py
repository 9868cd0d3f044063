"""Where training computes: threads and devices, set so that the same recipe gives the same bits."""

from __future__ import annotations

import os
import time
from functools import lru_cache

import torch

from allometry.errors import InputError
from allometry.recipe.precision import Compute

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PROBES = 8  # products; the fastest counts, as the machine may be busy
_CPU_SIDE, _GPU_SIDE = 512, 4096  # of the matrices: some milliseconds each


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
        # Attention's fast backward adds in any order; so does cuBLAS, if not told before it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        # Or each new tensor is filled with NaN first, which only shows who reads what was never written.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device(name)


def matmul_peak(device: torch.device, compute: Compute = "fp32") -> float:
    """What the device can do at best: FLOP/s of a large square matrix product, measured once a process.

    Takes some hundredths of a second. On a busy machine it is too low; shares of it are then too high.

    Args:
        compute: What the product takes in.
    """
    return _measured_peak(str(device), compute, torch.get_num_threads())


@lru_cache
def _measured_peak(device: str, compute: Compute, threads: int) -> float:
    side = _CPU_SIDE if device == "cpu" else _GPU_SIDE
    matrix = torch.full((side, side), 1e-3, device=device, dtype=DTYPES[compute])
    seconds = min(_product_seconds(matrix) for _ in range(_PROBES))
    return 2.0 * side**3 / seconds


@torch.no_grad()
def _product_seconds(matrix: torch.Tensor) -> float:
    _settle(matrix.device)
    begun = time.perf_counter()
    torch.mm(matrix, matrix)
    _settle(matrix.device)
    return time.perf_counter() - begun


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
