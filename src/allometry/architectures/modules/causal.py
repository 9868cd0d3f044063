"""Causal attention on a CPU: a block of queries sees the keys up to its end, and no more are multiplied.

PyTorch's fused kernel multiplies all queries of a short context by all keys, then masks half of the scores.
One call of it for each block of queries leaves out most of that half.

Shapes in names: B sequences, H heads, T tokens, d width per head.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ROWS = 64  # queries of a block: shorter ones skip more, and make the products too thin to be fast
_FORWARD, _BACKWARD = (
    getattr(torch.ops.aten, f"_scaled_dot_product_flash_attention_for_cpu{part}", None)
    for part in ("", "_backward")
)


def pays_in_blocks(q_BHTd: Tensor, k_BHTd: Tensor) -> bool:
    """Whether attention in blocks is faster than one call, and as free to run.

    Not where there is one block, nor where heads share keys, nor where the fused kernel was switched off,
    autocast chooses the precision, or a compiler looks on.

    >>> q, k = torch.zeros(2, 1, 4, 128, 8)
    >>> pays_in_blocks(q, k), pays_in_blocks(q[:, :, :64], k[:, :, :64])
    (True, False)
    """
    return (
        q_BHTd.device.type == "cpu"
        and _FORWARD is not None
        and _BACKWARD is not None
        and q_BHTd.shape == k_BHTd.shape
        and q_BHTd.dtype == k_BHTd.dtype
        and q_BHTd.shape[-2] > _ROWS
        and torch.backends.cuda.flash_sdp_enabled()  # type: ignore[no-untyped-call]  # of every device
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def attend_in_blocks(q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor, scale: float | None = None) -> Tensor:
    """What `scaled_dot_product_attention` with `is_causal` returns, to rounding.

    Args:
        scale: What scores are multiplied by; None for 1 / sqrt(d).

    Returns:
        Of shape (B, H, T, d), laid out as (B, T, H, d).
    """
    mixed: Tensor = _CausalBlocks.apply(q_BHTd, k_BHTd, v_BHTd, scale)  # type: ignore[no-untyped-call]
    return mixed


class _CausalBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
        assert _FORWARD is not None
        found = [
            _FORWARD(
                q[:, :, rows], k[:, :, :end], v[:, :, :end], 0.0, mask is None, attn_mask=mask, scale=scale
            )
            for rows, end, mask in _blocks(q)
        ]
        # Put together where a token's heads follow each other: the matrix that comes next reads them so.
        mixed = torch.cat([part.transpose(1, 2) for part, _ in found], dim=1).transpose(1, 2)
        ctx.save_for_backward(q, k, v, mixed, *(sums for _, sums in found))
        ctx.scale = scale
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        assert _BACKWARD is not None
        q, k, v, mixed, *sums = ctx.saved_tensors
        made = [
            _BACKWARD(
                slope[:, :, rows],
                q[:, :, rows],
                k[:, :, :end],
                v[:, :, :end],
                mixed[:, :, rows],
                own,
                0.0,
                mask is None,
                attn_mask=mask,
                scale=ctx.scale,
            )
            for (rows, end, mask), own in zip(_blocks(q), sums, strict=True)
        ]
        dq = torch.cat([part.transpose(1, 2) for part, _, _ in made], dim=1).transpose(1, 2)
        *_, (_, dk, dv) = made  # the last block saw every key
        for _, dk_seen, dv_seen in made[:-1]:
            seen = dk_seen.shape[2]
            dk[:, :, :seen] += dk_seen
            dv[:, :, :seen] += dv_seen
        return dq, dk, dv, None


def _blocks(q_BHTd: Tensor) -> Iterator[tuple[slice, int, Tensor | None]]:
    """Rows of each block, where its keys end, and its mask; the first is causal as it stands."""
    length = q_BHTd.shape[2]
    for start, end in pairwise([*range(0, length, _ROWS), length]):
        yield slice(start, end), end, _mask(end - start, end, q_BHTd.dtype) if start else None


@lru_cache(maxsize=256)
def _mask(rows: int, keys: int, dtype: torch.dtype) -> Tensor:
    """For the last so many rows of a square: nothing is added to what is seen."""
    return torch.full((rows, keys), -torch.inf, dtype=dtype).triu_(keys - rows + 1)
