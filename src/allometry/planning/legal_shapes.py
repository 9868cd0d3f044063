"""From the numbers of a plan to a run that can be trained: whole layers, heads, batches and steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from allometry.architectures import Architecture
from allometry.architectures.definition import ParamsConvention
from allometry.architectures.dials import shape
from allometry.architectures.requirements import require_whole
from allometry.errors import InputError
from allometry.laws.hyperparameters import batch_rule, learning_rate_rule
from allometry.planning.numbers import require_above_zero
from allometry.planning.result import Plan
from allometry.units import show_count, show_power

# From so many parameters on: width for a layer, width for a head. As GPT-2 (768 / 12) and Llama (4096 / 32)
# were made; the smallest as the lab's own recipes.
_PROPORTIONS = ((1e9, 128, 128), (3e7, 64, 64), (0.0, 32, 16))
# Dense runs that Li et al. 2025, arXiv:2503.04715, published: outside embedding and head; tokens.
_RULE_RANGES = {"params": (2.1e8, 1.08e9), "tokens": (4e9, 1.01e11)}
_HALVINGS = 16  # of the size outside embedding and head, until the counted size is the asked one


@dataclass(frozen=True, kw_only=True)
class LegalRun:
    """A run that can be trained, and how near it comes to the plan.

    Attributes:
        architecture: With whole layers, heads and widths.
        convention: What `params` counts: that of the plan.
        asked_params, params: By the plan, and of the architecture.
        asked_tokens, tokens: By the plan, and in whole steps; the plan's compute is kept.
        batch_tokens, steps: Of the optimizer.
        learning_rate: Peak, for AdamW without muP.
        asked_flops, flops: 6 · params · tokens of the plan and of this run.
        notes: What was assumed, in sentences.
    """

    architecture: Architecture
    convention: str
    asked_params: float
    params: int
    asked_tokens: float
    tokens: int
    batch_tokens: int
    steps: int
    learning_rate: float
    asked_flops: float
    flops: float
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The run in plain words."""
        dimensions = self.architecture.dimensions()
        sizes = ", ".join(f"{name} {value:g}" for name, value in dimensions.items())
        counted = f"{show_count(self.params)} parameters ({self.convention})"
        data = f"{show_count(self.tokens)} tokens, {_off(self.tokens, self.asked_tokens)}"
        return "\n".join(
            [
                f"A run that can be trained: {sizes}",
                f"  {counted}, {_off(self.params, self.asked_params)}; {data}",
                f"  {show_power(self.flops)} FLOP, {_off(self.flops, self.asked_flops)}",
                f"  {self.steps:,} steps of {self.batch_tokens:,} tokens, peak rate {self.learning_rate:.3g}",
                *(f"  {note}" for note in self.notes),
            ]
        )


def legal_run(
    plan: Plan,
    *,
    kind: str = "transformer",
    vocab: int = 50_304,
    context: int = 2048,
    aspect: int | None = None,
    width_per_head: int | None = None,
    batch_tokens: int | None = None,
    learning_rate: float | None = None,
    **given: Any,
) -> LegalRun:
    """The nearest run to a plan that can be trained.

    Size is matched by the convention that the plan counts in; tokens then follow from the plan's compute, in
    whole steps. Batch and rate come from published rules unless given.

    Args:
        kind: Of the catalog of architectures.
        vocab, context: Of the architecture; the data decides both.
        aspect, width_per_head: Width for a layer and for a head; by size if not given.
        batch_tokens: Tokens of one step; if not given by Li et al. 2025, as the nearest power of two of
            sequences.
        learning_rate: If not given, by the same source.
        given: Other fields of the architecture.

    Raises:
        InputError: If no shape is near the plan's size, or the batch is no multiple of the context.

    Source:
        Li et al. 2025 (Step Law), arXiv:2503.04715, for batch and rate.

    >>> from allometry.planning.allocation import allocate
    >>> run = legal_run(allocate("besiroglu_2024", flops=1e21))
    >>> run.architecture.dimensions()["layers"], run.params, run.steps * run.batch_tokens == run.tokens
    (23, 2688457856, True)
    """
    require_whole(vocab=vocab, context=context, aspect=aspect, width_per_head=width_per_head)
    require_whole(batch_tokens=batch_tokens)
    require_above_zero(learning_rate=learning_rate)
    convention, notes = _convention(plan)
    made = _shaped(plan.params.value, convention, kind, (aspect, width_per_head), vocab, context, given)
    params, size = made.params(convention), made.params("non_embedding")
    about = plan.flops / 6 / params
    batch = _batch(about, context) if batch_tokens is None else _whole_sequences(batch_tokens, context)
    steps = max(1, round(about / batch))
    rate = _rate(size, about) if learning_rate is None else learning_rate
    if batch_tokens is None or learning_rate is None:
        notes = (*notes, _ruled(size, about))
    return LegalRun(
        architecture=made,
        convention=convention,
        asked_params=plan.params.value,
        params=params,
        asked_tokens=plan.tokens.value,
        tokens=steps * batch,
        batch_tokens=batch,
        steps=steps,
        learning_rate=rate,
        asked_flops=plan.flops,
        flops=6.0 * params * steps * batch,
        notes=notes,
    )


