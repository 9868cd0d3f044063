"""What pre-training was worth in fine-tuning data: from losses to the column that law `transfer` predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Fit
from allometry.runs.run import Runs

Array = NDArray[np.float64]

_REACH = 1e9  # times the largest amount of data that was trained on from scratch
_HALVINGS = 70  # of a range of e^41: to a part in 10^19


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
    worth = data_for(scratch, runs.column(scratch.output)) - runs.column(finetuned)
    return replace(runs, table=runs.table.assign(transferred_tokens=worth))


def data_for(scratch: Fit, losses: Array, coefficients: Mapping[str, Array] | None = None) -> Array:
    """Data from scratch at which the law has each loss, by bisection in its logarithm.

    Args:
        losses: Of shape (runs,).
        coefficients: Others than the fit's own, each of shape (draws, 1), for an answer of (draws, runs).

    Returns:
        NaN where no amount of data gives the loss.
    """
    used = scratch.coefficients if coefficients is None else coefficients
    (name,) = scratch.inputs
    (seen,) = scratch.data.inputs.values()

    def loss(log_data: Array) -> Array:
        return np.asarray(scratch.law.evaluate({name: np.exp(log_data)}, used))

    shape = np.broadcast_shapes(losses.shape, *(np.shape(value) for value in used.values()))
    low, high = (np.full(shape, np.log(seen.max()) + way * np.log(_REACH)) for way in (-1, 1))
    reached = (loss(high) <= losses) & (losses <= loss(low))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = loss(middle) > losses
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(reached, np.exp(high), np.nan)
