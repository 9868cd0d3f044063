"""What it costs to train a given model on given tokens: from counts, a recipe or a public configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from allometry.errors import InputError
from allometry.planning.cost import CostSheet, cost_sheet
from allometry.planning.memory import model_states
from allometry.planning.quantities import Quantity
from allometry.planning.rates import Rate


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """A cost sheet, and how much memory the states of training take.

    Attributes:
        params, tokens: Of the run; params in total, as memory holds them.
        sheet: What it takes.
        state_bytes: Weights, gradients and Adam's states in mixed precision, of all devices together.
        least_devices: So many hold these states if they share them evenly; activations come on top.
    """

    params: float
    tokens: float
    sheet: CostSheet
    state_bytes: float
    least_devices: int

    def summary(self) -> str:
        """The sheet and the memory in plain words."""
        held = f"{self.state_bytes / 1e9:.3g} GB of weights, gradients and optimizer states"
        fits = "fit" if self.least_devices <= self.sheet.devices else "do not fit"
        devices = f"{self.sheet.devices} x {self.sheet.rate.device.title}"
        need = f"at least {self.least_devices} hold them, activations left out"
        return f"{self.sheet.summary()}\nMemory: {held} {fits} on {devices} when shared; {need}."


def price_run(
    model: str | Path | None = None,
    *,
    params: float | None = None,
    tokens: float | None = None,
    rate: Rate,
    devices: int = 1,
    development: float | Quantity = 1.0,
    context: float | None = None,
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

    Raises:
        InputError: If neither or both of model and params are given, or tokens are missing.

    >>> from allometry.planning.rates import training_rate
    >>> run = price_run(params=70e9, tokens=1.4e12, rate=training_rate("h100-sxm"), devices=1024)
    >>> f"{run.sheet.flops.value:.3g} FLOP, {run.sheet.days.value:.3g} days", run.least_devices
    ('5.88e+23 FLOP, 16.8 days', 14)
    """
    if (model is None) == (params is None):
        raise InputError("Give a model (a recipe or a config.json) or a number of params, one of the two.")
    if model is None:
        assert params is not None
        size, data, flops, convention = params, _needed(tokens), 6 * params * _needed(tokens), "6ND"
    else:
        size, data, flops = _counted(Path(model), tokens, context)
        convention = "with_attention"
    sheet = cost_sheet(flops, rate, devices=devices, development=development, flops_convention=convention)
    states = model_states(size).total
    return RunCost(
        params=size,
        tokens=data,
        sheet=sheet,
        state_bytes=states,
        least_devices=math.ceil(states / rate.device.memory.value),
    )


def _counted(path: Path, tokens: float | None, context: float | None) -> tuple[float, float, float]:
    from allometry.planning.models.counting import TrainingCounts, count_file

    counts = count_file(path, context=context)
    own = counts.tokens if isinstance(counts, TrainingCounts) else None
    if own is not None and tokens is not None:
        raise InputError(f"{path} states its own tokens ({own:g}); leave tokens out, or change the recipe.")
    data = _needed(own if tokens is None else tokens)
    return counts.params["total"], data, counts.flops_per_token["with_attention"] * data


def _needed(tokens: float | None) -> float:
    if tokens is None or not (tokens > 0 and math.isfinite(tokens)):
        told = "none were given" if tokens is None else f"not {tokens:g}"
        raise InputError(f"A run is trained on a number of tokens above zero, such as 1.4e12; {told}.")
    return float(tokens)
