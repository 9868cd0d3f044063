"""Attempts of several models in one table, joined with their losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from allometry.capabilities.attempts.counts import read_counts
from allometry.capabilities.loss_to_pass import LossToPass, fit_loss_to_pass
from allometry.errors import InputError, MissingColumn, did_you_mean
from allometry.runs.importers.table import read_runs


def passes_by_model(
    source: str | Path | pd.DataFrame, losses: Mapping[str, float], *, draws: int = 200, seed: int = 0
) -> LossToPass:
    """pass@k by loss, from a table with a column model and the loss of each.

    Args:
        losses: Model to loss; models that are not named here are left out.

    Raises:
        MissingColumn: If the table has no column model.
        InputError: If a named model is not in it, or the models were not tried at the same problems.
        FitError: If there are fewer than three.
    """
    table = read_runs(source, columns={}).table
    if "model" not in table:
        raise MissingColumn(f"The table has no 'model'. It has: {', '.join(map(str, table.columns))}.")
    known = sorted(set(table["model"].astype(str)))
    for name in losses:
        if name not in known:
            raise InputError(f"No row is about model '{name}'.{did_you_mean(name, known)}")
    ordered = table.sort_values("problem", kind="stable") if "problem" in table else table
    counts = [read_counts(ordered[ordered["model"].astype(str) == name]) for name in losses]
    if len({one.problems for one in counts}) > 1:
        raise InputError("The models were not tried at the same problems; keep those that all were tried at.")
    return fit_loss_to_pass(list(losses.values()), counts, draws=draws, seed=seed)
