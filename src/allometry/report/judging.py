"""The laws of a study judged by larger runs held out: a quick comparison, where the runs can carry one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from allometry.errors import FitError, InputError, TableError
from allometry.fitting import Fit
from allometry.fitting.comparison.laws import Comparison, compare
from allometry.runs.run import Runs
from allometry.units import show_power

_HELD_OUT = 0.3  # of the runs, those of most compute: once, because a report should not take long
_DRAWS = 40
_STARTS = 8  # of each fit
_FEWEST = 3  # held-out runs from which an error means anything


def judge_fits(fits: Sequence[Fit]) -> tuple[Comparison, ...]:
    """Compare the laws that were fitted to the same data as the first fit, by its largest runs.

    Returns:
        One comparison; none where there are not two such laws, or where the runs cannot carry it.
    """
    rivals = _rivals(fits)
    if len(rivals) < 2:
        return ()
    runs = _runs(rivals[0])
    compute = np.unique(runs.table["flops"]) if "flops" in runs.table.columns else np.empty(0)
    held_out = int(_HELD_OUT * len(compute))
    if held_out < _FEWEST:
        return ()
    cut = float(np.sqrt(compute[-held_out] * compute[-held_out - 1]))
    try:
        return (_compared(rivals, runs, f"flops > {show_power(cut)}"),)
    except (FitError, InputError, TableError):  # nothing to show: the fits themselves say what they can
        return ()


def _rivals(fits: Sequence[Fit]) -> list[Fit]:
    """Fits of different laws, made of the data of the first and by its objective, with no weights."""
    found: dict[str, Fit] = {}
    for one in fits:
        alike = one.data_hash == fits[0].data_hash and one.goal == fits[0].goal
        if alike and one.weighting == "equal" and not one.held:
            found.setdefault(one.law.name, one)
    return list(found.values())


def _runs(fit: Fit) -> Runs:
    """The runs of a fit as a table again, with compute where it is known or can be counted."""
    columns = {column: fit.data.inputs[name] for name, column in fit.inputs.items()}
    table = pd.DataFrame({**columns, fit.output: fit.data.output, "run_id": list(fit.data.run_ids)})
    if "flops" not in columns and {"params", "tokens"} <= columns.keys():
        table["flops"] = 6 * table["params"] * table["tokens"]
    return Runs(table, source=fit.source)


def _compared(rivals: Sequence[Fit], runs: Runs, hold_out: str) -> Comparison:
    first = rivals[0]
    laws = [(one.law, dict(one.inputs)) for one in rivals]
    return compare(
        laws, runs, hold_out=hold_out, draws=_DRAWS, objectives=(first.objective,), output=first.output,
        delta=first.delta, on=first.on, starts=_STARTS,
    )  # fmt: skip
