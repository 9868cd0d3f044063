"""The squared ReLU, and on a CPU the feed-forward layer around it in pieces that stay in the cache.

Hidden units are four times as wide as the stream, and three passes go over them between two matrix products.
A piece of rows at a time, all but one of these passes find them in the second-level cache.

Shapes in names: R models side by side, N rows of each, D width, F hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_PIECE = 1 << 17  # hidden units at once: 0.5 MiB
_LEAST_ROWS = 512  # of a piece: fewer make thin products, which cost more than the passes save
_WIDEST = 1024  # hidden units of a row: pieces of so many rows of wider ones leave the cache anyway


class _SquaredRelu(torch.autograd.Function):
    """With a derivative of one pass: what is cut off is zero in the saved part already."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        above = x.relu()
        ctx.save_for_backward(above)
        return above.square()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        (above,) = ctx.saved_tensors
        return torch.addcmul(above.new_zeros(()), outer[0], above, value=2)


def squared_relu(x: Tensor) -> Tensor:
    """The square of what is above zero (So et al. 2021, arXiv:2109.08668)."""
    squared: Tensor = _SquaredRelu.apply(x)  # type: ignore[no-untyped-call]
    return squared


def pays_in_pieces(x_BTD: Tensor, up: nn.Module, down: nn.Module) -> bool:
    """Whether the layer may be taken in pieces: on a CPU, without biases, with nobody looking on.

    >>> pays_in_pieces(torch.zeros(1, 2, 4), nn.Linear(4, 8, bias=False), nn.Linear(8, 4, bias=False))
    True
    """
    return (
        x_BTD.device.type == "cpu"
        and x_BTD.numel() > 0
        and _hidden(up) <= _WIDEST
        and all(getattr(leaf, "bias", None) is None and not _is_watched(leaf) for leaf in (up, down))
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _hidden(up: nn.Module) -> int:
    weight: Tensor = up.weight  # type: ignore[assignment]
    return weight.shape[-2]


def _is_watched(leaf: nn.Module) -> bool:
    return bool(leaf._forward_pre_hooks or leaf._forward_hooks or leaf._backward_hooks)


def feed_in_pieces(x_BTD: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """What `down(squared_relu(up(x)))` returns, to rounding.

    Args:
        up: Of shape (F, D), or (R, F, D) for models side by side, whose sequences follow each other in x.
        down: Of shape (D, F) or (R, D, F).
    """
    up_RFD, down_RDF = (weight if weight.dim() == 3 else weight.unsqueeze(0) for weight in (up, down))
    x_RND = x_BTD.reshape(len(up_RFD), -1, x_BTD.shape[-1])
    fed: Tensor = _Pieces.apply(x_RND, up_RFD, down_RDF)  # type: ignore[no-untyped-call]
    return fed.view_as(x_BTD)


class _Pieces(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RND: Tensor, up_RFD: Tensor, down_RDF: Tensor) -> Tensor:
        above_RNF = x_RND.new_empty(*x_RND.shape[:2], up_RFD.shape[1])
        y_RND = torch.empty_like(x_RND)
        for some, rows in _pieces(above_RNF):
            above = above_RNF[some, rows]
            _multiply(x_RND[some, rows], up_RFD[some].mT, above)
            _multiply(above.relu_().square(), down_RDF[some].mT, y_RND[some, rows])
        ctx.save_for_backward(x_RND, up_RFD, down_RDF, above_RNF)
        return y_RND

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_RND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_RND, up_RFD, down_RDF, above_RNF = ctx.saved_tensors
        dx_RND, dup_RFD, ddown_RDF = (torch.empty_like(one) for one in (x_RND, up_RFD, down_RDF))
        for some, rows in _pieces(above_RNF):
            above, slope, more = above_RNF[some, rows], slope_RND[some, rows], rows.start > 0
            inner = torch.empty_like(above)
            _multiply(slope, down_RDF[some], inner)
            _multiply(slope.mT, above.square(), ddown_RDF[some], add=more)
            inner.mul_(above).mul_(2)
            _multiply(inner.mT, x_RND[some, rows], dup_RFD[some], add=more)
            _multiply(inner, up_RFD[some], dx_RND[some, rows])
        return dx_RND, dup_RFD, ddown_RDF


def _pieces(above_RNF: Tensor) -> Iterator[tuple[slice, slice]]:
    """Models and rows of each piece: some rows of one model, or all of some models."""
    models, rows, hidden = above_RNF.shape
    at_once, together = max(_LEAST_ROWS, _PIECE // hidden), max(1, _PIECE // (rows * hidden))
    for first in range(0, models, together):
        for start in range(0, rows, at_once):
            yield slice(first, first + together), slice(start, start + at_once)


def _multiply(left_RNI: Tensor, right_RIO: Tensor, product_RNO: Tensor, *, add: bool = False) -> None:
    """Write or add products; that of one model by the call that is fastest for one."""
    if len(left_RNI) > 1:
        torch.bmm(left_RNI, right_RIO, out=product_RNO)  # of all rows: nothing is there to add to
    elif add:
        torch.addmm(product_RNO[0], left_RNI[0], right_RIO[0], out=product_RNO[0])
    else:
        torch.mm(left_RNI[0], right_RIO[0], out=product_RNO[0])
