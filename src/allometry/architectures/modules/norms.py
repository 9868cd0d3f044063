"""The norms of the torch modules."""

from __future__ import annotations

from torch import nn

from allometry.architectures.modules.roles import BIAS, GAIN, tagged
from allometry.architectures.norms import Norm

_EPSILON = 1e-5  # under the mean square: LayerNorm's own in PyTorch, and that of Llama's RMSNorm


def build_norm(norm: Norm, *dimensions: int) -> nn.Module:
    """A norm over the last dimensions; its gain starts at one, its bias at zero.

    >>> build_norm("rms", 8)
    RMSNorm((8,), eps=1e-05, elementwise_affine=True)
    """
    if norm == "rms":
        return tagged(nn.RMSNorm(dimensions, eps=_EPSILON), weight=GAIN)
    made = nn.LayerNorm(
        dimensions, eps=_EPSILON, elementwise_affine=norm != "layer_fixed", bias=norm == "layer_with_bias"
    )
    return tagged(made, weight=GAIN, bias=BIAS)
