"""Cross-entropy through the head without ever holding all logits.

Shapes in names: R models, B sequences, T tokens, N = B T rows, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LOGITS_AT_ONCE = {"cpu": 1 << 18}  # 1 MiB: they stay in the second-level cache
_LOGITS_ELSEWHERE = 1 << 27  # enough for an accelerator to fill its units
_FEWEST_ROWS = 32  # below, the matrix products are too thin to be fast


def rows_at_once(vocab: int, device: torch.device) -> int:
    """Rows of logits that are held at once.

    >>> rows_at_once(1024, torch.device("cpu"))
    256
    """
    return max(_FEWEST_ROWS, _LOGITS_AT_ONCE.get(device.type, _LOGITS_ELSEWHERE) // vocab)


class _HeadLoss(torch.autograd.Function):
    """Mean cross-entropies of softmax(x W^T); gradients are made while the logits of a chunk are at hand."""

    @staticmethod
    def forward(ctx: Any, x_RND: Tensor, head_RVD: Tensor, targets_RN: Tensor) -> Tensor:
        size = min(rows_at_once(head_RVD.shape[1], x_RND.device), x_RND.shape[1])
        room = x_RND.new_empty(size, head_RVD.shape[1])  # of a chunk's logits, then of their slopes
        # Transposed, as the library's x^T g is up to 1.7 times as fast as its g^T x.
        dx_RND, dhead_RDV = torch.empty_like(x_RND), head_RVD.new_zeros(head_RVD.mT.shape)
        by_model = zip(x_RND, head_RVD, targets_RN, dx_RND, dhead_RDV, strict=True)
        totals_R = torch.stack([_total(*one, room) for one in by_model])
        ctx.save_for_backward(dx_RND, dhead_RDV)
        return totals_R / x_RND.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        dx_RND, dhead_RDV = ctx.saved_tensors
        scale_R = outer[0] / dx_RND.shape[1]
        dhead_RVD = dhead_RDV.new_empty(dhead_RDV.mT.shape)
        for dhead_VD, dhead_DV, scale in zip(dhead_RVD, dhead_RDV, scale_R, strict=True):
            dhead_VD.copy_(dhead_DV.T).mul_(scale)  # a matrix at a time: all at once take four times as long
        return (dx_RND * scale_R.view(-1, 1, 1)).to(dx_RND.dtype), dhead_RVD, None


def _total(
    x_ND: Tensor, head_VD: Tensor, targets_N: Tensor, dx_ND: Tensor, dhead_DV: Tensor, room: Tensor
) -> Tensor:
    """Summed cross-entropy of one model; its slopes are written to dx and added to dhead."""
    head, total = head_VD.to(x_ND.dtype), head_VD.new_zeros(())
    for start in range(0, len(x_ND), len(room)):
        rows = slice(start, start + len(room))
        x, targets = x_ND[rows], targets_N[rows].unsqueeze(-1)
        logits = torch.mm(x, head.T, out=room[: len(x)])
        cost, slope = _softmax_minus_one_hot(logits, targets, head_VD.dtype)
        total += cost
        slope = slope.to(x.dtype)
        torch.mm(slope, head, out=dx_ND[rows])
        _add_product(dhead_DV, x.T, slope)
    return total


def _softmax_minus_one_hot(logits: Tensor, targets: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy and its derivative by the logits, from one exponential a logit.

    The logits may be lost: on a CPU the derivative takes their place, which keeps it in the cache.
    """
    largest, own = logits.amax(dim=-1, keepdim=True), logits.gather(-1, targets)
    in_place = logits.dtype == dtype and logits.device.type == "cpu"
    shares = torch.softmax(logits, -1, dtype=dtype, out=logits if in_place else None)
    # The largest share is 1 / sum(exp(logit - largest)) and never underflows, as the target's may.
    cost = (largest.to(dtype) - shares.amax(dim=-1, keepdim=True).log() - own).sum()
    return cost, shares.scatter_add_(-1, targets, shares.new_full((1, 1), -1.0).expand_as(targets))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right; of lower precision too, summed over chunks in that of the total."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def head_loss(x_BTD: Tensor, head_VD: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token.

    Args:
        x_BTD: Final activations, shape (B, T, D). Of lower precision than the head, products are taken in
            theirs, and softmax, loss and the sum over chunks in that of the head.
        head_VD: Output projection, shape (V, D).
        targets_BT: Next tokens, shape (B, T).

    Returns:
        A scalar. Backward through it is cheap: the gradients were made on the way.
    """
    x_1ND, targets_1N = x_BTD.reshape(1, -1, x_BTD.shape[-1]), targets_BT.reshape(1, -1)
    return head_losses(x_1ND, head_VD.unsqueeze(0), targets_1N).squeeze(0)


def head_losses(x_RND: Tensor, head_RVD: Tensor, targets_RN: Tensor) -> Tensor:
    """The same of R models side by side, of shape (R,)."""
    with torch.autocast(x_RND.device.type, enabled=False):  # the precisions are chosen in there
        losses_R: Tensor = _HeadLoss.apply(x_RND, head_RVD, targets_RN)  # type: ignore[no-untyped-call]
    return losses_R
