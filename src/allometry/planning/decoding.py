"""Bounds on serving: the least time of a decoding step, and how many sequences fit into memory.

A step reads all weights it needs and the cache of every sequence, and computes two FLOP for each active
parameter and sequence: it takes at least as long as the slower of the two. Real servers are slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from allometry.errors import InputError
from allometry.planning.devices import Device
from allometry.planning.numbers import require_above_zero, require_number

RESERVED = 0.1  # share of memory left to activations and the server itself; an assumption


@dataclass(frozen=True, kw_only=True)
class Experts:
    """The routed part of a mixture of experts.

    Attributes:
        params: Parameters of all routed experts together.
        count: Experts in each layer.
        chosen: Experts that one token goes through.
    """

    params: float
    count: int
    chosen: int

    def read_share(self, tokens: float) -> float:
        """Share of the experts that at least one of so many tokens goes to, if routing is even.

        >>> Experts(params=45e9, count=8, chosen=2).read_share(1)
        0.25
        """
        return 1 - float((1 - self.chosen / self.count) ** tokens)


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What serving needs to know about a model.

    Attributes:
        params: All parameters: memory holds every expert.
        active_params: Those a token is multiplied with; all of them if not given.
        bytes_per_param: 2 for bf16, 1 for fp8, some 0.53 for 4 bits with a scale for each 32.
        cache_bytes_per_token: Keys and values of one position over all layers that keep all positions.
        cache_bytes_per_sequence: State that does not grow: of recurrent layers, and of windows once full.
        score_flops: FLOP of attention for one new token and one earlier position: 4 · layers · heads · head
            dimension.
        experts: The routed part, if there is one.
    """

    params: float
    active_params: float | None = None
    bytes_per_param: float = 2.0
    cache_bytes_per_token: float = 0.0
    cache_bytes_per_sequence: float = 0.0
    score_flops: float = 0.0
    experts: Experts | None = None

    def __post_init__(self) -> None:
        require_above_zero(params=self.params, bytes_per_param=self.bytes_per_param)
        require_above_zero(active_params=self.active_params)
        sizes = (self.cache_bytes_per_token, self.cache_bytes_per_sequence, self.score_flops)
        if not (self.params > 0 and self.bytes_per_param > 0 and min(sizes) >= 0):
            raise InputError(
                f"A served model has parameters, bytes for each, and no negative cache; not {self}."
            )

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights."""
        return self.params * self.bytes_per_param

    def bytes_read(self, batch: int) -> float:
        """Bytes of weights that a step with so many sequences reads."""
        if self.experts is None:
            return self.weight_bytes
        routed = self.experts.params * self.experts.read_share(batch)
        return (self.params - self.experts.params + routed) * self.bytes_per_param

    def cache_bytes(self, context: float) -> float:
        """Bytes of the cache of one sequence of so many tokens."""
        return self.cache_bytes_per_sequence + context * self.cache_bytes_per_token

    def step_flops(self, context: float) -> float:
        """FLOP of one new token of one sequence."""
        active = self.params if self.active_params is None else self.active_params
        return 2 * active + self.score_flops * context


@dataclass(frozen=True, kw_only=True)
class DecodeStep:
    """The least time of one decoding step.

    Attributes:
        seconds: The larger of the next two.
        memory_seconds, compute_seconds: To read weights and caches; to compute.
        limit: Which of the two it is.
        tokens_per_second: Of all sequences together, at most.
    """

    seconds: float
    memory_seconds: float
    compute_seconds: float
    limit: Literal["memory", "compute"]
    tokens_per_second: float


def decode_step(
    model: ServedModel,
    device: Device,
    *,
    batch: int = 1,
    context: float = 0.0,
    precision: str = "bf16",
    devices: int = 1,
) -> DecodeStep:
    """The least time in which each of `batch` sequences gets one more token.

    Args:
        context: Tokens that each sequence holds already.
        precision: Of the products, for the device's peak.
        devices: How many share weights and caches evenly, with nothing lost between them.

    Raises:
        InputError: If batch or devices is below 1, the context negative, or the device has no such peak.

    Llama 3 8B in bf16 on one H100, 4.79 ms and no faster:

    >>> from allometry.planning.devices import DEVICES
    >>> step = decode_step(ServedModel(params=8.03e9), DEVICES["h100-sxm"])
    >>> round(1000 * step.seconds, 2), step.limit
    (4.79, 'memory')
    """
    _refuse_fewer_than_one(batch=batch, devices=devices)
    require_number(context=context)
    if not 0 <= context < math.inf:
        raise InputError(f"A context is a number of tokens, zero or more; not {context}.")
    read = model.bytes_read(batch) + batch * model.cache_bytes(context)
    memory = read / device.bandwidth.value / devices
    compute = batch * model.step_flops(context) / device.peak(precision).value / devices
    seconds = max(memory, compute)
    return DecodeStep(
        seconds=seconds,
        memory_seconds=memory,
        compute_seconds=compute,
        limit="memory" if memory >= compute else "compute",
        tokens_per_second=batch / seconds,
    )


def batch_crossover(device: Device, *, precision: str = "bf16", bytes_per_param: float = 2.0) -> float:
    """Sequences decoded together beyond which computing takes longer than reading the weights.

    Caches, which also have to be read, move it up.

    >>> from allometry.planning.devices import DEVICES
    >>> round(batch_crossover(DEVICES["h100-sxm"]))
    295
    """
    return device.peak(precision).value * bytes_per_param / (2 * device.bandwidth.value)


def largest_batch(
    model: ServedModel, device: Device, *, context: float, devices: int = 1, reserved: float = RESERVED
) -> int:
    """Sequences of so many tokens whose caches fit beside the weights; 0 where the weights fit alone.

    Args:
        devices: How many share weights and caches evenly.
        reserved: Share of memory left to activations and the server.

    Raises:
        InputError: If the weights themselves do not fit; the message says how many devices would hold them.
    """
    _refuse_fewer_than_one(devices=devices)
    if not 0 <= reserved < 1:
        raise InputError(f"A reserved share of memory is 0 or more and below 1, not {reserved}.")
    room = device.memory.value * (1 - reserved)
    left = devices * room - model.weight_bytes
    if left < 0:
        raise InputError(
            f"Weights of {model.weight_bytes / 1e9:.4g} GB do not fit into {devices} x {device.title} with "
            f"{100 * reserved:.3g}% reserved; take {math.ceil(model.weight_bytes / room)} of them or store "
            "the weights in fewer bytes."
        )
    each = model.cache_bytes(context)
    if each == 0:
        raise InputError(
            "A model without a cache has no largest batch by memory; give cache_bytes_per_token."
        )
    return math.floor(left / each)


def prefill_seconds(
    model: ServedModel, device: Device, *, prompt: float, utilisation: float, precision: str = "bf16"
) -> float:
    """Time until a prompt is read: its FLOP at a share of the peak; half of all scores are causal.

    Raises:
        InputError: If the utilisation is no share.
    """
    require_above_zero(prompt=prompt)
    require_number(utilisation=utilisation)
    if not 0 < utilisation <= 1:
        raise InputError(f"A utilisation is a share of the peak above 0, for example 0.4; not {utilisation}.")
    return prompt * model.step_flops(prompt / 2) / (utilisation * device.peak(precision).value)


def _refuse_fewer_than_one(**counts: int) -> None:
    require_number(**counts)
    for name, count in counts.items():
        if not 1 <= count < math.inf:
            raise InputError(f"{name} is a count of at least 1, not {count}.")
