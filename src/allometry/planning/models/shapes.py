"""Shapes of public models that are counted and not trained here, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, get_args

from allometry.architectures import Architecture, MixtureOfExperts
from allometry.architectures.definition import Group
from allometry.architectures.recurrent.shape import Cell
from allometry.architectures.requirements import require_one_of, require_whole
from allometry.errors import InputError

if TYPE_CHECKING:
    from allometry.architectures.moe.model import MixtureModel

_GATES: Mapping[str, int] = {"lstm": 4, "gru": 3}  # the candidate among them
_STATES: Mapping[str, int] = {"lstm": 2, "gru": 1}  # vectors carried from token to token
_SCAN_FLOPS = 9  # per number in the state: discretise, decay, write, read


class CountedOnly(Architecture):
    """A shape that says what a model has and costs, and that the lab does not train."""

    def build(self) -> NoReturn:
        """Refuse: there is no module."""
        refuse_training(type(self).__name__)

    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """None: the state does not grow with the context."""
        return 0


def refuse_training(name: str) -> NoReturn:
    """Say that a shape is counted only."""
    raise InputError(f"{name} is counted and not trained; the lab trains the kinds in `ARCHITECTURES`.")


@dataclass(frozen=True, kw_only=True)
class FirstMamba(CountedOnly):
    """Blocks of the first Mamba: every inner dimension has a state of its own, its steps chosen by the token.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence; the recurrence itself has no longest one.
        width: Model dimension.
        layers: Blocks.
        inner_width: Dimensions that the block works in.
        state_width: Numbers that each inner dimension is remembered in, N of the paper.
        step_rank: Rank of the projection that chooses the steps, R.
        kernel: Tokens that the causal depthwise convolution sees.
        tied: Whether the head is the embedding.
        biases: Whether the projections into and out of the block have biases.

    Source:
        Gu and Dao 2023, section 3, arXiv:2312.00752.

    >>> shape = FirstMamba(vocab=50_280, context=2048, width=768, layers=24, inner_width=1536,
    ...                    state_width=16, step_rank=48, kernel=4, tied=True)
    >>> shape.params("total"), shape.state_bytes()
    (129135360, 1474560)
    """

    vocab: int
    context: int
    width: int
    layers: int
    inner_width: int
    state_width: int
    step_rank: int
    kernel: int
    tied: bool = False
    biases: bool = False

    def __post_init__(self) -> None:
        require_whole(vocab=self.vocab, context=self.context, width=self.width, layers=self.layers)
        require_whole(inner_width=self.inner_width, state_width=self.state_width)
        require_whole(step_rank=self.step_rank, kernel=self.kernel)

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, head, projections, convolution, recurrence, norm."""
        inner, head = self.inner_width, self.vocab * self.width
        matrices = self.layers * inner * (3 * self.width + 2 * self.step_rank + 2 * self.state_width)
        steps_and_biases = self.layers * (inner + self.biases * (2 * inner + self.width))
        return {
            "embedding": Group(total=head),
            "head": Group(total=0 if self.tied else head, matmul=head),
            "projections": Group(total=matrices + steps_and_biases, matmul=matrices),
            "convolution": Group(total=self.layers * inner * (self.kernel + 1)),
            "recurrence": Group(total=self.layers * inner * (self.state_width + 1)),
            "norm": Group(total=(self.layers + 1) * self.width),
        }

    def attention_flops_per_token(self) -> float:
        """Forward FLOP per token of the scan: nine for each number in the states."""
        return float(_SCAN_FLOPS * self.layers * self.inner_width * self.state_width)

    def state_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes per sequence of the states and of the tokens that the convolution sees."""
        return self.layers * self.inner_width * (self.state_width + self.kernel) * bytes_per_value

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape; there are no attention heads."""
        return {"width": self.width, "layers": self.layers, "context": self.context, "vocab": self.vocab}


@dataclass(frozen=True, kw_only=True)
class RecurrentNetwork(CountedOnly):
    """Stacked LSTM or GRU layers over an embedding that may be narrower than their state, with no norms.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence; the recurrence itself has no longest one.
        embedding_width: Of the embedding, which the first layer reads.
        width: Of every layer's state.
        layers: Cells on top of each other, each with the two biases of PyTorch's.
        cell: "lstm" or "gru".
        tied: Whether the head is the embedding; then their widths must agree.

    Source:
        Zaremba et al. 2014, arXiv:1409.2329.

    >>> large = RecurrentNetwork(vocab=10_000, context=35, embedding_width=1500, width=1500, layers=2)
    >>> large.groups()["cells"].total  # as torch.nn.LSTM(1500, 1500, 2)
    36024000
    """

    vocab: int
    context: int
    embedding_width: int
    width: int
    layers: int
    cell: Cell = "lstm"
    tied: bool = False

    def __post_init__(self) -> None:
        require_whole(vocab=self.vocab, context=self.context, width=self.width, layers=self.layers)
        require_whole(embedding_width=self.embedding_width)
        require_one_of(get_args(Cell), cell=self.cell)
        if self.tied and self.embedding_width != self.width:
            raise InputError(
                f"A tied head reads a state of the embedding's width ({self.embedding_width}), and the state "
                f"has {self.width}; make them equal, or untie the head."
            )

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, head with its bias, cells."""
        inputs = self.embedding_width + (self.layers - 1) * self.width
        matrices = _GATES[self.cell] * self.width * (inputs + self.layers * self.width)
        biases = 2 * _GATES[self.cell] * self.width * self.layers
        head = self.vocab * self.width
        return {
            "embedding": Group(total=self.vocab * self.embedding_width),
            "head": Group(total=self.vocab + (0 if self.tied else head), matmul=head),
            "cells": Group(total=matrices + biases, matmul=matrices),
        }

    def attention_flops_per_token(self) -> float:
        """None: gates multiply activations elementwise."""
        return 0.0

    def state_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes of the state per sequence: hidden and cell in an LSTM, hidden in a GRU."""
        return _STATES[self.cell] * self.layers * self.width * bytes_per_value

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape; there are no heads."""
        return {"width": self.width, "layers": self.layers, "context": self.context, "vocab": self.vocab}


@dataclass(frozen=True, kw_only=True)
class GatedSharedExperts(MixtureOfExperts):
    """A mixture whose shared experts are weighed by a gate of one number a token, as in Qwen's.

    Source:
        Qwen team 2024, section 2.2.2, arXiv:2407.10671.
    """

    kind: Literal["moe"] = "moe"

    def feedforward_groups(self) -> Mapping[str, Group]:
        """Those of the mixture, and the gate, which is a product too."""
        gate = self.routed_layers * self.width
        return {**super().feedforward_groups(), "shared_gate": Group(total=gate, matmul=gate)}

    def build(self) -> MixtureModel:
        """Refuse: the lab's mixture has no such gate."""
        refuse_training("A mixture with a gate on its shared experts")