def _convention(plan: Plan) -> tuple[ParamsConvention, tuple[str, ...]]:
    stated = plan.conventions.get("params_convention", "").replace("-", "_")
    for one in get_args(ParamsConvention):
        if stated == one:
            return one, ()
    why = f"counts '{stated}'" if stated else "does not say what its parameters count"
    return "total", (f"The fit {why}: size is matched by the total.",)


def _shaped(
    params: float,
    convention: ParamsConvention,
    kind: str,
    proportions: tuple[int | None, int | None],
    vocab: int,
    context: int,
    given: Mapping[str, Any],
) -> Architecture:
    """The shape of nearest count; the dial turns the size outside embedding and head."""
    _, aspect, head = next(row for row in _PROPORTIONS if params >= row[0])
    chosen = {"aspect": proportions[0] or aspect, "width_per_head": proportions[1] or head, **given}

    def made(log_size: float) -> Architecture:
        return shape(kind, vocab=vocab, context=context, size=math.exp(log_size), **chosen)

    low = math.log(12 * chosen["aspect"] ** 2)  # about one layer
    high = max(low, math.log(params)) + 1
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        low, high = (half, high) if made(half).params(convention) < params else (low, half)
    best = min((made(low), made(high)), key=lambda one: _distance(one, convention, params))
    if _distance(best, convention, params) > math.log(1.5):
        raise InputError(
            f"No {kind} with a vocabulary of {vocab} has about {show_count(params)} parameters "
            f"({convention}); the nearest has {show_count(best.params(convention))}. Take a smaller "
            "vocabulary or a larger plan."
        )
    return best


def _distance(made: Architecture, convention: ParamsConvention, params: float) -> float:
    return abs(math.log(made.params(convention) / params))


def _batch(tokens: float, context: int) -> int:
    best = float(batch_rule.evaluate({"tokens": tokens}, batch_rule.typical))
    return context * int(2 ** max(0, round(math.log2(best / context))))


def _rate(params: float, tokens: float) -> float:
    size = {"params": params, "tokens": tokens}
    return float(learning_rate_rule.evaluate(size, learning_rate_rule.typical))


def _ruled(params: float, tokens: float) -> str:
    """Where batch and rate came from, and whether the run lies among those they were found on."""
    run = {"params": params, "tokens": tokens}
    outside = [name for name, (low, high) in _RULE_RANGES.items() if not low <= run[name] <= high]
    source = "Batch and rate by Li et al. 2025 (arXiv:2503.04715), for AdamW without muP"
    if not outside:
        return f"{source}."
    return (
        f"{source}; its runs do not reach to so many {' and '.join(outside)}: check the rate on smaller runs."
    )


def _whole_sequences(batch_tokens: int, context: int) -> int:
    if batch_tokens < 1 or batch_tokens % context:
        nearest = max(1, round(batch_tokens / context)) * context
        raise InputError(
            f"A batch is a whole number of sequences of {context} tokens, not {batch_tokens}; take {nearest}."
        )
    return batch_tokens


def _off(made: float, asked: float) -> str:
    return f"{100 * (made / asked - 1):+.2g}% of what was asked"
