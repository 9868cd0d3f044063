"""Multi-head attention: grouped, multi-query, windowed, with normed queries and keys, with sinks.

Shapes in names: B sequences, T tokens, D width, H heads, K heads of keys and values, d width per head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.attention import MultiHead
from allometry.architectures.decoder import Decoder
from allometry.architectures.modules.causal import attend_in_blocks, pays_in_blocks
from allometry.architectures.modules.linear import linear
from allometry.architectures.modules.norms import build_norm
from allometry.architectures.modules.positions import Mask, Rotary
from allometry.architectures.modules.roles import BIAS, Role, tagged


class MultiHeadAttention(nn.Module):
    """Causal attention, one fused projection for queries, keys and values.

    Args:
        shape: Its attention is `MultiHead`.
        rotary: Turns queries and keys; None for other positions. Layers may share it, and the mask.
        mask: What a query sees; None for all before it.
        role: Of the matrix that writes into the residual stream.

    Attributes:
        head_width: Dimensions that a score is summed over.
        scale: What scores are multiplied by; None for 1 / sqrt(head_width). muP sets it.
    """

    def __init__(self, shape: Decoder, *, rotary: Rotary | None, mask: Mask | None, role: Role) -> None:
        super().__init__()
        kind = shape.attention
        assert isinstance(kind, MultiHead)
        self.heads = shape.heads
        self.scale: float | None = None
        self.head_width, self.kv_heads = kind.sizes(width=shape.width, heads=shape.heads)
        self.rotary, self.mask = rotary, mask
        matrices = kind.projections(width=shape.width, heads=shape.heads)
        self.qkv = linear(*matrices["qkv"], bias="qkv" in shape.biases)
        self.query_norm, self.key_norm = _qk_norms(shape, kind)
        self.sinks = nn.Parameter(torch.empty(shape.heads)) if kind.sinks else None
        self.out = linear(*matrices["out"], role=role, bias="attention_out" in shape.biases)
        tagged(self, sinks=BIAS)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Mix every token with those before it."""
        q_BHTd, k_BKTd, v_BKTd = self._split(self.qkv(x_BTD))
        if self.rotary is not None:
            q_BHTd, k_BKTd = self.rotary(q_BHTd), self.rotary(k_BKTd)
        mixed_BHTd = self._mix(q_BHTd, k_BKTd, v_BKTd)
        mixed: Tensor = self.out(mixed_BHTd.transpose(1, 2).flatten(2))
        return mixed

    def _split(self, qkv: Tensor) -> list[Tensor]:
        split = qkv.unflatten(-1, (-1, self.head_width))  # type: ignore[no-untyped-call]
        q_BTHd, k_BTKd, v_BTKd = split.split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        normed = self.query_norm(q_BTHd), self.key_norm(k_BTKd), v_BTKd
        return [part.transpose(1, 2) for part in normed]

    def _mix(self, q_BHTd: Tensor, k_BKTd: Tensor, v_BKTd: Tensor) -> Tensor:
        if self.mask is None and self.sinks is None:
            if pays_in_blocks(q_BHTd, k_BKTd):
                return attend_in_blocks(q_BHTd, k_BKTd, v_BKTd, self.scale)
            grouped = self.heads != self.kv_heads
            return functional.scaled_dot_product_attention(
                q_BHTd, k_BKTd, v_BKTd, is_causal=True, scale=self.scale, enable_gqa=grouped
            )
        # No fused kernel of CUDA takes a mask and grouped heads at once.
        k_BHTd, v_BHTd = self._for_each_head(k_BKTd), self._for_each_head(v_BKTd)
        mask = None if self.mask is None else self.mask(q_BHTd.shape[-2])
        if self.sinks is not None:
            return attend_with_sinks(q_BHTd, k_BHTd, v_BHTd, self.sinks, mask=mask, scale=self.scale)
        return functional.scaled_dot_product_attention(
            q_BHTd, k_BHTd, v_BHTd, attn_mask=mask, scale=self.scale
        )

    def _for_each_head(self, x_BKTd: Tensor) -> Tensor:
        groups = self.heads // self.kv_heads
        return x_BKTd if groups == 1 else x_BKTd.repeat_interleave(groups, dim=1)


def attend_with_sinks(
    q_BHTd: Tensor,
    k_BHTd: Tensor,
    v_BHTd: Tensor,
    sinks_H: Tensor,
    *,
    mask: Tensor | None,
    scale: float | None,
) -> Tensor:
    """Causal attention whose softmax has one more score per head, which adds no value.

    Source:
        OpenAI 2025, section 2, arXiv:2508.10925.
    """
    length = q_BHTd.shape[-2]
    scale = q_BHTd.shape[-1] ** -0.5 if scale is None else scale
    scores_BHTT = q_BHTd @ k_BHTd.transpose(-1, -2) * scale
    seen = mask if mask is not None else scores_BHTT.new_ones(length, length, dtype=torch.bool).tril()
    scores_BHTT = scores_BHTT.masked_fill(~seen, float("-inf"))
    sinks = sinks_H[:, None, None].expand(*scores_BHTT.shape[:-1], 1)
    shares = torch.cat((scores_BHTT, sinks), dim=-1).softmax(dim=-1)
    return shares[..., :-1].to(v_BHTd.dtype) @ v_BHTd


def _qk_norms(shape: Decoder, kind: MultiHead) -> tuple[nn.Module, nn.Module]:
    head_width, kv_heads = kind.sizes(width=shape.width, heads=shape.heads)
    match kind.qk_norm:
        case "none":
            return nn.Identity(), nn.Identity()
        case "head":
            return build_norm(shape.norm, head_width), build_norm(shape.norm, head_width)
        case "width":
            over = (build_norm(shape.norm, heads, head_width) for heads in (shape.heads, kv_heads))
            return next(over), next(over)
