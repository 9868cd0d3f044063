"""Memory that training takes on each device, whether it fits, and on how many devices it would."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from allometry.architectures import Architecture
from allometry.architectures.decoder import Decoder
from allometry.architectures.requirements import require_one_of, require_whole
from allometry.errors import InputError
from allometry.planning.decoding import RESERVED
from allometry.planning.devices import Device
from allometry.planning.memory import (
    ADAM_BYTES,
    ModelStates,
    Recompute,
    TrainingMemory,
    cache_bytes,
    model_states,
    training_memory,
)
from allometry.planning.quantities import stated

_STAGES = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a run is laid out over its devices, and what it keeps for the backward pass.

    Attributes:
        zero: Stage of ZeRO: 1 spreads the optimizer over the devices, 2 the gradients too, 3 the weights too.
        micro_batch: Sequences of one backward pass; gradients of more are added up.
        tensor_parallel: Devices that share each matrix; a factor of all devices.
        sequence_parallel: Whether those share also what lies between products.
        recompute: "none", "selective" or "full", as of `training_memory`.
        dropout: Whether there is dropout, whose masks are kept.
        optimizer_bytes: Per parameter; 12 for Adam with a float32 copy.

    >>> Layout(zero=4)
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: zero is a stage of ZeRO, 0 to 3, not 4; 0 spreads nothing.
    """

    zero: int = 3
    micro_batch: int = 1
    tensor_parallel: int = 1
    sequence_parallel: bool = False
    recompute: Recompute = "selective"
    dropout: bool = False
    optimizer_bytes: float = ADAM_BYTES

    def __post_init__(self) -> None:
        require_whole(micro_batch=self.micro_batch, tensor_parallel=self.tensor_parallel)
        require_one_of(get_args(Recompute), recompute=self.recompute)
        stated(self.optimizer_bytes, "B", "number of optimizer bytes per parameter")
        if self.zero not in _STAGES:
            raise InputError(f"zero is a stage of ZeRO, 0 to 3, not {self.zero!r}; 0 spreads nothing.")


