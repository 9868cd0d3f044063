"""Weights in few bits: rounded to the nearest of a symmetric grid, each output channel to its own.

Shapes in names: … experts or other leading dimensions, O output channels, I inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from allometry.architectures.modules.roles import Kind, roles_of

HIDDEN_MATRICES: tuple[Kind, ...] = ("hidden",)


def rounded(weight_OI: Tensor, bits: int) -> Tensor:
    """A matrix with its values rounded to the nearest of 2^bits - 1 levels, zero in the middle.

    Each output channel has its own step: its largest value over 2^(bits - 1) - 1, so that nothing is cut
    off.

    Args:
        weight_OI: Shape (…, O, I).
        bits: At least 2.

    Source:
        Krishnamoorthi 2018, arXiv:1806.08342 (uniform symmetric quantizer, per channel).

    >>> rounded(torch.tensor([[1.0, 0.4, 0.6], [10.0, 2.0, -8.0]]), bits=2).tolist()
    [[1.0, 0.0, 1.0], [10.0, 0.0, -10.0]]
    """
    levels = 2 ** (bits - 1) - 1
    step_O1 = weight_OI.abs().amax(dim=-1, keepdim=True) / levels
    step_O1 = torch.where(step_O1 > 0, step_O1, 1.0)  # a channel of zeros stays one
    return (weight_OI / step_O1).round() * step_O1


@contextmanager
def in_few_bits(model: nn.Module, bits: int, *, kinds: Collection[Kind] = HIDDEN_MATRICES) -> Iterator[None]:
    """Let a model's matrices be rounded inside the block, and have their exact values again behind it.

    Gradients that a backward pass leaves inside are those at the rounded weights: applied to the exact ones,
    they are the straight-through estimate.

    Args:
        kinds: Roles of the parameters that are rounded; the embedding and the head are not by default.
    """
    chosen = _chosen(model, kinds)
    exact = [weight.detach().clone() for weight in chosen]
    round_weights(model, bits, kinds=kinds)
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(chosen, exact)


@torch.no_grad()
def round_weights(model: nn.Module, bits: int, *, kinds: Collection[Kind] = HIDDEN_MATRICES) -> None:
    """Round a model's matrices for good: post-training quantization to the nearest.

    Args:
        kinds: As for `in_few_bits`.
    """
    for weight in _chosen(model, kinds):
        weight.copy_(rounded(weight, bits))


def _chosen(model: nn.Module, kinds: Collection[Kind]) -> list[Tensor]:
    roles = roles_of(model)
    return [weight for name, weight in model.named_parameters() if roles[name].kind in kinds]
