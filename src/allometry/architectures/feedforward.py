"""Kinds of feed-forward layers as a recipe names them, and their parameters, without torch."""

from __future__ import annotations

from typing import Literal

from allometry.architectures.definition import Group

Activation = Literal["relu2", "relu", "gelu", "swiglu", "geglu"]
"""Squared ReLU (So et al. 2021, arXiv:2109.08668), ReLU, GELU (Hendrycks and Gimpel 2016,
arXiv:1606.08415), and two that gate one projection with another (Shazeer 2020, arXiv:2002.05202)."""

GATED: tuple[Activation, ...] = ("swiglu", "geglu")


def feedforward_params(width: int, inner: int, *, activation: Activation, bias: bool) -> Group:
    """Parameters of one feed-forward layer with so many hidden units; a gated one has a third matrix.

    >>> feedforward_params(4096, 11008, activation="swiglu", bias=False).total  # Llama 7B
    135266304
    """
    ups = 2 if activation in GATED else 1
    matrices = (ups + 1) * width * inner
    return Group(total=matrices + bias * (ups * inner + width), matmul=matrices)
