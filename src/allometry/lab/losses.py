"""Cross-entropy through the head without ever holding all logits.

Shapes in names: B sequences, T tokens, N = B T rows, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
    """Mean cross-entropy of softmax(x W^T); gradients are made while the logits of a chunk are at hand."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
        head = head_VD.to(x_ND.dtype)
        size = min(rows_at_once(len(head), x_ND.device), len(x_ND))
        room = x_ND.new_empty(size, len(head))  # of a chunk's logits, then of their slopes
        # Transposed, as the library's x^T g is up to 1.7 times as fast as its g^T x.
        dx_ND, dhead_DV = torch.empty_like(x_ND), head_VD.new_zeros(head_VD.T.shape)
        total = head_VD.new_zeros(())
        for start in range(0, len(x_ND), size):
            rows = slice(start, start + size)
            x, targets = x_ND[rows], targets_N[rows].unsqueeze(-1)
            logits = torch.mm(x, head.T, out=room[: len(x)])
            cost, slope = _softmax_minus_one_hot(logits, targets, head_VD.dtype)
            total += cost
            slope = slope.to(x.dtype)
            torch.mm(slope, head, out=dx_ND[rows])
            _add_product(dhead_DV, x.T, slope)
        ctx.save_for_backward(dx_ND, dhead_DV)
        return total / len(x_ND)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        dx_ND, dhead_DV = ctx.saved_tensors
        scale = outer[0] / len(dx_ND)
        return dx_ND * scale, (dhead_DV * scale).T, None


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
    with torch.autocast(x_BTD.device.type, enabled=False):  # the precisions are chosen in there
        loss: Tensor = _HeadLoss.apply(x_BTD.flatten(0, 1), head_VD, targets_BT.flatten())  # type: ignore[no-untyped-call]
    return loss
