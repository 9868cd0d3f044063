"""Kinds of normalisation as a recipe names them, and their parameters, without torch."""

from __future__ import annotations

from typing import Literal

Norm = Literal["layer", "layer_with_bias", "layer_fixed", "rms"]
"""LayerNorm with a gain, with a gain and a bias, with neither (Groeneveld et al. 2024, arXiv:2402.00838),
and RMSNorm with a gain (Zhang and Sennrich 2019, arXiv:1910.07467)."""

_PER_DIMENSION: dict[Norm, int] = {"layer": 1, "layer_with_bias": 2, "layer_fixed": 0, "rms": 1}


def norm_params(norm: Norm, width: int) -> int:
    """Parameters of one norm over so many dimensions.

    >>> norm_params("layer_with_bias", 768)
    1536
    """
    return _PER_DIMENSION[norm] * width
