"""The torch module of the decoder-only transformer.

Shapes in names: B sequences, T tokens, D width, H heads, d width per head, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel, untied_head
from allometry.architectures.modules.roles import GAIN, HIDDEN, RESIDUAL, tagged

if TYPE_CHECKING:
    from allometry.architectures.transformer.shape import Transformer


class Rotary(nn.Module):
    """Rotary positions: each pair of a head's dimensions turns with the position at its own speed.

    Source:
        Su et al. 2021, section 3.2.2, arXiv:2104.09864.
    """

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        pairs = shape.width // shape.heads // 2
        speeds = shape.rotary_base ** (-torch.arange(pairs) / pairs)
        angles_Td = torch.outer(torch.arange(shape.context), speeds)
        self.register_buffer("cos", angles_Td.cos(), persistent=False)
        self.register_buffer("sin", angles_Td.sin(), persistent=False)

    def forward(self, x_BHTd: Tensor) -> Tensor:
        """Turn queries or keys by their positions; the first and second half of a head are the pairs."""
        length = x_BHTd.shape[-2]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        first, second = x_BHTd.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Attention(nn.Module):
    """Causal multi-head attention, one fused projection for queries, keys and values.

    Attributes:
        head_width: Dimensions that a score is summed over.
        scale: What scores are multiplied by; None for 1 / sqrt(head_width). muP sets it.
    """

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.heads = shape.heads
        self.head_width = shape.width // shape.heads
        self.scale: float | None = None
        self.rotary = Rotary(shape)
        self.qkv = tagged(nn.Linear(shape.width, 3 * shape.width, bias=False), weight=HIDDEN)
        self.out = tagged(nn.Linear(shape.width, shape.width, bias=False), weight=RESIDUAL)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Mix every token with those before it."""
        qkv = self.qkv(x_BTD).unflatten(-1, (3, self.heads, -1))
        q_BHTd, k_BHTd, v_BHTd = qkv.permute(2, 0, 3, 1, 4)
        q_BHTd, k_BHTd = self.rotary(q_BHTd), self.rotary(k_BHTd)
        mixed_BHTd = functional.scaled_dot_product_attention(
            q_BHTd, k_BHTd, v_BHTd, is_causal=True, scale=self.scale
        )
        mixed: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """Pre-norm residual block: attention, then an MLP with squared ReLU."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.attention_norm = _norm(shape)
        self.attention = Attention(shape)
        self.mlp_norm = _norm(shape)
        inner = shape.mlp_ratio * shape.width
        self.up = tagged(nn.Linear(shape.width, inner, bias=False), weight=HIDDEN)
        self.down = tagged(nn.Linear(inner, shape.width, bias=False), weight=RESIDUAL)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what attention and the MLP find."""
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD))
        mixed: Tensor = self.down(self.up(self.mlp_norm(x_BTD)).relu().square())
        return x_BTD + mixed


class TransformerModel(LanguageModel):
    """Embedding, blocks, a last norm, an untied head."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__(vocab=shape.vocab, width=shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = _norm(shape)
        self.head = untied_head(vocab=shape.vocab, width=shape.width)

    def features(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""
        x_BTD: Tensor = self.token(tokens_BT)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        normed: Tensor = self.norm(x_BTD)
        return normed


def _norm(shape: Transformer) -> nn.LayerNorm:
    return tagged(nn.LayerNorm(shape.width, bias=False), weight=GAIN)
