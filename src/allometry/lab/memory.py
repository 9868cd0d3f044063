"""Whether a model fits the memory at all, asked before it is built; and how a device says that it is full."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

from allometry.errors import InputError
from allometry.recipe import AdamW, Muon, Recipe, Sgd
from allometry.units import show_count

_BYTES = 4  # of a number in fp32, in which weights, gradients and the optimizer's state are kept
# What a container may use, where the kernel shows it: control groups of the second version, of the first.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# PyTorch has a type for a full accelerator; a full CPU is a RuntimeError like any other.
_CPU_IS_FULL = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")


def training_bytes(recipe: Recipe, *, processes: int = 1) -> float:
    """The least that a process keeps of a run, in bytes: the weights, and its share of what they need beside.

    Activations, and copies that are made on the way, come on top.

    Args:
        processes: That share gradients and the optimizer's state; the weights are made whole in each.
    """
    weights = recipe.architecture.params("total")
    return _BYTES * weights * (1 + (1 + _state_numbers(recipe.optimizer)) / processes)


def _state_numbers(optimizer: AdamW | Sgd | Muon) -> int:
    """That an optimizer keeps for each weight, at least."""
    match optimizer:
        case AdamW():
            return 2
        case Sgd(momentum=momentum):
            return 1 if momentum else 0
        case Muon():
            return 1


def require_memory(recipe: Recipe, device: torch.device, *, processes: int = 1) -> None:
    """Refuse a model that cannot fit a device, before anything is computed.

    A system that is asked for too much may answer by killing processes, this one or others.

    Raises:
        InputError: If the memory of the whole device is less than `training_bytes`.
    """
    needed, there = training_bytes(recipe, processes=processes), device_memory(device)
    if needed > there:
        raise InputError(
            f"A model of {show_count(recipe.architecture.params('total'))} parameters cannot be trained on "
            f"this {device.type}: weights, gradients and the optimizer's state alone take "
            f"{show_count(needed / 1e9)} GB and it has {there / 1e9:.1f} GB. Take a smaller model."
        )


def device_memory(device: torch.device) -> float:
    """All the memory of a device in bytes, used or not; without bound where the system does not say.

    >>> device_memory(torch.device("cpu")) > 0
    True
    """
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    return min(_physical_bytes(), *(_limit_bytes(path) for path in _LIMITS))


def _physical_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows; a system without one of the names
        return math.inf


def _limit_bytes(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # there is none, or it says "max"
        return math.inf


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of PyTorch says that the memory of the CPU or of an accelerator is full."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _CPU_IS_FULL)
