"""What a shape has and costs: parameters, training FLOP, cache and weights, each under its convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from allometry.architectures import Architecture, Latent
from allometry.architectures.decoder import Decoder
from allometry.architectures.definition import ParamsConvention
from allometry.architectures.requirements import require_whole
from allometry.errors import InputError
from allometry.planning.memory import BITS, cache_bytes, weight_bytes
from allometry.planning.models.families import PublicModel, read_model
from allometry.recipe.definition import Recipe
from allometry.recipe.reading import read_recipes
from allometry.units import show_count, show_power

FlopsCount = Literal["6ND", "6ND_active", "matmul", "with_attention", "with_causal_attention"]
"""Ways to count the training FLOP of a token; the first three do not depend on the context.

"6ND" is 6 per parameter, "6ND_active" 6 per parameter that a token uses, "matmul" 6 per parameter that it
meets in a product. "with_attention" adds to "matmul" the products with all scores of a window as long as the
context, as FLOP counters do, "with_causal_attention" with those that the causal mask leaves: half.

Source:
    Kaplan et al. 2020, section 2.1, arXiv:2001.08361; Chowdhery et al. 2022, appendix B, arXiv:2204.02311
    (all scores); DeepSeek-AI 2025, table 2, arXiv:2505.09343 (causal).
