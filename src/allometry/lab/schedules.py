"""The learning rate as a share of its peak: a pure function of the step."""

from __future__ import annotations

import math

from allometry.recipe import Constant, Cosine, Linear, Recipe, Wsd


def rate_at(recipe: Recipe, step: int) -> float:
    """Share of the peak learning rate at a step, counted from 0.

    A warmup of w steps gives (step + 1) / w. After it, with p from 0 at its end to 1 right after the last
    step and f the final_fraction, cosine gives f + (1 - f) (1 + cos(pi p)) / 2 and linear 1 - (1 - f) p. Wsd
    stays at 1 through its trunk, then gives 1 - sqrt(q), with q from 0 at the trunk's last step to 1 right
    after the run's.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Data, StandardLibrary
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=512, context=64, width=16, layers=1, heads=1),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(warmup_tokens=6400),
    ...     data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=512)),
    ...     tokens=64_000, batch_tokens=640)
    >>> [round(rate_at(recipe, step), 3) for step in (0, 9, 50, 75, 99)]
    [0.1, 1.0, 1.0, 0.804, 0.019]
    """
    warmup_steps = recipe.warmup_steps
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    match recipe.schedule:
        case Constant():
            return 1.0
        case Wsd():
            return 1.0 - math.sqrt(max(0.0, _progress(step + 1, recipe.trunk_steps, recipe.steps + 1)))
        case Cosine(final_fraction=final):
            turn = math.cos(math.pi * _progress(step, warmup_steps, recipe.steps))
            return final + (1 - final) * (1 + turn) / 2
        case Linear(final_fraction=final):
            return 1 - (1 - final) * _progress(step, warmup_steps, recipe.steps)


def _progress(step: int, start: int, end: int) -> float:
    return (step - start) / (end - start)
