"""What a recipe's model has and costs, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from allometry.architectures.definition import FlopsConvention, ParamsConvention
from allometry.recipe.definition import Recipe
from allometry.units import show_count, show_power


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts of a recipe; exact, and without training anything.

    Attributes:
        groups: Parameters by group.
        params: Parameters by convention.
        flops_per_token: Training FLOP per token by convention.
        flops: Of the whole training, by convention.
        cache_bytes: That a decoder keeps per token of context, two bytes a value.
    """

    run_id: str
    architecture: str
    tokens: int
    steps: int
    groups: dict[str, int]
    params: dict[str, int]
    flops_per_token: dict[str, float]
    flops: dict[str, float]
    cache_bytes: float


def counts(recipe: Recipe) -> Counts:
    """Count a recipe.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Data, StandardLibrary, Wsd
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=1024, context=128, width=32, layers=2, heads=2),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(),
    ...     data=Data(corpus=StandardLibrary(bytes=4_000_000), tokenizer=Bpe(vocab=1024)),
    ...     tokens=262_144, batch_tokens=1024)
    >>> counts(recipe).params["matmul"], counts(recipe).flops["matmul"] == recipe.flops()
    (57344, True)
    """
    shape = recipe.architecture
    per_token = {name: shape.flops_per_token(name) for name in get_args(FlopsConvention)}
    return Counts(
        run_id=recipe.run_id,
        architecture=shape.kind,
        tokens=recipe.tokens,
        steps=recipe.steps,
        groups={name: group.total for name, group in shape.groups().items()},
        params={name: shape.params(name) for name in get_args(ParamsConvention)},
        flops_per_token=per_token,
        flops={name: each * recipe.tokens for name, each in per_token.items()},
        cache_bytes=shape.cache_bytes(),
    )


def describe_counts(counted: Counts) -> str:
    """Counts in plain words, a line each."""
    length = f"{show_count(counted.tokens)} tokens in {counted.steps} steps"
    lines = [
        f"{counted.architecture}, run {counted.run_id}: {length}",
        "",
        "Parameters by group",
        *(f"  {name:15s} {value:>15,}" for name, value in counted.groups.items()),
        "Parameters by convention",
        *(f"  {name:15s} {value:>15,}" for name, value in counted.params.items()),
        "Training FLOP by convention, per token and in all",
        *(
            f"  {name:15s} {show_power(each):>15s} {show_power(counted.flops[name]):>15s}"
            for name, each in counted.flops_per_token.items()
        ),
        f"Cache of a decoder: {counted.cache_bytes:,} bytes per token of context, at two bytes a value",
    ]
    return "\n".join(lines)