"""

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True, kw_only=True)
class ModelCounts:
    """Counts of a model; exact, and without building it.

    Attributes:
        architecture: Family of a public model, or kind of architecture.
        context: Tokens per sequence that FLOP with attention, and the cache, are counted at.
        groups: Parameters by group.
        params: Parameters by convention; "active_without_lookup" leaves out of "active" what is only looked
            up: learned positions, and an embedding that is not the head too.
        flops_per_token: Training FLOP per token, forward and backward, by convention.
        attention: What keeps the cache, in words.
        cache_bytes: That a decoder keeps per token of context while no window is full, two bytes a value.
        sequence_bytes: That it keeps of a sequence as long as the context, state included.
        state_bytes: Of the state of a recurrence, per sequence, two bytes a value.
        weight_bytes: Of all weights, by precision.
    """

    architecture: str
    context: int
    groups: Mapping[str, int]
    params: Mapping[str, int]
    flops_per_token: Mapping[str, float]
    attention: str
    cache_bytes: int
    sequence_bytes: int
    state_bytes: int
    weight_bytes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TrainingCounts(ModelCounts):
    """Counts of a recipe: of its model, and of its whole training.

    Attributes:
        run_id: Of the recipe.
        tokens: Trained on, repeats counted.
        steps: Of the optimizer.
        flops: Of the whole training, by convention.
    """

    run_id: str
    tokens: int
    steps: int
    flops: Mapping[str, float]


def count_model(model: PublicModel, *, context: int | None = None) -> ModelCounts:
    """Count a public model.

    Args:
        context: Tokens per sequence; if not given, the longest that the model is stated for.

    Raises:
        InputError: For a context that is not a whole number of at least 1.

    >>> from allometry.architectures import Transformer
    >>> shape = Transformer(vocab=1024, context=128, width=32, layers=2, heads=2)
    >>> counts = count_model(PublicModel(family="ours", shape=shape, context=128))
    >>> counts.params["total"], counts.params["active_without_lookup"], counts.weight_bytes["bfloat16"]
    (90272, 57504, 180544.0)
    >>> counts.flops_per_token["with_attention"] - counts.flops_per_token["matmul"]  # 12 * 2 * 32 * 128
    98304.0
    """
    require_whole(context=context)
    refuse_beyond_positions(model.family, model.shape, model.context, context or model.context)
    return ModelCounts(**_counts(model.shape, model.family, context or model.context))


def count_recipe(recipe: Recipe) -> TrainingCounts:
    """Count a recipe's model and its training, at the recipe's context.

    >>> from allometry.architectures import Transformer
    >>> from allometry.recipe import AdamW, Bpe, Data, StandardLibrary, Wsd
    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=1024, context=128, width=32, layers=2, heads=2),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(),
    ...     data=Data(corpus=StandardLibrary(bytes=4_000_000), tokenizer=Bpe(vocab=1024)),
    ...     tokens=262_144, batch_tokens=1024)
    >>> count_recipe(recipe).params["matmul"], count_recipe(recipe).flops["matmul"] == recipe.flops()
    (57344, True)
    """
    shape = recipe.architecture
    counted = _counts(shape, shape.kind, shape.context)
    return TrainingCounts(
        **counted,
        run_id=recipe.run_id,
        tokens=recipe.tokens,
        steps=recipe.steps,
        flops={way: each * recipe.tokens for way, each in counted["flops_per_token"].items()},
    )


def count_file(path: Path, *, context: float | None = None) -> ModelCounts:
    """Count the model of a recipe (.toml) or of a public model's configuration (.json).

    Raises:
        InputError: For another file, one that cannot be read, or a context for a recipe, which has its own.
        UnknownName: For a family of models that is not known.
    """
    match path.suffix:
        case ".json":
            return count_model(read_model(path), context=_whole(context))
        case ".toml" if context is None:
            return count_recipe(_read_recipe(path))
        case ".toml":
            raise InputError(f"{path} states its own context; leave context out, or change it in the recipe.")
        case _:
            raise _no_model(path)


def refuse_beyond_positions(name: str, shape: Architecture, longest: int, context: int) -> None:
    """Refuse more tokens than a model has learned positions for; others go on beyond what they were made for.

    Raises:
        InputError: For a longer context.
    """
    if isinstance(shape, Decoder) and shape.positions == "learned" and context > longest:
        raise InputError(
            f"{name} has learned positions for {longest} tokens and none for {context}: give a context of up "
            f"to {longest}."
        )


def read_shape(path: Path) -> tuple[str, Architecture, int]:
    """Name, shape and context of the model of a recipe (.toml) or of a public model's configuration (.json).

    Raises:
        InputError: For another file, or one that cannot be read.
        UnknownName: For a family of models that is not known.
    """
    match path.suffix:
        case ".json":
            model = read_model(path)
            return model.family, model.shape, model.context
        case ".toml":
            shape = _read_recipe(path).architecture
            return shape.kind, shape, shape.context
        case _:
            raise _no_model(path)


def _read_recipe(path: Path) -> Recipe:
    (recipe,) = read_recipes([path])
    return recipe


def _no_model(path: Path) -> InputError:
    return InputError(f"{path} is neither a recipe (.toml) nor a configuration of a public model (.json).")


def active_without_lookup(shape: Architecture) -> int:
    """Parameters that a token uses, less those that are only looked up; a tied embedding is the head's."""
    groups = shape.groups()
    tied = groups["head"].total < groups["head"].matmul
    positions = groups["positions"].total if "positions" in groups else 0
    return shape.params("active") - positions - (0 if tied else groups["embedding"].total)


def flops_per_token(shape: Architecture, way: FlopsCount, *, context: int) -> float:
    """Training FLOP per token, forward and backward, of sequences of so many tokens.

    >>> from allometry.architectures import MultiHead, Transformer
    >>> window = MultiHead(window=8)
    >>> shape = Transformer(vocab=256, context=64, width=16, layers=1, heads=1, attention=window)
    >>> [flops_per_token(shape, "with_attention", context=context) for context in (4, 8, 64)]
    [43776.0, 44544.0, 44544.0]
    """
    match way:
        case "6ND":
            return 6.0 * shape.params("total")
        case "6ND_active":
            return 6.0 * shape.params("active")
        case "matmul":
            return 6.0 * shape.params("matmul")
        case "with_attention":
            return 6.0 * shape.params("matmul") + 3.0 * _attention_flops(shape, context)
        case "with_causal_attention":
            causal = _causal_share(shape, context) * _attention_flops(shape, context)
            return 6.0 * shape.params("matmul") + 3.0 * causal


