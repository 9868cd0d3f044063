"""Linear layers with their roles."""

from __future__ import annotations

from torch import nn

from allometry.architectures.modules.roles import BIAS, HIDDEN, Role, tagged


def linear(inputs: int, outputs: int, *, role: Role = HIDDEN, bias: bool = False) -> nn.Linear:
    """A matrix of the stated role, and a bias that starts at zero.

    >>> linear(2, 3).weight.shape
    torch.Size([3, 2])
    """
    return tagged(nn.Linear(inputs, outputs, bias=bias), weight=role, bias=BIAS)
