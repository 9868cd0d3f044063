"""The torch module of the decoder-only transformer.

Shapes in names: B sequences, T tokens, D width, H heads, d width per head, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    """Causal multi-head attention, one fused projection for queries, keys and values."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.heads = shape.heads
        self.rotary = Rotary(shape)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Mix every token with those before it."""
        qkv = self.qkv(x_BTD).unflatten(-1, (3, self.heads, -1))
        q_BHTd, k_BHTd, v_BHTd = qkv.permute(2, 0, 3, 1, 4)
        q_BHTd, k_BHTd = self.rotary(q_BHTd), self.rotary(k_BHTd)
        mixed_BHTd = functional.scaled_dot_product_attention(q_BHTd, k_BHTd, v_BHTd, is_causal=True)
        mixed: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """Pre-norm residual block: attention, then an MLP with squared ReLU."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.width, bias=False)
        self.attention = Attention(shape)
        self.mlp_norm = nn.LayerNorm(shape.width, bias=False)
        self.up = nn.Linear(shape.width, shape.mlp_ratio * shape.width, bias=False)
        self.down = nn.Linear(shape.mlp_ratio * shape.width, shape.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Add what attention and the MLP find."""
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD))
        mixed: Tensor = self.down(self.up(self.mlp_norm(x_BTD)).relu().square())
        return x_BTD + mixed


class TransformerModel(nn.Module):
    """Token ids in, logits out; `hidden` stops before the head, for a loss that never holds all logits."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.token = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width, bias=False)
        self.head = nn.Linear(shape.width, shape.vocab, bias=False)

    def initialize(self, generator: torch.Generator) -> None:
        """Set all weights from the generator.

        Matrices keep the variance of their input; those that write into the residual stream and the
        head start small, so the first loss is ln(vocab) within a few hundredths.
        """
        for name, weight in self.named_parameters():
            if "norm" in name:
                nn.init.ones_(weight)
            elif name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(weight)
            elif name.startswith(("token", "head")):
                nn.init.normal_(weight, std=0.02, generator=generator)
            else:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5, generator=generator)

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """Final normalised activations of shape (B, T, D)."""
        x_BTD: Tensor = self.token(tokens_BT)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        normed: Tensor = self.norm(x_BTD)
        return normed

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits of shape (B, T, V)."""
        logits: Tensor = self.head(self.hidden(tokens_BT))
        return logits