def describe_attention(shape: Architecture) -> str:
    """What keeps the cache, in words.

    >>> from allometry.architectures import MultiHead, Transformer
    >>> grouped = MultiHead(kv_heads=2, window=128, global_every=2)
    >>> describe_attention(Transformer(vocab=9, context=9, width=64, layers=8, heads=4, attention=grouped))
    'grouped queries, 2 heads of keys and values for 4 of queries; a window of 128 in 4 of 8 layers'
    """
    if not isinstance(shape, Decoder):
        return "a recurrence, whose state does not grow with the context"
    if isinstance(shape.attention, Latent):
        return f"latent, {shape.attention.kv_rank} and {shape.attention.rotary_width} values a layer"
    kept = shape.attention.kv_heads or shape.heads
    kinds = {shape.heads: "multi-head", 1: "multi-query"}
    kind = kinds.get(kept, "grouped queries")
    said = f"{kind}, {kept} heads of keys and values for {shape.heads} of queries"
    if shape.attention.window is None:
        return said
    free = shape.layers // shape.attention.global_every if shape.attention.global_every else 0
    return f"{said}; a window of {shape.attention.window} in {shape.layers - free} of {shape.layers} layers"


def describe_counts(counted: ModelCounts) -> str:
    """Counts in plain words, a line each."""
    lines = [
        f"{counted.architecture}, at a context of {counted.context:,} tokens",
        *_table("Parameters by group", counted.groups, "{:,}".format),
        *_table("Parameters by convention", counted.params, "{:,}".format),
        *_table("Training FLOP per token by convention", counted.flops_per_token, show_power),
        *_table("Memory of all weights by precision", counted.weight_bytes, _memory),
        f"Attention: {counted.attention}",
        f"  {counted.cache_bytes:,} bytes of cache per token of context, at two bytes a value",
        f"  {counted.state_bytes:,} bytes of state per sequence, at two bytes a value",
        f"  {counted.sequence_bytes:,} bytes for one sequence as long as the context",
    ]
    return "\n".join(lines + (_of_training(counted) if isinstance(counted, TrainingCounts) else []))


def _of_training(counted: TrainingCounts) -> list[str]:
    length = f"{show_count(counted.tokens)} tokens in {counted.steps} steps"
    title = f"FLOP of the whole training, run {counted.run_id}: {length}"
    return _table(title, counted.flops, show_power)


def _table(title: str, values: Mapping[str, Any], shown: Callable[[Any], str]) -> list[str]:
    return [title, *(f"  {name:22s} {shown(value):>20s}" for name, value in values.items())]


def _counts(shape: Architecture, name: str, context: int) -> dict[str, Any]:
    return {
        "architecture": name,
        "context": context,
        "groups": {group: counted.total for group, counted in shape.groups().items()},
        "params": _params(shape),
        "flops_per_token": {
            way: flops_per_token(shape, way, context=context) for way in get_args(FlopsCount)
        },
        "attention": describe_attention(shape),
        "cache_bytes": shape.cache_bytes(),
        "sequence_bytes": cache_bytes(shape, context=context),
        "state_bytes": shape.state_bytes(),
        "weight_bytes": {precision: weight_bytes(shape.params("total"), precision) for precision in BITS},
    }


def _memory(value: float) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if value >= size), (1, "bytes"))
    return f"{value / size:,.3f} {unit}"


def _whole(value: float | None) -> Any:
    return int(value) if value is not None and value == int(value) else value


def _params(shape: Architecture) -> dict[str, int]:
    named: dict[str, int] = {name: shape.params(name) for name in get_args(ParamsConvention)}
    return named | {"active_without_lookup": active_without_lookup(shape)}


def _attention_flops(shape: Architecture, context: int) -> float:
    return replace(shape, context=context).attention_flops_per_token()  # type: ignore[type-var]


def _causal_share(shape: Architecture, context: int) -> float:
    """Share of scores at or before a query's own place, as areas: half, or nearly all of a short window's."""
    if not isinstance(shape, Decoder):
        return 1.0
    spans = [shape.attention.span(layer, context=context) for layer in range(shape.layers)]
    return sum(span - span**2 / (2 * context) for span in spans) / sum(spans)
