"""Kinds of attention as a recipe names them, and what each costs, without torch.

A cost depends on the model's width and number of heads, which the kinds are given when asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Discriminator, Tag

from allometry.architectures.requirements import listed, require_one_of, require_whole
from allometry.errors import InputError

QkNorm = Literal["none", "head", "width"]


class Attention(ABC):
    """What every kind of attention can say about one layer of it."""

    @abstractmethod
    def require(self, *, width: int, heads: int, even: bool) -> None:
        """Refuse a width or number of heads that this attention cannot have.

        Args:
            even: Whether all of a head is turned in pairs by rotary positions.

        Raises:
            InputError: With those that it can.
        """

    @abstractmethod
    def projections(self, *, width: int, heads: int) -> Mapping[str, tuple[int, int]]:
        """Inputs and outputs of each matrix; "out" writes into the residual stream."""

    @abstractmethod
    def head_widths(self, *, width: int, heads: int) -> tuple[int, int]:
        """Dimensions of a query or key of one head, and of a value."""

    @abstractmethod
    def rotary_room(self, *, width: int, heads: int) -> int:
        """Dimensions of a query that rotary positions may turn."""

    @abstractmethod
    def normed(self, *, width: int, heads: int) -> tuple[int, ...]:
        """Dimensions of each norm inside the layer."""

    @abstractmethod
    def cached_values(self, *, width: int, heads: int) -> int:
        """Numbers that a decoder keeps per token."""

    def sink_params(self, *, heads: int) -> int:
        """Parameters that stand in the softmax and in no matrix product."""
        return 0

    def span(self, layer: int, *, context: int) -> int:
        """Keys that a query of a layer, counted from 0, has scores with."""
        return context


@dataclass(frozen=True, kw_only=True)
class MultiHead(Attention):
    """Heads with queries, keys and values of their own; keys and values may be shared by groups of heads.

    Attributes:
        kv_heads: Heads of keys and values; divides the heads. None for as many as heads, fewer for
            grouped queries, 1 for multi-query.
        head_width: Dimensions of a head; None for width / heads.
        window: Keys that a query sees, itself included; None for all before it.
        global_every: Every so manieth layer sees all keys in spite of the window; None for no layer.
        qk_norm: Whether queries and keys are normed: "none", each "head" or over the whole "width".
        sinks: Whether each head has a learned score that takes part in its softmax and adds no value.

    Source:
        Vaswani et al. 2017, section 3.2.2, arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245 (grouped
        queries); Shazeer 2019, arXiv:1911.02150 (multi-query); Beltagy et al. 2020, section 3.1,
        arXiv:2004.05150 (window); Henry et al. 2020, arXiv:2010.04245 (normed queries and keys).

    >>> MultiHead(kv_heads=2).cached_values(width=64, heads=8)
    32
    """

    kv_heads: int | None = None
    head_width: int | None = None
    window: int | None = None
    global_every: int | None = None
    qk_norm: QkNorm = "none"
    sinks: bool = False
    kind: Literal["multi_head"] = "multi_head"
    __pydantic_config__: ClassVar = {"extra": "forbid"}  # an unknown key in a recipe is an error

    def __post_init__(self) -> None:
        require_whole(
            kv_heads=self.kv_heads,
            head_width=self.head_width,
            window=self.window,
            global_every=self.global_every,
        )
        require_one_of(get_args(QkNorm), qk_norm=self.qk_norm)
        if self.global_every and not self.window:
            raise InputError(
                f"global_every = {self.global_every} frees layers from a window, and there is none; "
                f"set window, or leave out global_every."
            )

    def require(self, *, width: int, heads: int, even: bool) -> None:
        """Refuse heads that do not split the width, or that the heads of keys and values do not divide."""
        if self.head_width is None:
            _require_split(width, heads, even=even)
        if self.kv_heads and heads % self.kv_heads:
            raise InputError(
                f"kv_heads must divide the heads ({heads}) and {self.kv_heads} does not; "
                f"take one of {listed(_divisors(heads))}."
            )

    def sizes(self, *, width: int, heads: int) -> tuple[int, int]:
        """Dimensions of a head, and heads of keys and values."""
        return self.head_width or width // heads, self.kv_heads or heads

    def projections(self, *, width: int, heads: int) -> Mapping[str, tuple[int, int]]:
        """One fused projection for queries, keys and values, and one out."""
        head_width, kv_heads = self.sizes(width=width, heads=heads)
        return {
            "qkv": (width, (heads + 2 * kv_heads) * head_width),
            "out": (heads * head_width, width),
        }

    def head_widths(self, *, width: int, heads: int) -> tuple[int, int]:
        """Queries, keys and values are of one width."""
        head_width, _ = self.sizes(width=width, heads=heads)
        return head_width, head_width

    def rotary_room(self, *, width: int, heads: int) -> int:
        """All dimensions of a head."""
        return self.sizes(width=width, heads=heads)[0]

    def normed(self, *, width: int, heads: int) -> tuple[int, ...]:
        """Dimensions of the norm of queries and of keys, if there are norms."""
        head_width, kv_heads = self.sizes(width=width, heads=heads)
        spans: dict[QkNorm, tuple[int, ...]] = {
            "none": (),
            "head": (head_width, head_width),
            "width": (heads * head_width, kv_heads * head_width),
        }
        return spans[self.qk_norm]

    def cached_values(self, *, width: int, heads: int) -> int:
        """A key and a value per head of keys and values."""
        head_width, kv_heads = self.sizes(width=width, heads=heads)
        return 2 * kv_heads * head_width

    def sink_params(self, *, heads: int) -> int:
        """One per head."""
        return heads if self.sinks else 0

    def span(self, layer: int, *, context: int) -> int:
        """The window, or all keys in a global layer."""
        free = self.global_every is not None and (layer + 1) % self.global_every == 0
        return context if free or self.window is None else min(self.window, context)


@dataclass(frozen=True, kw_only=True)
class Latent(Attention):
    """Multi-head latent attention: keys and values are read from one short vector per token, which is cached.

    A query and a key have dimensions without positions, of their own for each head, and rotary ones; the
    rotary part of a key is shared by all heads and cached beside the vector.

    Attributes:
        kv_rank: Dimensions of the vector that keys and values are read from.
        query_rank: Dimensions of the vector that queries are read from; None to read them from the stream.
        plain_width: Dimensions of a query or key without positions, per head.
        rotary_width: Dimensions of a query or key with rotary positions, per head.
        value_width: Dimensions of a value, per head.

    Source:
        DeepSeek-AI 2024, section 2.1, arXiv:2405.04434.

    >>> lite = Latent(kv_rank=512, plain_width=128, rotary_width=64, value_width=128)
    >>> lite.cached_values(width=2048, heads=16)
    576
    """

    kv_rank: int
    plain_width: int
    rotary_width: int
    value_width: int
    query_rank: int | None = None
    kind: Literal["latent"] = "latent"
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    def __post_init__(self) -> None:
        require_whole(
            kv_rank=self.kv_rank,
            plain_width=self.plain_width,
            rotary_width=self.rotary_width,
            value_width=self.value_width,
            query_rank=self.query_rank,
        )

    def require(self, *, width: int, heads: int, even: bool) -> None:
        """Any width goes with any number of heads: the heads' dimensions are given."""

    def projections(self, *, width: int, heads: int) -> Mapping[str, tuple[int, int]]:
        """Down to the short vectors and up from them; queries may do without one."""
        queries = heads * (self.plain_width + self.rotary_width)
        keys_and_values = heads * (self.plain_width + self.value_width)
        down_and_up = (
            {"query_down": (width, self.query_rank), "query_up": (self.query_rank, queries)}
            if self.query_rank
            else {"query": (width, queries)}
        )
        return down_and_up | {
            "kv_down": (width, self.kv_rank + self.rotary_width),
            "kv_up": (self.kv_rank, keys_and_values),
            "out": (heads * self.value_width, width),
        }

    def head_widths(self, *, width: int, heads: int) -> tuple[int, int]:
        """Queries and keys have both parts."""
        return self.plain_width + self.rotary_width, self.value_width

    def rotary_room(self, *, width: int, heads: int) -> int:
        """The rotary part only."""
        return self.rotary_width

    def normed(self, *, width: int, heads: int) -> tuple[int, ...]:
        """The short vectors are normed."""
        return (self.query_rank, self.kv_rank) if self.query_rank else (self.kv_rank,)

    def cached_values(self, *, width: int, heads: int) -> int:
        """The short vector and the shared rotary key, whatever the number of heads."""
        return self.kv_rank + self.rotary_width


def _require_split(width: int, heads: int, *, even: bool) -> None:
    parts = 2 if even else 1
    if width % (parts * heads):
        legal = [number for number in _divisors(width) if width % (parts * number) == 0]
        raise InputError(
            f"heads must split the width {width} into {'even' if even else 'equal'} parts and {heads} does "
            f"not; take one of {listed(legal) if legal else 'none: the width must be even'}."
        )


def _divisors(number: int) -> list[int]:
    """Those up to 1,024: enough to choose heads from, whatever number was given."""
    return [part for part in range(1, min(number, 1024) + 1) if number % part == 0]


ATTENTIONS = (MultiHead, Latent)


def _kind(described: Any) -> Any:
    if isinstance(described, Mapping):
        return described.get("kind", "multi_head")
    return getattr(described, "kind", "multi_head")


AttentionChoice = Annotated[
    Annotated[MultiHead, Tag("multi_head")] | Annotated[Latent, Tag("latent")],
    Discriminator(_kind),
]
