"""The feed-forward layers of the torch modules."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures.feedforward import GATED, Activation
from allometry.architectures.modules.linear import linear
from allometry.architectures.modules.roles import RESIDUAL, Role
from allometry.architectures.modules.squared_relu import feed_in_pieces, pays_in_pieces, squared_relu

_CURVES: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu2": squared_relu,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "swiglu": functional.silu,
    "geglu": functional.gelu,
}


class FeedForward(nn.Module):
    """Up to the hidden units, a curve, and down: `down(curve(up(x)))`."""

    def __init__(self, width: int, inner: int, *, activation: Activation, bias: bool, role: Role) -> None:
        super().__init__()
        self.curve = _CURVES[activation]
        self.up = linear(width, inner, bias=bias)
        self.down = linear(inner, width, role=role, bias=bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """What each token makes of itself, of the same shape."""
        if self.curve is squared_relu and pays_in_pieces(x_BTD, self.up, self.down):
            return feed_in_pieces(x_BTD, self.up.weight, self.down.weight)
        found: Tensor = self.down(self.curve(self.up(x_BTD)))
        return found


class GatedFeedForward(nn.Module):
    """Two projections, one of which gates the other: `down(curve(gate(x)) * up(x))`, both in one matrix.

    Source:
        Shazeer 2020, arXiv:2002.05202.
    """

    def __init__(self, width: int, inner: int, *, activation: Activation, bias: bool, role: Role) -> None:
        super().__init__()
        self.curve = _CURVES[activation]
        self.gate_up = linear(width, 2 * inner, bias=bias)
        self.down = linear(inner, width, role=role, bias=bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """What each token makes of itself, of the same shape."""
        gate, value = self.gate_up(x_BTD).chunk(2, dim=-1)
        found: Tensor = self.down(self.curve(gate) * value)
        return found


def build_feedforward(
    width: int, inner: int, *, activation: Activation, bias: bool = False, role: Role = RESIDUAL
) -> nn.Module:
    """A feed-forward layer by its activation.

    Args:
        width: What it reads and writes.
        inner: Hidden units.
        activation: A gated one has two matrices up.
        bias: Of all its products.
        role: Of the matrix that writes into the residual stream.

    >>> sorted(name for name, _ in build_feedforward(2, 3, activation="swiglu").named_parameters())
    ['down.weight', 'gate_up.weight']
    """
    made = GatedFeedForward if activation in GATED else FeedForward
    return made(width, inner, activation=activation, bias=bias, role=role)
