"""What it costs to train a given model on given tokens: from counts, a recipe or a public configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from allometry.architectures import Architecture
from allometry.errors import InputError
from allometry.planning.cost import CostSheet, cost_sheet
from allometry.planning.footprints import PLAIN, Footprint, Layout, footprint
from allometry.planning.numbers import require_number
from allometry.planning.quantities import Quantity, stated
from allometry.planning.rates import Rate


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """A cost sheet, and the memory of training.

    Attributes:
        params, tokens: Of the run; params in total, as memory holds them.
        sheet: What it takes.
        memory: On each device, whether it fits, and on how many devices.
    """

    params: float
    tokens: float
    sheet: CostSheet
    memory: Footprint

    def summary(self) -> str:
        """The sheet and the memory in plain words."""
        return f"{self.sheet.summary()}\n{self.memory.summary()}"


def price_run(
    model: str | Path | None = None,
    *,
    params: float | None = None,
    tokens: float | None = None,
    rate: Rate,
    devices: int = 1,
    development: float | Quantity = 1.0,
    context: float | None = None,
    layout: Layout = PLAIN,
) -> RunCost:
    """The cost sheet of a run.

    Args:
        model: A recipe (.toml), which states its tokens, or the configuration of a public model (.json).
        params: Parameters, instead of a model; compute is then 6 · params · tokens.
        tokens: Trained on, repeats counted.
        rate: From `training_rate`.
        devices: How many train together.
        development: Compute of the whole project over that of this run.
        context: Tokens per sequence, for a public model; the longest it is stated for, if not given.
        layout: How the run is spread over the devices, and what it keeps for the backward pass.

    Raises:
        InputError: If neither or both of model and params are given, or tokens are missing.

    >>> from allometry.planning.rates import training_rate
    >>> run = price_run(params=70e9, tokens=1.4e12, rate=training_rate("h100-sxm"), devices=1024)
    >>> f"{run.sheet.flops.value:.3g} FLOP, {run.sheet.days.value:.3g} days", run.memory.least_devices[3]
    ('5.88e+23 FLOP, 16.8 days', 16)
    """
    if (model is None) == (params is None):
        raise InputError("Give a model (a recipe or a config.json) or a number of params, one of the two.")
    if model is None and context is not None:
        raise InputError("A context belongs to a model: give a recipe or a config.json in place of params.")
    if model is None:
        assert params is not None
        size: Architecture | float = stated(params, "1", "number of params").value
        data, flops, length, convention = _needed(tokens), 6 * params * _needed(tokens), None, "6ND"
    else:
        size, data, flops, length = _counted(Path(model), tokens, context)
        convention = "with_attention"
    sheet = cost_sheet(flops, rate, devices=devices, development=development, flops_convention=convention)
    return RunCost(
        params=float(size.params("total")) if isinstance(size, Architecture) else size,
        tokens=data,
        sheet=sheet,
        memory=footprint(size, rate.device, devices=devices, context=length, layout=layout),
    )


def _counted(
    path: Path, tokens: float | None, context: float | None
) -> tuple[Architecture, float, float, int]:
    from allometry.planning.models.counting import TrainingCounts, count_file, read_shape

    counts = count_file(path, context=context)
    own = counts.tokens if isinstance(counts, TrainingCounts) else None
    if own is not None and tokens is not None:
        raise InputError(f"{path} states its own tokens ({own:g}); leave tokens out, or change the recipe.")
    data = _needed(own if tokens is None else tokens)
    _, shape, _ = read_shape(path)
    return shape, data, counts.flops_per_token["with_attention"] * data, counts.context


def _needed(tokens: float | None) -> float:
    require_number(tokens=tokens)
    if tokens is None or not (tokens > 0 and math.isfinite(tokens)):
        told = "none were given" if tokens is None else f"not {tokens:g}"
        raise InputError(f"A run is trained on a number of tokens above zero, such as 1.4e12; {told}.")
    return float(tokens)