PLAIN = Layout()


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Memory of training on one device, in bytes, and whether it fits.

    Attributes:
        layout, devices, device: What it is counted for; devices in all.
        context: Tokens per sequence; 0 where only a number of parameters is known.
        memory: On each device.
        room: Memory of one device, less the share that is left to the buffers of a framework.
        activations: Way to recompute to what it would keep; empty where no shape is known.
        least_devices: Stage of ZeRO to the devices that it fits on; None where no number is enough.
        sequence_bytes: Cache and state of one sequence as long as the context, for serving; training keeps
            none.
        left_out: What could not be counted and why; empty where all was.
    """

    layout: Layout
    devices: int
    device: Device
    context: int
    memory: TrainingMemory
    room: float
    activations: Mapping[str, float]
    least_devices: Mapping[int, int | None]
    sequence_bytes: float
    left_out: str = ""

    @property
    def fits(self) -> bool:
        """Whether it fits on these devices."""
        return self.memory.total <= self.room

    def summary(self) -> str:
        """The memory in plain words."""
        return "\n".join(_sentences(self))


def footprint(
    model: Architecture | float,
    device: Device,
    *,
    devices: int = 1,
    context: int | None = None,
    layout: Layout = PLAIN,
) -> Footprint:
    """Memory of training a model on each of so many devices.

    Args:
        model: A shape, or a number of parameters, of which states alone are known.
        devices: In all; those that do not share matrices share the work by data.
        context: Tokens per sequence; the shape's own if not given.

    Raises:
        InputError: If a number is not whole and above 0, or the devices are no multiple of those that share
            matrices.

    Source:
        Rajbhandari et al. 2020, figure 1, arXiv:1910.02054; Korthikanti et al. 2022, table 2,
        arXiv:2205.05198.

    The paper's 7.5e9 parameters on 64 devices of 80 GB:

    >>> from allometry.planning.devices import DEVICES
    >>> kept = footprint(7.5e9, DEVICES["a100-sxm-80gb"], devices=64)
    >>> f"{kept.memory.total / 1e9:.2f} GB", dict(kept.least_devices)
    ('1.88 GB', {0: None, 1: 3, 2: 2, 3: 2})
    """
    require_whole(devices=devices, context=context)
    if devices % layout.tensor_parallel:
        raise InputError(
            f"{devices} devices cannot be parted into groups of {layout.tensor_parallel} that share each "
            "matrix: give a multiple of tensor_parallel."
        )
    shape = model if isinstance(model, Architecture) else None
    params = stated(model, "1", "number of params").value if shape is None else shape.params("total")  # type: ignore[arg-type]
    length = 0 if shape is None else context or int(shape.dimensions()["context"])
    kept = {way: _pass(shape, length, replace(layout, recompute=way)) for way in get_args(Recompute)}
    activations, logits = kept[layout.recompute]
    states = _states(params, devices // layout.tensor_parallel, layout)
    memory = TrainingMemory(states=states, activations=activations, logits=logits)
    room, counted = (1 - RESERVED) * device.memory.value, isinstance(shape, Decoder)
    return Footprint(
        layout=layout,
        devices=devices,
        device=device,
        context=length,
        memory=memory,
        room=room,
        activations={way: one[0] for way, one in kept.items()} if counted else {},
        least_devices={stage: _least(params, memory, room, replace(layout, zero=stage)) for stage in _STAGES},
        sequence_bytes=0.0 if shape is None else cache_bytes(shape, context=length),
        left_out="" if counted else _why(shape),
    )


def _pass(shape: Architecture | None, context: int, layout: Layout) -> tuple[float, float]:
    """Activations and logits of one backward pass; none of a shape that they are not known of."""
    if not isinstance(shape, Decoder):
        return 0.0, 0.0
    kept = training_memory(
        shape,
        sequences=layout.micro_batch,
        context=context,
        tensor_parallel=layout.tensor_parallel,
        sequence_parallel=layout.sequence_parallel,
        recompute=layout.recompute,
        dropout=layout.dropout,
    )
    return kept.activations, kept.logits


def _states(params: float, ways: int, layout: Layout) -> ModelStates:
    return model_states(
        params / layout.tensor_parallel,
        devices=ways,
        zero=layout.zero,
        optimizer_bytes=layout.optimizer_bytes,
    )


def _least(params: float, memory: TrainingMemory, room: float, layout: Layout) -> int | None:
    """Devices in all that it fits on at a stage: what is spread shrinks with them, the rest does not."""
    whole = _states(params, 1, layout)
    spread = sum((whole.optimizer, whole.gradients, whole.weights)[: layout.zero])
    left = room - (whole.total - spread) - memory.activations - memory.logits
    return layout.tensor_parallel * max(1, math.ceil(spread / left)) if left > 0 else None


def _why(shape: Architecture | None) -> str:
    if shape is None:
        return "activations and logits, which need a shape: give a recipe or a config.json"
    return "activations and logits of a recurrence, whose kernels keep what they choose"


def _sentences(kept: Footprint) -> list[str]:
    parts = {
        "weights": kept.memory.states.weights,
        "gradients": kept.memory.states.gradients,
        "optimizer": kept.memory.states.optimizer,
        **({} if kept.left_out else {"activations": kept.memory.activations, "logits": kept.memory.logits}),
        "in all": kept.memory.total,
    }
    ways = ", ".join(f"{way} {_gigabytes(value)}" for way, value in kept.activations.items())
    stages = ", ".join(f"{stage}: {need or 'none'}" for stage, need in kept.least_devices.items())
    return [
        f"Memory of each of {kept.devices} x {kept.device.title} ({_how(kept)})",
        *(f"  {name:12s} {_gigabytes(value)}" for name, value in parts.items()),
        *([f"  not counted: {kept.left_out}"] if kept.left_out else []),
        *([f"  activations by what is computed again: {ways}"] if ways else []),
        f"  {_verdict(kept)}",
        f"  devices it fits on, by stage of ZeRO: {stages}",
        *([f"  served, a sequence of the context keeps {_gigabytes(kept.sequence_bytes)} of cache and state"]
          if kept.sequence_bytes else []),
    ]  # fmt: skip


def _how(kept: Footprint) -> str:
    layout = kept.layout
    shared = f", matrices over {layout.tensor_parallel}" if layout.tensor_parallel > 1 else ""
    if kept.left_out:
        return f"ZeRO {layout.zero}{shared}"
    batch = f"{layout.micro_batch} x {kept.context:,} tokens a pass"
    return f"ZeRO {layout.zero}{shared}, {batch}, recompute {layout.recompute}"


def _verdict(kept: Footprint) -> str:
    room = f"{_gigabytes(kept.room)} of {_gigabytes(kept.device.memory.value)}, the rest left to buffers"
    if kept.fits:
        return f"fits into {room}"
    need = kept.least_devices[kept.layout.zero]
    if need is not None:
        return f"does not fit into {room}: take {need} devices"
    return (
        f"does not fit into {room}, on no number of devices: take a higher stage of ZeRO, a smaller "
        "micro-batch, a shorter context, more recomputing or tensor parallelism"
    )


def _gigabytes(value: float) -> str:
    return f"{value / 1e9:.3g} GB" if value < 1e12 else f"{value / 1e9:,.0f} GB"
