"""Held-out loss in nats per token and bits per byte."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

_SEQUENCES = 32  # per forward pass


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out cross-entropy of a model.

    Attributes:
        loss: nat/token.
        bits_per_byte: bit/byte; targets that stand for no text (end of document) count in the
            numerator, as the model must predict them too.
        tokens: How many were scored.
    """

    loss: float
    bits_per_byte: float
    tokens: int


@torch.no_grad()
def evaluate(
    model: nn.Module,
    windows: npt.NDArray[np.int64],
    token_bytes: npt.NDArray[np.int64],
    device: torch.device,
) -> HeldOut:
    """Score a model on held-out windows.

    Args:
        windows: Token ids, shape (windows, context + 1).
        token_bytes: Bytes of text per token id, shape (vocab,).
    """
    total = 0.0
    for start in range(0, len(windows), _SEQUENCES):
        ids = torch.from_numpy(windows[start : start + _SEQUENCES]).to(device)
        logits = model(ids[:, :-1]).flatten(0, 1)
        total += functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="sum").item()
    targets = windows[:, 1:]
    return HeldOut(
        loss=total / targets.size,
        bits_per_byte=total / math.log(2) / int(token_bytes[targets].sum()),
        tokens=targets.size,
    )
