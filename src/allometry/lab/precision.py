"""In how many bits a run computes: autocast, rounded weights, and the loss scale that fp16 needs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from allometry.errors import InputError
from allometry.lab.devices import DTYPES, matmul_peak
from allometry.lab.rounding import in_few_bits
from allometry.recipe.precision import Compute, Precision

_SLOWER = 0.9  # of fp32's rate: below it the probe is sure, however busy the machine
_FASTER = 1.2  # what "auto" asks for: casts to and fro cost something, too
_BITS = {"fp32": 32, "bf16": 16, "fp16": 16}


@dataclass(frozen=True)
class Arithmetic:
    """How a run's passes compute.

    Attributes:
        compute: What matrix products take in.
        weight_bits: Bits that hidden matrices are rounded to in every pass; None for none.
        device: "cpu" or "cuda".
    """

    compute: Compute = "fp32"
    weight_bits: int | None = None
    device: str = "cpu"

    def weights(self, model: nn.Module) -> AbstractContextManager[None]:
        """Around forward and backward passes: the weights as the passes see them."""
        return nullcontext() if self.weight_bits is None else in_few_bits(model, self.weight_bits)

    def products(self) -> AbstractContextManager[Any]:
        """Around a forward pass: matrix products take in `compute`."""
        if self.compute == "fp32":
            return nullcontext()
        return torch.autocast(self.device, dtype=DTYPES[self.compute])

    def facts(self) -> dict[str, Any]:
        """Columns of the run: bits of what enters matrix products."""
        bits = _BITS[self.compute]
        return {
            "compute": self.compute,
            "weight_bits": self.weight_bits or bits,
            "activation_bits": bits,
            "cache_bits": bits,
        }


EXACT = Arithmetic()


def choose_arithmetic(precision: Precision, device: torch.device) -> Arithmetic:
    """How to compute on a device: "auto" is settled by a probe, a choice that costs time is warned of.

    Raises:
        InputError: If the device cannot compute in what the recipe names.
    """
    compute = precision.compute
    if compute == "auto":
        compute = "bf16" if _speedup("bf16", device) > _FASTER else "fp32"
    elif compute != "fp32" and (speedup := _speedup(compute, device)) < _SLOWER:
        warnings.warn(
            f"{compute} is {1 / speedup:.1f} times slower than fp32 on this {device.type}; "
            f'precision = "auto" would take fp32.',
            stacklevel=2,
        )
    return Arithmetic(compute=compute, weight_bits=precision.weight_bits, device=device.type)


def _speedup(compute: Compute, device: torch.device) -> float:
    """Matrix products in so few bits against fp32, by a short probe; above 1 if they are faster."""
    try:
        return matmul_peak(device, compute) / matmul_peak(device)
    except RuntimeError as error:
        raise InputError(
            f"This {device.type} cannot multiply matrices in {compute} ({error}). Take another precision."
        ) from error


@dataclass
class LossScale:
    """Keeps small gradients of fp16 above its smallest number; powers of two, so that no bit is lost.

    Attributes:
        scale: What the loss is multiplied by; halved when a gradient overflows, doubled after 2,000 steps
            in which none did.
        clean: Steps since it last changed.

    Source:
        Micikevicius et al. 2018, section 3.2, arXiv:1710.03740.

    >>> loss_scale = LossScale(scale=8.0)
    >>> loss_scale.note(overflow=True), loss_scale.scale
    (None, 4.0)
    """

    scale: float = 2.0**16
    clean: int = 0

    def unscale(self, weights: Iterable[nn.Parameter]) -> None:
        """Divide the gradients by the scale."""
        for weight in weights:
            if weight.grad is not None:
                weight.grad.div_(self.scale)

    def note(self, *, overflow: bool) -> None:
        """Adapt to how the step went; a step that overflowed is not taken."""
        self.clean = 0 if overflow else self.clean + 1
        if overflow:
            self.scale = max(1.0, self.scale / 2)
        elif self.clean == _CLEAN_STEPS:
            self.scale, self.clean = self.scale * 2, 0


_CLEAN_STEPS = 2000


def loss_scale_for(arithmetic: Arithmetic) -> LossScale | None:
    """What fp16 needs and nothing else does."""
    return LossScale() if arithmetic.compute == "fp16" else None


def overflowed(gradient_norm: Tensor) -> bool:
    """Whether a gradient is not finite; waits for the device."""
    return not bool(torch.isfinite(gradient_norm))
