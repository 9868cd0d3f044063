"""What pre-training was worth in fine-tuning data: from losses to the column that law `transfer` predicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Fit
from allometry.runs.run import Runs

Array = NDArray[np.float64]

_REACH = 1e9  # times the largest amount of data that was trained on from scratch
_HALVINGS = 200


def transferred_data(scratch: Fit, runs: Runs, *, finetuned: str = "finetune_tokens") -> Runs:
    """Add what pre-training was worth: the data from scratch for the same loss, less what was fine-tuned on.

    Args:
        scratch: A law of the loss by `tokens` alone, of one size, on the data that is fine-tuned on.
        runs: Fine-tuned runs of that size, with `finetuned` and the loss that `scratch` predicts.
        finetuned: Column of the data fine-tuned on, in the unit of `scratch`'s data.

    Returns:
        The runs with `transferred_tokens`; NaN where no amount of data from scratch gives the loss.

    Raises:
        InputError: If `scratch` reads more than one input.
        MissingColumn: If a column is not there.

    Source:
        Hernandez et al. 2021, section 2, arXiv:2102.01293.
    """
    if len(scratch.inputs) != 1:
        raise InputError(
            f"'{scratch.law.name}' reads {', '.join(scratch.inputs)}; data transferred is of one size: give "
            'a law of data alone: fit("power_law_with_floor", runs, inputs={"x": "tokens"}).'
        )
    losses, used = runs.column(scratch.output), runs.column(finetuned)
    (seen,) = scratch.data.inputs.values()
    worth = _data_for(scratch, losses, float(seen.max())) - used
    return replace(runs, table=runs.table.assign(transferred_tokens=worth))


def _data_for(scratch: Fit, losses: Array, largest: float) -> Array:
    """Data from scratch at which the law has each loss, by bisection in its logarithm."""
    low = np.full(len(losses), np.log(largest / _REACH))
    high = np.full(len(losses), np.log(largest * _REACH))
    reached = (_loss(scratch, high) <= losses) & (losses <= _loss(scratch, low))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = _loss(scratch, middle) > losses
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(reached, np.exp(high), np.nan)


def _loss(scratch: Fit, log_data: Array) -> Array:
    (name,) = scratch.inputs
    return np.asarray(scratch.law.evaluate({name: np.exp(log_data)}, scratch.coefficients))
