"""Dimensions of the decoder-only transformer and its exact counts, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from allometry.architectures.decoder import Decoder
from allometry.architectures.definition import Group
from allometry.architectures.feedforward import feedforward_params

if TYPE_CHECKING:
    from allometry.architectures.transformer.model import TransformerModel


@dataclass(frozen=True, kw_only=True)
class Transformer(Decoder):
    """A decoder-only transformer: every block has attention and one MLP.

    Left as it is: rotary positions, LayerNorm with a gain before each branch, squared ReLU, no
    biases, an untied head. `Decoder` describes all choices.

    Source:
        Radford et al. 2019 (pre-norm decoder); So et al. 2021, arXiv:2109.08668 (squared ReLU);
        Su et al. 2021, arXiv:2104.09864 (rotary positions).

    >>> shape = Transformer(vocab=1024, context=128, width=32, layers=2, heads=2)
    >>> shape.params("total"), shape.params("non_embedding"), shape.params("matmul")
    (90272, 24736, 57344)
    >>> llama = Transformer(vocab=32_000, context=4096, width=4096, layers=32, heads=32,
    ...                     norm="rms", activation="swiglu", mlp_width=11_008)
    >>> llama.params("total")
    6738415616
    """

    kind: Literal["transformer"] = "transformer"

    def feedforward_groups(self) -> Mapping[str, Group]:
        """One MLP in every block."""
        one = feedforward_params(
            self.width, self.inner_width, activation=self.activation, bias="mlp" in self.biases
        )
        return {"mlp": Group(total=self.layers * one.total, matmul=self.layers * one.matmul)}

    def build(self) -> TransformerModel:
        """The torch module; its weights are set by `initialize`."""
        from allometry.architectures.transformer.model import TransformerModel

        return TransformerModel(self)
