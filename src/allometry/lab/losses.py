"""Cross-entropy through the head without ever holding all logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CHUNK = 256  # rows of logits held at once: they stay in the second-level cache


class _HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of softmax(x W^T); gradients are made while the logits of a chunk are at hand."""

    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
        dx_ND, dhead_VD = torch.empty_like(x_ND), torch.zeros_like(head_VD)
        total = x_ND.new_zeros(())
        for start in range(0, len(x_ND), _CHUNK):
            rows = slice(start, start + _CHUNK)
            logits = x_ND[rows] @ head_VD.T
            log_norm = logits.logsumexp(dim=-1, keepdim=True)
            target = targets_N[rows].unsqueeze(-1)
            total += (log_norm - logits.gather(-1, target)).sum()
            gradient = logits.sub_(log_norm).exp_()  # in place: softmax - one-hot
            gradient.scatter_add_(-1, target, gradient.new_full((1, 1), -1.0).expand_as(target))
            torch.mm(gradient, head_VD, out=dx_ND[rows])
            dhead_VD.addmm_(gradient.T, x_ND[rows])
        ctx.save_for_backward(dx_ND, dhead_VD)
        return total / len(x_ND)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        dx_ND, dhead_VD = ctx.saved_tensors
        scale = outer[0] / len(dx_ND)
        return dx_ND * scale, dhead_VD * scale, None


def head_loss(x_BTD: Tensor, head_VD: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token.

    Args:
        x_BTD: Final activations, shape (B, T, D).
        head_VD: Output projection, shape (V, D).
        targets_BT: Next tokens, shape (B, T).

    Returns:
        A scalar. Backward through it is cheap: the gradients were made on the way.
    """
    loss: Tensor = _HeadLoss.apply(x_BTD.flatten(0, 1), head_VD, targets_BT.flatten())  # type: ignore[no-untyped-call]
    return loss
