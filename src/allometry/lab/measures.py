"""What can be said about a run: from its recipe, from the clock, from the device."""

from __future__ import annotations

import sys
from typing import Any

import torch

from allometry.lab.devices import matmul_peak
from allometry.lab.precision import Arithmetic
from allometry.recipe import Constant, Recipe

if sys.platform != "win32":
    import resource


def recipe_facts(recipe: Recipe, *, unique_tokens: int) -> dict[str, Any]:
    """Canonical columns that follow from a recipe.

    Args:
        unique_tokens: Distinct training tokens there are.

    Returns:
        Column to value, base units; `params` and `flops` under the `matmul` conventions, so that
        flops = 6 * params * tokens exactly.
    """
    shape = recipe.architecture
    groups = shape.groups()
    return {
        "parent": recipe.parent,
        "params": shape.params("matmul"),
        "params_convention": "matmul",
        "params_total": shape.params("total"),
        "params_embedding": groups["embedding"].total,
        "params_head": groups["head"].total,
        "params_matmul": shape.params("matmul"),
        "params_active": shape.params("active"),
        "tokens": recipe.tokens,
        "unique_tokens": unique_tokens,
        "epochs": recipe.tokens / unique_tokens,
        "flops": recipe.flops(),
        "flops_convention": "matmul",
        "flops_with_attention": shape.flops_per_token("with_attention") * recipe.tokens,
        "learning_rate": recipe.optimizer.learning_rate,
        "batch_tokens": recipe.batch_tokens,
        "steps": recipe.steps,
        "warmup_steps": recipe.warmup_steps,
        "schedule": recipe.schedule.kind,
        "decayed": not isinstance(recipe.schedule, Constant),
        **shape.dimensions(),
        "seed": recipe.seed,
    }


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
