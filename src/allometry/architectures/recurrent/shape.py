"""Dimensions of the recurrent language model and its exact counts, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from allometry.architectures.definition import Architecture, Group
from allometry.architectures.requirements import require_one_of, require_whole

if TYPE_CHECKING:
    from allometry.architectures.recurrent.model import RecurrentModel

Cell = Literal["lstm", "gru"]
_GATES: Mapping[str, int] = {"lstm": 4, "gru": 3}  # the candidate among them
_STATES: Mapping[str, int] = {"lstm": 2, "gru": 1}  # vectors carried from token to token


@dataclass(frozen=True, kw_only=True)
class Recurrent(Architecture):
    """Stacked LSTM or GRU layers of the model's width, a last norm and an untied head.

    Both biases of PyTorch's cells, one with the input and one with the state, are there and counted. The
    forget gate of an LSTM starts at 1 in their sum; all other biases at 0.

    Attributes:
        vocab: Tokens in the vocabulary.
        context: Tokens per sequence in training; the recurrence itself has no longest one.
        width: Of the embedding and of every layer's state.
        layers: Cells on top of each other.
        cell: "lstm" or "gru".

    Source:
        Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; Gers et al. 2000,
        doi:10.1162/089976600300015015 (forget gate); Cho et al. 2014, arXiv:1406.1078 (GRU);
        Jozefowicz et al. 2015, section 2.2 (forget bias of 1).

    >>> shape = Recurrent(vocab=256, context=64, width=32, layers=2)
    >>> shape.params("total"), shape.params("non_embedding"), shape.params("matmul")
    (33312, 16928, 24576)
    >>> shape.cache_bytes(), shape.state_bytes()
    (0, 256)
    """

    vocab: int
    context: int
    width: int
    layers: int
    cell: Cell = "lstm"
    kind: Literal["recurrent"] = "recurrent"
    __pydantic_config__: ClassVar = {"extra": "forbid"}  # an unknown key in a recipe is an error

    def __post_init__(self) -> None:
        require_whole(vocab=self.vocab, context=self.context, width=self.width, layers=self.layers)
        require_one_of(get_args(Cell), cell=self.cell)

    def groups(self) -> Mapping[str, Group]:
        """Parameters by group: embedding, head, cells, norm."""
        gates = _GATES[self.cell] * self.layers
        matrices, biases = 2 * gates * self.width**2, 2 * gates * self.width
        head = self.vocab * self.width
        return {
            "embedding": Group(total=self.vocab * self.width),
            "head": Group(total=head, matmul=head),
            "cells": Group(total=matrices + biases, matmul=matrices),
            "norm": Group(total=self.width),
        }

    def attention_flops_per_token(self) -> float:
        """None: gates multiply activations elementwise."""
        return 0.0

    def cache_bytes(self, *, bytes_per_value: int = 2) -> int:
        """None: the state does not grow with the context."""
        return 0

    def state_bytes(self, *, bytes_per_value: int = 2) -> int:
        """Bytes of the state per sequence: hidden and cell in an LSTM, hidden in a GRU."""
        return _STATES[self.cell] * self.layers * self.width * bytes_per_value

    def dimensions(self) -> Mapping[str, float]:
        """The canonical columns of the shape; there are no heads."""
        return {"width": self.width, "layers": self.layers, "context": self.context, "vocab": self.vocab}

    def build(self) -> RecurrentModel:
        """The torch module; its weights are set by `initialize`."""
        from allometry.architectures.recurrent.model import RecurrentModel

        return RecurrentModel(self)
