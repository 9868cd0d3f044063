"""What serving a model takes on a device: bounds on time, sequences and money, from the model's counts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allometry.architectures import Architecture, MixtureOfExperts
from allometry.architectures.requirements import require_whole
from allometry.errors import InputError
from allometry.planning.decoding import (
    DecodeStep,
    Experts,
    ServedModel,
    decode_step,
    largest_batch,
    prefill_seconds,
)
from allometry.planning.memory import BITS, cache_bytes
from allometry.planning.models.counting import flops_per_token, read_shape, refuse_beyond_positions
from allometry.planning.numbers import require_number
from allometry.planning.quantities import Quantity
from allometry.planning.rates import Rate
from allometry.units import show_count

PREFILL_UTILISATION = 0.4  # of the peak, as in training: prompts are products of large matrices
_PASSES = 3  # of training FLOP: forward, and backward for twice as much


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Bounds on serving; real servers are slower.

    Attributes:
        name: The model.
        model: What was counted of it, at this context.
        context: Tokens that each sequence holds.
        batch: Sequences that are decoded together.
        most: Sequences whose caches fit beside the weights.
        step: The least time of a token of each sequence.
        first_token: Seconds until a prompt as long as the context is read, on one device.
        usd_per_million: For a million tokens decoded at that pace; None where no price is known.
    """

    name: str
    model: ServedModel
    rate: Rate
    devices: int
    weights: str
    context: int
    batch: int
    most: int
    step: DecodeStep
    first_token: float
    usd_per_million: Quantity | None

    def summary(self) -> str:
        """The bounds in plain words."""
        weights, cache = self.model.weight_bytes / 1e9, self.model.cache_bytes(self.context) / 1e9
        each, pace = 1000 * self.step.seconds, f"{self.step.tokens_per_second:,.0f} tokens/s of all sequences"
        prompt = f"a prompt of the whole context, at {PREFILL_UTILISATION:.0%} of the peak of one device"
        money = "unknown, as there is no price: give one with its date"
        if self.usd_per_million is not None:
            money = f"{self.usd_per_million.show()} at that pace"
        lines = {
            "weights": f"{weights:.4g} GB, and {cache:.3g} GB of cache a sequence",
            "sequences": f"{self.batch} together; memory holds {self.most}",
            "a token": f"{each:.3g} ms at the least ({self.step.limit} limits): {pace} at the most",
            "first token": f"{self.first_token:.3g} s for {prompt}",
            "million tokens": money,
        }
        where = f"{self.devices} x {self.rate.device.title}, {show_count(self.context)} of context"
        title = f"{self.name} in {self.weights} on {where}"
        return "\n".join([title, *(f"  {name:16s} {said}" for name, said in lines.items())])


def serve(
    model: str | Path,
    rate: Rate,
    *,
    devices: int = 1,
    weights: str = "bfloat16",
    context: int | None = None,
    batch: int | None = None,
    seconds_per_token: float | None = None,
) -> Serving:
    """Bound what serving a model takes.

    Args:
        model: A recipe (.toml), or the configuration of a public model (.json).
        rate: From `training_rate`: the device, the precision of its products, its price.
        devices: How many share weights and caches evenly, with nothing lost between them.
        weights: How they are stored, a name of `memory.BITS`: "bfloat16", "float8", "int4" …
        context: Tokens that each sequence holds; the model's own if not given.
        batch: Sequences decoded together; if not given, as many as memory holds.
        seconds_per_token: A limit that lowers the batch until a token takes no longer.

    Raises:
        InputError: If the weights or the batch do not fit, or no batch is fast enough.
        UnknownName: For a family of models, or a precision of weights, that is not known.

    Source:
        A roofline of memory and compute: Pope et al. 2023, section 2, arXiv:2211.05102.
    """
    name, shape, own = read_shape(Path(model))
    length = own if context is None else context
    require_whole(context=length, devices=devices, batch=batch)
    refuse_beyond_positions(name, shape, own, length)
    served = _served(shape, length, BITS[weights] / 8)
    most = largest_batch(served, rate.device, context=length, devices=devices)
    wanted = _fitting(most if batch is None else batch, most, rate, devices)

    def step(sequences: int) -> DecodeStep:
        return decode_step(
            served, rate.device, batch=sequences, context=length, precision=rate.precision, devices=devices
        )

    together = wanted if seconds_per_token is None else _fast_enough(step, wanted, seconds_per_token)
    found = step(together)
    first = prefill_seconds(
        served, rate.device, prompt=length, utilisation=PREFILL_UTILISATION, precision=rate.precision
    )
    return Serving(
        name=name,
        model=served,
        rate=rate,
        devices=devices,
        weights=weights,
        context=length,
        batch=together,
        most=most,
        step=found,
        first_token=first,
        usd_per_million=_money(rate, devices, found),
    )


def _served(shape: Architecture, context: int, bytes_per_param: float) -> ServedModel:
    """The model at one length: its cache is counted there, windows and states included."""
    matmul = flops_per_token(shape, "matmul", context=context)
    scores = flops_per_token(shape, "with_attention", context=context) - matmul
    return ServedModel(
        params=shape.params("total"),
        active_params=shape.params("matmul"),
        bytes_per_param=bytes_per_param,
        cache_bytes_per_sequence=cache_bytes(shape, context=context),
        score_flops=scores / _PASSES / context,
        experts=_experts(shape),
    )


def _experts(shape: Architecture) -> Experts | None:
    if not isinstance(shape, MixtureOfExperts):
        return None
    return Experts(params=shape.groups()["experts"].total, count=shape.experts, chosen=shape.top_k)


def _fitting(batch: int, most: int, rate: Rate, devices: int) -> int:
    if most < 1:
        raise InputError(
            f"Beside the weights there is no room for the cache of one sequence on {devices} x "
            f"{rate.device.title}: take more devices, fewer bytes for weights, or a shorter context."
        )
    if not 1 <= batch <= most:
        raise InputError(f"A batch is 1 to {most} sequences here, as memory holds no more; not {batch}.")
    return batch


def _fast_enough(step: Callable[[int], DecodeStep], most: int, limit: float) -> int:
    """The largest batch whose step takes no longer; a larger batch is never faster."""
    require_number(seconds_per_token=limit)
    if not limit > 0:
        raise InputError(f"A limit is a time above zero for each token; not {1000 * limit:g} ms.")
    alone = step(1).seconds
    if not alone <= limit:
        raise InputError(
            f"A token takes at least {1000 * alone:.3g} ms even for one sequence, and {1000 * limit:.3g} ms "
            "are allowed: take more devices, fewer bytes for weights, or a shorter context."
        )
    return bisect_right(range(1, most + 1), limit, key=lambda batch: step(batch).seconds)


def _money(rate: Rate, devices: int, step: DecodeStep) -> Quantity | None:
    if rate.price is None:
        return None
    hours = devices * 1e6 / step.tokens_per_second / 3600
    return rate.price.scaled(hours, "USD")
