"""Dimensions of the state-space language model and its exact counts, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from allometry.architectures.definition import Architecture, Group
from allometry.architectures.requirements import listed, require_whole
from allometry.errors import InputError

if TYPE_CHECKING:
    from allometry.architectures.state_space.model import StateSpaceModel


@dataclass(frozen=True, kw_only=True)
class StateSpace(Architecture):
    """Mamba-2 blocks: every head carries a matrix that decays by one number a token; no attention.

    Decay rates and time steps start evenly spread over the heads, where the paper draws them; the gated norm
    is over the whole inner width, however many groups there are.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence in training; the recurrence itself has no longest one.
        width: Model dimension.
        layers: Blocks.
        expand: Inner width per unit of width.
        head_width: Inner dimensions of a head; must divide the inner width.
        state_width: Dimensions that each inner one is remembered in, N of the paper.
        state_groups: Groups of heads that share what is written and read, G; must divide the heads.
        kernel: Tokens that the causal depthwise convolution sees.
        chunk: Tokens whose scores are computed at once; changes the FLOP, not the result.
        tied: Whether the head is the embedding.

    Source:
        Dao and Gu 2024, arXiv:2405.21060, section 7 (block) and section 6 (chunked scan).

    >>> shape = StateSpace(vocab=256, context=128, width=32, layers=2)
    >>> shape.inner_width, shape.heads, shape.params("non_embedding"), shape.params("matmul")
    (64, 4, 18168, 24832)
    >>> shape.cache_bytes(), shape.state_bytes()
    (0, 10240)
    """

    vocab: int
    context: int
    width: int
    layers: int
    expand: int = 2
    head_width: int = 16
    state_width: int = 32
    state_groups: int = 1
    kernel: int = 4
    chunk: int = 32
    tied: bool = False
    kind: Literal["state_space"] = "state_space"
    __pydantic_config__: ClassVar = {"extra": "forbid"}  # an unknown key in a recipe is an error

    def __post_init__(self) -> None:
        require_whole(vocab=self.vocab, context=self.context, width=self.width, layers=self.layers)
        require_whole(expand=self.expand, head_width=self.head_width, state_width=self.state_width)
        require_whole(state_groups=self.state_groups, kernel=self.kernel, chunk=self.chunk)
        _require_divisor("head_width", self.head_width, "the inner width", self.inner_width)
        _require_divisor("state_groups", self.state_groups, "the number of heads", self.heads)

    @property
    def inner_width(self) -> int:
        """Dimensions that the block works in."""
        return self.expand * self.width

    @property
    def heads(self) -> int:
        """Heads of a block, each with its own decay."""
        return self.inner_width // self.head_width

    @property
    def convolved_width(self) -> int:
        """Channels of the convolution: the inner ones and, of each group, what is written and read."""
        return self.inner_width + 2 * self.state_groups * self.state_width

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, head, projections, convolution, recurrence, norm."""
        into = self.width * (self.inner_width + self.convolved_width + self.heads)
        projections = self.layers * (into + self.inner_width * self.width)
        head = self.vocab * self.width
        return {
            "embedding": Group(total=head),
            "head": Group(total=0 if self.tied else head, matmul=head),
            "projections": Group(total=projections, matmul=projections),
            "convolution": Group(total=self.layers * self.convolved_width * (self.kernel + 1)),
            "recurrence": Group(total=self.layers * 3 * self.heads),
            "norm": Group(total=self.layers * (self.width + self.inner_width) + self.width),
        }

    def attention_flops_per_token(self) -> float:
        """Forward FLOP per token of the chunked scan, of a sequence as long as the context.

        Within each chunk the scores of its tokens and their sums; between chunks the states they leave,
        their mixture, and what is read from it. A last chunk that is not full costs as much as a full one.
        """
        length = min(self.chunk, self.context)
        chunks = math.ceil(self.context / length)
        states = self.inner_width * self.state_width  # numbers in the states of all heads
        within = chunks * length**2 * (self.state_groups * self.state_width + self.inner_width)
        between = (chunks - 1) * 2 * length * states + (chunks - 1) ** 2 * states
        return 2.0 * self.layers * (within + between) / self.context

    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """None: the state does not grow with the context."""
        return 0

    def state_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes per sequence of the heads' states and of the tokens that the convolution sees."""
        recurrence = self.inner_width * self.state_width
        return self.layers * (recurrence + self.convolved_width * self.kernel) * bytes_per_value

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape; there are no attention heads."""
        return {"width": self.width, "layers": self.layers, "context": self.context, "vocab": self.vocab}

    def build(self) -> StateSpaceModel:
        """The torch module; its weights are set by `initialize`."""
        from allometry.architectures.state_space.model import StateSpaceModel

        return StateSpaceModel(self)


def _require_divisor(name: str, value: int, whole: str, size: int) -> None:
    if size % value:
        legal = [divisor for divisor in range(1, size + 1) if size % divisor == 0]
        raise InputError(
            f"{name} must divide {whole} ({size}) and {value} does not; take one of {listed(legal)}."
        )
