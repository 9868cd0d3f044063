"""What can be said about a run from its recipe alone, in the columns of a table of runs."""

from __future__ import annotations

from typing import Any

from allometry.recipe.definition import Recipe
from allometry.recipe.schedules import Constant


def recipe_facts(recipe: Recipe, *, unique_tokens: int | None = None) -> dict[str, Any]:
    """Canonical columns that follow from a recipe.

    Args:
        unique_tokens: Distinct training tokens there are; left out, with the epochs, if not known.

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
        **_repeats(recipe, unique_tokens),
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


def _repeats(recipe: Recipe, unique_tokens: int | None) -> dict[str, Any]:
    if unique_tokens is None:
        return {}
    return {"unique_tokens": unique_tokens, "epochs": recipe.tokens / unique_tokens}
