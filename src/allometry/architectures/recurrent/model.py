"""The torch module of the recurrent language model.

Shapes in names: B sequences, T tokens, D width, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from allometry.architectures.modules.language import LanguageModel, untied_head
from allometry.architectures.modules.roles import BIAS, GAIN, HIDDEN, Role, tagged

if TYPE_CHECKING:
    from allometry.architectures.recurrent.shape import Recurrent

_FORGET_BIAS = 1.0  # remember at first: else a gradient halves with every token
_SET_BIAS = Role(kind="vector", start="set")


class RecurrentModel(LanguageModel):
    """Embedding, PyTorch's fused cells, a last norm, an untied head."""

    def __init__(self, shape: Recurrent) -> None:
        super().__init__(vocab=shape.vocab, width=shape.width)
        self.cells = _lstm(shape) if shape.cell == "lstm" else _gru(shape)
        self.norm = tagged(nn.LayerNorm(shape.width, bias=False), weight=GAIN)
        self.head = untied_head(vocab=shape.vocab, width=shape.width)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""
        states_BTD, _ = self.cells(self.token(tokens_BT))
        normed: Tensor = self.norm(states_BTD)
        return normed


def _lstm(shape: Recurrent) -> nn.RNNBase:
    cells = nn.LSTM(shape.width, shape.width, shape.layers, batch_first=True)
    with torch.no_grad():
        for layer in range(shape.layers):
            bias = cells.get_parameter(f"bias_ih_l{layer}").zero_()
            bias[shape.width : 2 * shape.width] = _FORGET_BIAS  # PyTorch's order: input, forget, cell, output
    return _tagged(cells, input_bias=_SET_BIAS)


def _gru(shape: Recurrent) -> nn.RNNBase:
    return _tagged(nn.GRU(shape.width, shape.width, shape.layers, batch_first=True), input_bias=BIAS)


def _tagged(cells: nn.RNNBase, *, input_bias: Role) -> nn.RNNBase:
    roles = {"weight_ih": HIDDEN, "weight_hh": HIDDEN, "bias_ih": input_bias, "bias_hh": BIAS}
    names = [name for name, _ in cells.named_parameters()]
    return tagged(cells, **{name: roles[name.rsplit("_", 1)[0]] for name in names})
