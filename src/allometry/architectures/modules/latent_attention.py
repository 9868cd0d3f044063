"""Multi-head latent attention.

Shapes in names: B sequences, T tokens, D width, H heads, d width per head, R dimensions of a short vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.attention import Latent
from allometry.architectures.decoder import Decoder
from allometry.architectures.modules.linear import linear
from allometry.architectures.modules.norms import build_norm
from allometry.architectures.modules.positions import Rotary
from allometry.architectures.modules.roles import Role


class LatentAttention(nn.Module):
    """Causal attention whose keys and values are read from one short vector per token.

    Args:
        shape: Its attention is `Latent`.
        rotary: Turns the rotary part of queries and keys.
        role: Of the matrix that writes into the residual stream.

    Attributes:
        head_width: Dimensions that a score is summed over.
        scale: What scores are multiplied by; None for 1 / sqrt(head_width). muP sets it.

    Source:
        DeepSeek-AI 2024, section 2.1 and appendix C, arXiv:2405.04434.
    """

    def __init__(self, shape: Decoder, *, rotary: Rotary, role: Role) -> None:
        super().__init__()
        assert isinstance(shape.attention, Latent)
        self.kind: Latent = shape.attention
        self.heads = shape.heads
        self.head_width, _ = self.kind.head_widths(width=shape.width, heads=shape.heads)
        self.scale: float | None = None
        self.rotary = rotary
        matrices = self.kind.projections(width=shape.width, heads=shape.heads)
        self.query = _query(shape, self.kind)
        self.kv_down = linear(*matrices["kv_down"])
        self.kv_norm = build_norm(shape.norm, self.kind.kv_rank)
        self.kv_up = linear(*matrices["kv_up"])
        self.out = linear(*matrices["out"], role=role, bias="attention_out" in shape.biases)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Mix every token with those before it."""
        q_BHTd = self._queries(x_BTD)
        k_BHTd, v_BHTd = self._keys_and_values(x_BTD)
        mixed_BHTd = functional.scaled_dot_product_attention(
            q_BHTd, k_BHTd, v_BHTd, is_causal=True, scale=self.scale
        )
        mixed: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed

    def _queries(self, x_BTD: Tensor) -> Tensor:
        q_BHTd = self.query(x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        plain, turning = q_BHTd.split((self.kind.plain_width, self.kind.rotary_width), dim=-1)
        return torch.cat((plain, self.rotary(turning)), dim=-1)

    def _keys_and_values(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        down = self.kv_down(x_BTD)
        latent_BTR, turning_BTd = down.split((self.kind.kv_rank, self.kind.rotary_width), dim=-1)
        kv_BHTd = self.kv_up(self.kv_norm(latent_BTR)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        plain, v_BHTd = kv_BHTd.split((self.kind.plain_width, self.kind.value_width), dim=-1)
        shared = self.rotary(turning_BTd.unsqueeze(1)).expand(-1, self.heads, -1, -1)
        return torch.cat((plain, shared), dim=-1), v_BHTd


def _query(shape: Decoder, kind: Latent) -> nn.Module:
    """Queries straight from the stream, or through a short normed vector."""
    matrices = kind.projections(width=shape.width, heads=shape.heads)
    if kind.query_rank is None:
        return linear(*matrices["query"])
    return nn.Sequential(
        linear(*matrices["query_down"]),
        build_norm(shape.norm, kind.query_rank),
        linear(*matrices["query_up"]),
    )
