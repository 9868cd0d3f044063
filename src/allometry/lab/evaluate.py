"""Held-out loss in nats per token and bits per byte, over all and domain by domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from allometry.errors import InputError
from allometry.lab.data import ScoredWindows
from allometry.lab.memory import ran_out_of_memory
from allometry.lab.precision import EXACT, Arithmetic

_SEQUENCES = 32  # per forward pass


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out cross-entropy of a model; of a mixture, as its training weighs the domains.

    Attributes:
        loss: nat/token.
        bits_per_byte: bit/byte; targets that stand for no text (end of document) count in the
            numerator, as the model must predict them too. NaN if no token stands for text.
        tokens: How many were scored.
        domains: Loss of each domain of a mixture by name, nat/token; empty without one.
    """

    loss: float
    bits_per_byte: float
    tokens: int
    domains: Mapping[str, float] = field(default_factory=dict)

    def losses(self, prefix: str = "") -> dict[str, float]:
        """Columns of the losses.

        >>> HeldOut(loss=3.0, bits_per_byte=math.nan, tokens=9, domains={"code": 2.5}).losses("held_out_")
        {'held_out_loss': 3.0, 'held_out_loss_code': 2.5}
        """
        named = {"loss": self.loss, "bits_per_byte": self.bits_per_byte}
        named |= {f"loss_{domain}": loss for domain, loss in self.domains.items()}
        return {f"{prefix}{name}": value for name, value in named.items() if not _is_missing(name, value)}


def _is_missing(name: str, value: float) -> bool:
    return name == "bits_per_byte" and math.isnan(value)


@torch.no_grad()
def evaluate(
    model: nn.Module,
    scored: Sequence[ScoredWindows],
    device: torch.device,
    arithmetic: Arithmetic = EXACT,
) -> HeldOut:
    """Score a model on held-out windows.

    Args:
        scored: Windows of each domain.
        arithmetic: How the model computes: as in its training, rounded weights included.

    Raises:
        InputError: If not even one window fits the memory.
    """
    with arithmetic.weights(model):
        nats = [_fitting_sum(model, one, device, arithmetic) for one in scored]
    targets = [one.targets for one in scored]
    tokens = sum(targets)
    # Weights under which every domain counts by its share, and a single one exactly once.
    weights = [one.share * tokens / count for one, count in zip(scored, targets, strict=True)]
    total = sum(weight * cost for weight, cost in zip(weights, nats, strict=True))
    text_bytes = sum(weight * one.text_bytes for weight, one in zip(weights, scored, strict=True))
    return HeldOut(
        loss=total / tokens,
        bits_per_byte=total / math.log(2) / text_bytes if text_bytes else math.nan,
        tokens=tokens,
        domains={
            one.domain: cost / count
            for one, cost, count in zip(scored, nats, targets, strict=True)
            if one.domain
        },
    )


def _fitting_sum(
    model: nn.Module, scored: ScoredWindows, device: torch.device, arithmetic: Arithmetic
) -> float:
    """Nats over all windows, in passes as large as the memory allows."""
    windows = torch.from_numpy(scored.windows)
    places = None if scored.places is None else torch.from_numpy(scored.places).to(device)
    sequences = _SEQUENCES
    while sequences:
        try:
            parts = windows.split(sequences)  # type: ignore[no-untyped-call]
            return sum(_nats(model, part.to(device), places, arithmetic) for part in parts)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            sequences //= 2
    raise InputError(
        f"A single window of {windows.shape[1] - 1} tokens does not fit the memory of {device}; "
        f"take a shorter context or a smaller model."
    )


def _nats(model: nn.Module, ids: torch.Tensor, places: torch.Tensor | None, arithmetic: Arithmetic) -> float:
    with arithmetic.products():
        logits = model(ids[:, :-1])
    targets = ids[:, 1:]
    if places is not None:
        logits, targets = logits[:, places], targets[:, places]
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum").item()
