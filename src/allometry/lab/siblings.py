"""Which recipes can train in one pass, and how many of them pay; without PyTorch, so that a sweep can ask."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from allometry.recipe import Recipe, TaskProblems

# Of one pass on a CPU: with more, activations leave the cache, and larger models waste nothing on their own.
_MOST_TOKENS = 8_192
_MOST_PARAMS = 400_000


def replica_groups(recipes: Iterable[Recipe], *, device: str = "cpu") -> list[list[Recipe]]:
    """Recipes that can be trained in one pass, in groups of a size that pays.

    >>> from dataclasses import replace
    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Data, StandardLibrary, Wsd
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=512, context=64, width=16, layers=1, heads=1),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(),
    ...     data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=512)),
    ...     tokens=65_536, batch_tokens=4096)
    >>> [len(group) for group in replica_groups(replace(recipe, seed=seed) for seed in range(6))]
    [2, 2, 2]
    """
    groups: dict[Any, list[Recipe]] = {}
    for recipe in dict.fromkeys(recipes):
        groups.setdefault(shared_by_replicas(recipe), []).append(recipe)
    return [part for group in groups.values() for part in _parts(group, device)]


def shared_by_replicas(recipe: Recipe) -> tuple[Any, ...]:
    """What must be equal for one pass to serve two recipes."""
    alone = recipe.run_id if not _fits_a_stack(recipe) else ""
    return (
        recipe.architecture,
        recipe.batch_tokens,
        recipe.parametrization,
        recipe.data,
        recipe.precision,
        alone,
    )


def most_replicas(recipe: Recipe, *, device: str = "cpu") -> int:
    """How many replicas one pass should serve at most; on an accelerator all there are."""
    if device != "cpu":
        return sys.maxsize
    if recipe.architecture.params("non_embedding") > _MOST_PARAMS:
        return 1
    return max(1, _MOST_TOKENS // recipe.batch_tokens)


def _fits_a_stack(recipe: Recipe) -> bool:
    """Rounded weights, a loss scale, a teacher and the targets that count are each run's own in the pass."""
    precision = recipe.precision
    whole = recipe.distill is None and not isinstance(recipe.data.corpus, TaskProblems)
    return whole and precision.weight_bits is None and precision.compute != "fp16"


def _parts(group: Sequence[Recipe], device: str) -> list[list[Recipe]]:
    size = min(len(group), most_replicas(group[0], device=device))
    return [list(group[start : start + size]) for start in range(0, len(group), size)]
