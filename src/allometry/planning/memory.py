"""Memory of training and of serving: weights, gradients, optimizer, activations, logits, cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from allometry.architectures import Architecture, Latent, MixtureOfExperts
from allometry.architectures.decoder import Decoder
from allometry.architectures.feedforward import GATED
from allometry.architectures.requirements import require_one_of, require_whole
from allometry.errors import InputError
from allometry.planning.numbers import require_above_zero
from allometry.registry import Catalog

Recompute = Literal["none", "selective", "full"]

BITS: Catalog[float] = Catalog(
    "precision",
    {
        "float32": 32.0,
        "bfloat16": 16.0,
        "float8": 8.0,
        "int8": 8.0,
        "int4": 4.25,  # a scale and a zero of 16 bits for 128 values
        "mxfp4": 4.25,  # a scale of 8 bits for 32 values
    },
)
"""Bits that a weight takes in storage, scales included (Rouhani et al. 2023, arXiv:2310.10537, for mxfp4)."""

ADAM_BYTES = 12  # a copy of the weight and two moments, in float32
_LOGIT_BYTES = 8  # a logit and its gradient, in float32
_HALF = 2  # bytes of an activation


def weight_bytes(params: float, precision: str) -> float:
    """Bytes of so many weights, all of them in one precision.

    Of a mixture give all experts: those that a token does not use take their place too.

    Raises:
        UnknownName: For a precision that is not in `BITS`.

    >>> weight_bytes(8_030_261_248, "bfloat16") / 1e9
    16.060522496
    """
    require_above_zero(params=params)
    return params * BITS[precision] / 8


def cache_bytes(shape: Architecture, *, context: int, sequences: int = 1, bytes_per_value: int = 2) -> int:
    """Bytes that a decoder keeps of so many sequences of a length: cache and state.

    A full window drops the oldest keys and values; a recurrence keeps its state, however long the sequence.

    >>> from allometry.architectures import MultiHead, Transformer
    >>> llama = Transformer(vocab=128_256, context=8192, width=4096, layers=32, heads=32, mlp_width=14_336,
    ...                     attention=MultiHead(kv_heads=8))
    >>> cache_bytes(llama, context=8192, sequences=16) / 2**30
    16.0
    """
    require_whole(context=context, sequences=sequences, bytes_per_value=bytes_per_value)
    state = shape.state_bytes(bytes_per_value=bytes_per_value)
    if isinstance(shape, Decoder):
        return sequences * (state + shape.sequence_cache_bytes(context, bytes_per_value=bytes_per_value))
    return sequences * (state + context * shape.cache_bytes(bytes_per_value=bytes_per_value))


@dataclass(frozen=True, kw_only=True)
class ModelStates:
    """Bytes on one device of what training keeps for every parameter.

    Attributes:
        weights: In two bytes each.
        gradients: In two bytes each.
        optimizer: Twelve bytes each for Adam: a float32 copy of the weight and two moments.
    """

    weights: float
    gradients: float
    optimizer: float

    @property
    def total(self) -> float:
        """All three."""
        return self.weights + self.gradients + self.optimizer


def model_states(
    params: float, *, devices: int = 1, zero: int = 0, optimizer_bytes: float = ADAM_BYTES
) -> ModelStates:
    """Weights, gradients and optimizer in mixed precision, parts of them spread over devices.

    Args:
        devices: That share the work by data.
        zero: Stage: 1 spreads the optimizer, 2 the gradients too, 3 the weights too; 0 nothing.
        optimizer_bytes: Per parameter.

    Raises:
        InputError: For another stage.

    Source:
        Rajbhandari et al. 2020, section 3 and figure 1, arXiv:1910.02054.

    >>> round(model_states(7.5e9, devices=64, zero=1).total / 1e9, 1)  # the paper's 31.4 GB
    31.4
    """
    require_whole(devices=devices)
    require_above_zero(params=params, optimizer_bytes=optimizer_bytes)
    if zero not in (0, 1, 2, 3):
        raise InputError(f"zero is a stage of ZeRO, 0 to 3, not {zero!r}; 0 spreads nothing.")
    spread = [devices if zero >= stage else 1 for stage in (3, 2, 1)]
    return ModelStates(
        weights=_HALF * params / spread[0],
        gradients=_HALF * params / spread[1],
        optimizer=optimizer_bytes * params / spread[2],
    )


@dataclass(frozen=True, kw_only=True)
class LayerActivations:
    """Bytes per token that one layer keeps for its backward pass.

    Attributes:
        whole: On every device of a tensor-parallel group: norms, inputs of branches, masks of dropout.
        split: Over the group: what lies between the first and the last product of a branch.
        scores: Over the group too: of the softmax, for a query with as many keys as the context.
        entry: What the layer is given, all that is kept if it is recomputed.
    """

    whole: float
    split: float
    scores: float
    entry: float


def layer_activations(shape: Decoder, *, context: int, dropout: bool = False) -> LayerActivations:
    """What a layer of a decoder keeps, in two bytes a value.

    Counts outputs of products, activations and norms once each. Of a mixture it is a routed layer, its load
    even; windows save nothing in scores that a kernel computes in full.

    Source:
        Korthikanti et al. 2022, section 4.1, arXiv:2205.05198, whose s b h (34 + 5 a s / h) this is for its
        model: dropout, as many heads of keys as of queries, an MLP of four widths that is not gated.

    >>> from allometry.architectures import Transformer
    >>> gpt3 = Transformer(vocab=51_200, context=2048, width=12_288, layers=96, heads=96, activation="gelu")
    >>> kept = layer_activations(gpt3, context=2048, dropout=True)
    >>> (kept.whole + kept.split) / gpt3.width, kept.scores / gpt3.width
    (34.0, 80.0)
    """
    width = shape.width
    units, inputs = _hidden_values(shape)
    norms = 2 if shape.norm_at != "sandwich" else 4
    masks = 2 * width if dropout else 0
    return LayerActivations(
        whole=_HALF * (norms + 1 + inputs) * width + masks,
        split=_HALF * (_attention_values(shape) + units),
        # Softmax and, with dropout, what is left of it, and the mask of one byte.
        scores=shape.heads * context * (_HALF + dropout * (_HALF + 1)),
        entry=_HALF * width,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes on one device while a model trains.

    Attributes:
        states: Weights, gradients and optimizer.
        activations: Kept for the backward pass.
        logits: Of the last layer and their gradients, in float32.
    """

    states: ModelStates
    activations: float
    logits: float

    @property
    def total(self) -> float:
        """All of it; fragments and buffers of a framework come on top."""
        return self.states.total + self.activations + self.logits


