"""What can be said about a run from the clock and from the device."""

from __future__ import annotations

import sys
from typing import Any

import torch

from allometry.lab.devices import matmul_peak
from allometry.lab.precision import Arithmetic
from allometry.recipe import Recipe

if sys.platform != "win32":
    import resource


def throughput(recipe: Recipe, arithmetic: Arithmetic, *, steps: int, seconds: float) -> dict[str, Any]:
    """How fast a run trained; nothing if it took no step.

    Args:
        steps: Taken in the time.
        seconds: Spent on them, without evaluations and checkpoints.

    Returns:
        tokens_per_second; flops_per_second with the products of attention, all scores counted;
        peak_flops_per_second, what the device reaches in a large matrix product, measured just now;
        peak_share, the one over the other.
    """
    if not steps:
        return {}
    tokens = steps * recipe.batch_tokens / seconds
    flops = tokens * recipe.architecture.flops_per_token("with_attention")
    peak = matmul_peak(torch.device(arithmetic.device), arithmetic.compute)
    return {
        "tokens_per_second": tokens,
        "flops_per_second": flops,
        "peak_flops_per_second": peak,
        "peak_share": flops / peak,
    }


def peak_memory(device: torch.device) -> dict[str, Any]:
    """The most memory in use so far, and what was measured."""
    if device.type == "cuda":
        used, how = torch.cuda.max_memory_allocated(device), "measured: tensors on the device"
    elif sys.platform == "win32":
        return {"peak_memory_how": "unavailable: this system does not tell"}
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        how = "measured: resident set of the whole process since its start"
    return {"peak_memory_bytes": used, "peak_memory_how": how}
