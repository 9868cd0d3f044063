"""From a table of runs to the arrays approaches 1 and 2 read, and to groups of equal compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, MissingColumn
from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.observations import above_zero, conventions, finished
from allometry.runs.columns import COLUMNS
from allometry.runs.run import Filter, Runs

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BECAUSE = "it must be above zero"


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The rows that approaches 1 and 2 read, as arrays of shape (rows,).

    Attributes:
        output: Measured values of the column named `column`, in `unit`.
        run_ids: The training each row belongs to.
        seeds: Seed of each row; NaN where the table does not say.
        flagged: Rows that the table marks as doubtful; they are used.
        derived: The column that was computed as if flops = 6 · params · tokens; empty if all were given.
        conventions, filters, source: As in `Fit`.
    """

    params: Array
    tokens: Array
    flops: Array
    output: Array
    run_ids: tuple[str, ...]
    seeds: Array
    flagged: Flags
    column: str
    unit: str
    derived: str
    conventions: Mapping[str, str]
    filters: tuple[Filter, ...]
    source: str

    def __len__(self) -> int:
        return len(self.output)


def measure(
    runs: Runs,
    *,
    output: str,
    inputs: Mapping[str, str] | None = None,
    flagged: str = "",
    curves: bool = False,
) -> Measured:
    """Take params, tokens, flops and an output from a table; one of the first three may be missing.

    Args:
        inputs: "params", "tokens" or "flops" to another column of the table.
        flagged: A column of true and false.
        curves: Whether rows are points of training curves, so that undecayed ones stay.

    Raises:
        MissingColumn: If two of the three, or the output, are not there.
        TableError: If a value is missing or not above zero.
    """
    kept = _final(runs, curves)
    given = _given(kept, inputs or {})
    counts, derived = _completed(given)
    ids = _texts(kept, "run_id")
    return Measured(
        params=counts["params"],
        tokens=counts["tokens"],
        flops=counts["flops"],
        output=above_zero(kept, output, _BECAUSE),
        run_ids=tuple(name or f"row {row + 1}" for row, name in enumerate(ids)),
        seeds=kept.column("seed") if "seed" in kept.table.columns else np.full(len(kept), np.nan),
        flagged=_flags(kept, flagged),
        column=output,
        unit=COLUMNS[output].unit if output in COLUMNS else "",
        derived=derived,
        conventions=conventions(kept),
        filters=kept.filters,
        source=kept.source,
    )


def group(flops: Array, budgets: Sequence[float] | None, tolerance: float) -> tuple[Array, NDArray[np.intp]]:
    """The nominal budgets, rising, and the one each row belongs to, or -1.

    Args:
        budgets: Nominal budgets; rows farther than `tolerance` from all of them belong to none. Without
            them, rows of compute within `tolerance` of each other are a budget, named by its median.
        tolerance: A share of the budget.

    Raises:
        FitError: If the compute of the rows does not fall into groups.

    >>> group(np.array([1e18, 1.01e18, 3e18]), None, 0.1)[1]
    array([0, 0, 1])
    """
    if not 0 < tolerance < 1:
        raise InputError(f"A tolerance is a share of the budget, such as 0.1; not {tolerance}.")
    return _by_gaps(flops, tolerance) if budgets is None else _nearest(flops, budgets, tolerance)


def _by_gaps(flops: Array, tolerance: float) -> tuple[Array, NDArray[np.intp]]:
    order = np.argsort(flops, kind="stable")
    steps = np.diff(np.log(flops[order])) > np.log1p(tolerance)
    member = np.empty(len(flops), dtype=np.intp)
    member[order] = np.concatenate([[0], np.cumsum(steps)])
    nominal = np.array([np.median(flops[member == place]) for place in range(member.max() + 1)])
    far = np.abs(np.log(flops / nominal[member])) > np.log1p(tolerance)
    if far.any():
        # A chain of small steps: a grid of sizes and horizons, not a set of budgets.
        raise FitError(
            f"The compute of these runs does not fall into budgets: between {flops.min():.3g} and "
            f"{flops.max():.3g} FLOP there are rows at steps below {tolerance:.0%}. Name the budgets, for "
            "example budgets=[1e18, 3e18, 1e19], or fit the runs with a law of params and tokens."
        )
    return nominal, member


def _nearest(flops: Array, budgets: Sequence[float], tolerance: float) -> tuple[Array, NDArray[np.intp]]:
    nominal = np.unique(np.asarray(budgets, dtype=np.float64))
    if not (nominal.size and np.isfinite(nominal).all() and (nominal > 0).all()):
        raise InputError("Budgets are numbers of FLOP above zero, for example budgets=[1e18, 3e18, 1e19].")
    distance = np.abs(np.log(flops[:, None] / nominal[None, :]))
    nearest = distance.argmin(axis=1)
    return nominal, np.where(distance.min(axis=1) <= np.log1p(tolerance), nearest, -1)


def _final(runs: Runs, curves: bool) -> Runs:
    kept = finished(runs, curves=curves)
    if not len(kept):
        raise FitError(f"{runs.source} holds no finished run.")
    return kept


def _given(runs: Runs, inputs: Mapping[str, str]) -> dict[str, Array]:
    known = ("params", "tokens", "flops")
    strange = [name for name in inputs if name not in known]
    if strange:
        raise InputError(f"inputs maps {', '.join(known)}, not '{strange[0]}'.")
    columns = {name: inputs.get(name, name) for name in known}
    runs.require(*inputs.values())
    there = {name: column for name, column in columns.items() if column in runs.table.columns}
    return {name: above_zero(runs, column, _BECAUSE) for name, column in there.items()}


def _completed(given: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """All three of params, tokens and flops, and the name of the one computed from the others."""
    absent = [name for name in ("params", "tokens", "flops") if name not in given]
    if len(absent) > 1:
        raise MissingColumn(
            f"A compute-optimal point needs two of params, tokens and flops; missing: {', '.join(absent)}. "
            'Map them with inputs={"params": "yours"}.'
        )
    if not absent:
        return dict(given), ""
    missing = absent[0]
    if missing == "flops":
        return {**given, "flops": FLOPS_PER_PARAMETER_TOKEN * given["params"] * given["tokens"]}, missing
    other = given["tokens" if missing == "params" else "params"]
    return {**given, missing: given["flops"] / FLOPS_PER_PARAMETER_TOKEN / other}, missing


def _texts(runs: Runs, column: str) -> list[str]:
    if column not in runs.table.columns:
        return [""] * len(runs)
    return ["" if pd.isna(entry) else str(entry) for entry in runs.table[column]]


def _flags(runs: Runs, column: str) -> Flags:
    if not column:
        return np.zeros(len(runs), dtype=np.bool_)
    runs.require(column)
    return np.array([text.lower() in {"true", "1", "1.0", "yes"} for text in _texts(runs, column)])
