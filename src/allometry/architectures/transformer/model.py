"""The torch module of the decoder-only transformer."""

from __future__ import annotations

from torch import nn

from allometry.architectures.decoder import Decoder
from allometry.architectures.modules.decoder import DecoderModel, residual_role
from allometry.architectures.modules.feedforward import build_feedforward


class TransformerModel(DecoderModel):
    """A decoder whose feed-forward layers are MLPs."""

    def feedforward(self, shape: Decoder, layer: int) -> nn.Module:
        """One MLP, of one size in all blocks."""
        return build_feedforward(
            shape.width,
            shape.inner_width,
            activation=shape.activation,
            bias="mlp" in shape.biases,
            role=residual_role(shape),
        )