def training_memory(
    shape: Decoder,
    *,
    sequences: int,
    context: int,
    devices: int = 1,
    zero: int = 0,
    tensor_parallel: int = 1,
    sequence_parallel: bool = False,
    recompute: Recompute = "selective",
    dropout: bool = False,
    optimizer_bytes: float = ADAM_BYTES,
) -> TrainingMemory:
    """Memory of training in mixed precision, on each device.

    Args:
        sequences: Per device and backward pass.
        context: Tokens per sequence.
        devices: That share the work by data.
        zero: Stage of ZeRO, as in `model_states`.
        tensor_parallel: Devices that share each matrix.
        sequence_parallel: Whether they share also what lies between products.
        recompute: "none" keeps all; "selective" computes the softmax again, as fused attention does; "full"
            keeps the input of each layer only.
        dropout: Whether there is dropout, whose masks are kept.
        optimizer_bytes: Per parameter; 12 for Adam with a float32 copy.

    Raises:
        InputError: For a number that is not whole and above 0, or another way to recompute.

    Source:
        Korthikanti et al. 2022, table 2, arXiv:2205.05198; Rajbhandari et al. 2020, arXiv:1910.02054.

    >>> from allometry.architectures import Transformer
    >>> small = Transformer(vocab=50_257, context=1024, width=768, layers=12, heads=12)
    >>> kept = training_memory(small, sequences=8, context=1024)
    >>> round(kept.states.total / 1e9, 2), round(kept.logits / 1e9, 2)
    (2.59, 3.29)
    """
    require_whole(sequences=sequences, context=context, tensor_parallel=tensor_parallel)
    require_one_of(get_args(Recompute), recompute=recompute)
    tokens = sequences * context
    layer = layer_activations(shape, context=context, dropout=dropout)
    per_token = _kept(layer, tensor_parallel, sequence_parallel)[recompute]
    return TrainingMemory(
        states=model_states(
            shape.params("total") / tensor_parallel,
            devices=devices,
            zero=zero,
            optimizer_bytes=optimizer_bytes,
        ),
        activations=tokens * shape.layers * per_token,
        logits=tokens * shape.vocab * _LOGIT_BYTES / tensor_parallel,
    )


def _kept(layer: LayerActivations, group: int, sequence_parallel: bool) -> Mapping[str, float]:
    whole = layer.whole / group if sequence_parallel else layer.whole
    products = whole + layer.split / group
    # A layer's input is kept by every device of the group unless the sequence is shared.
    entry = layer.entry / group if sequence_parallel else layer.entry
    return {"none": products + layer.scores / group, "selective": products, "full": entry}


def _attention_values(shape: Decoder) -> int:
    """Values per token of queries, keys, values, what attention gives, and the short vectors of a latent."""
    queries, values = shape.attention.head_widths(width=shape.width, heads=shape.heads)
    if isinstance(shape.attention, Latent):
        short = shape.attention.kv_rank + (shape.attention.query_rank or 0)
        return shape.heads * (2 * queries + 2 * values) + short
    kept = shape.attention.kv_heads or shape.heads
    return shape.heads * (queries + values) + kept * (queries + values)


def _hidden_values(shape: Decoder) -> tuple[int, int]:
    """Hidden values per token of a feed-forward layer, and how many copies of its input there are."""
    kept = 4 if shape.activation in GATED else 2  # gate, its activation, up and their product; or two
    if not isinstance(shape, MixtureOfExperts):
        return kept * shape.inner_width, 1
    experts = shape.top_k + shape.shared_experts
    return kept * experts * shape.expert_inner_width, shape.top_k + bool(shape.shared_experts)
