"""How torch modules know where a token stands.

Shapes in names: B sequences, T tokens, H heads, d width per head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Rotary(nn.Module):
    """Rotary positions: each pair of a head's dimensions turns with the position at its own speed.

    Args:
        width: Dimensions that turn, the first of a head; even.
        context: Longest sequence.
        base: Longest wavelength over 2 pi.

    Source:
        Su et al. 2021, section 3.2.2, arXiv:2104.09864.
    """

    def __init__(self, *, width: int, context: int, base: float) -> None:
        super().__init__()
        self.width = width
        pairs = width // 2
        speeds = base ** (-torch.arange(pairs) / pairs)
        angles_Td = torch.outer(torch.arange(context), speeds)
        cos, sin, nothing = angles_Td.cos(), angles_Td.sin(), torch.zeros_like(angles_Td)
        # What a head's elements are multiplied by: themselves, the one half a turn after, the one before.
        self.register_buffer("own", torch.cat((cos, cos), dim=-1), persistent=False)
        self.register_buffer("after", torch.cat((-sin, nothing), dim=-1), persistent=False)
        self.register_buffer("before", torch.cat((nothing, sin), dim=-1), persistent=False)

    def forward(self, x_BHTd: Tensor) -> Tensor:
        """Turn queries or keys by their positions; the first and second half of what turns are the pairs."""
        heads, length, head_width = x_BHTd.shape[1:]
        still = head_width - self.width
        own, after, before = (
            _padded(self.get_buffer(name)[:length], still, value).repeat(1, heads)
            for name, value in (("own", 1.0), ("after", 0.0), ("before", 0.0))
        )
        turned: Tensor = _Turn.apply(x_BHTd.transpose(1, 2), own, after, before, self.width // 2)  # type: ignore[no-untyped-call]
        return turned.transpose(1, 2)


def _padded(table: Tensor, still: int, value: float) -> Tensor:
    return functional.pad(table, (0, still), value=value) if still else table


class _Turn(torch.autograd.Function):
    """Rotation of all heads in long rows: a head alone is too short for vector units.

    An element's partner stands half a turning width further on or back in the row, whatever the head.
    """

    @staticmethod
    def forward(ctx: Any, x_BTHd: Tensor, own: Tensor, after: Tensor, before: Tensor, half: int) -> Tensor:
        ctx.save_for_backward(own, after, before)
        ctx.half = half
        return _turn(x_BTHd, own, after, before, half)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        own, after, before = ctx.saved_tensors
        return _turn(outer[0], own, after, before, ctx.half, sign=-1), None, None, None, None


def _turn(x_BTHd: Tensor, own: Tensor, after: Tensor, before: Tensor, half: int, *, sign: int = 1) -> Tensor:
    """Forth, or back if the sign is -1."""
    row = x_BTHd.flatten(2)
    turned = row * own
    turned[..., :-half].addcmul_(row[..., half:], after[:, :-half], value=sign)
    turned[..., half:].addcmul_(row[..., :-half], before[:, half:], value=sign)
    return turned.view_as(x_BTHd)


class Mask(nn.Module):
    """What is added to the scores of a query: nothing for keys in its window, less by distance with ALiBi.

    Args:
        context: Longest sequence.
        window: Keys that a query sees, itself included.
        slopes_H: What a head's scores lose per token of distance; None for nothing.
    """

    def __init__(self, *, context: int, window: int, slopes_H: Tensor | None = None) -> None:
        super().__init__()
        place = torch.arange(context)
        distance_TT = place.unsqueeze(1) - place
        seen_TT = (distance_TT >= 0) & (distance_TT < window)
        mask = seen_TT
        if slopes_H is not None:
            mask = (-slopes_H[:, None, None] * distance_TT).masked_fill(~seen_TT, -math.inf)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, length: int) -> Tensor:
        """Of shape (T, T), true where seen; with slopes (H, T, T), to be added."""
        return self.get_buffer("mask")[..., :length, :length]


def alibi_slopes(heads: int) -> Tensor:
    """What each head's scores lose per token of distance, of shape (H,).

    A power of two of heads has a geometric sequence that ends at 2^-8; between two powers, the rest is
    every other slope of the next one.

    Source:
        Press et al. 2021, section 3, arXiv:2108.12409.

    >>> alibi_slopes(8)[:3].tolist()
    [0.5, 0.25, 0.125]
    >>> alibi_slopes(3).tolist()
    [0.0625, 0.00390625, 0.25]
    """
    power = 2 ** int(math.log2(heads))
    slopes = 2.0 ** (-8 / power * torch.arange(1, power + 1))
    between = 2.0 ** (-4 / power * torch.arange(1, 2 * power, 2))
    return torch.cat((slopes, between[: heads - power]))
