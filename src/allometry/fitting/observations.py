"""From a table of runs to the arrays of a fit: which rows enter, and which tables no law can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from allometry.errors import FitError, InputError, MissingColumn, TableError, did_you_mean
from allometry.fitting.result import FitData
from allometry.fitting.scales import inside
from allometry.laws import Law, Scale
from allometry.runs.columns import COLUMNS
from allometry.runs.run import Filter, Runs

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Weights = str | ArrayLike | None

_UNFINISHED = {"false", "0", "0.0", "no"}
# Columns kept beside those of the law, for what checks and resampling need to know of a run.
_FACTS = (
    "parent", "design", "seed", "params", "params_total", "params_embedding", "params_head", "params_matmul",
    "params_active", "tokens", "unique_tokens", "flops", "loss", "bits_per_byte", "schedule", "decayed",
    "steps", "warmup_steps", "batch_tokens", "learning_rate", "width", "layers", "context", "vocab",
    "tokenizer", "metric", "dataset",
)  # fmt: skip
_LARGEST = 1e150
_DOMAIN: dict[Scale, str] = {
    "log": "a law compared on logarithms needs it above zero",
    "raw": "it must be a number",
    "logit": "on the logit scale it must lie between 0 and 1, both left out",
}


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The rows that enter a fit, and what was left out."""

    data: FitData
    filters: tuple[Filter, ...]
    weighting: str


def observe(
    law: Law, runs: Runs, inputs: Mapping[str, str], output: str, weights: Weights, on: Scale
) -> Observations:
    """Take from a table what a law reads and predicts, of runs that are done and fully decayed.

    Raises:
        MissingColumn: If a column is not there.
        FitError: If no row is left.
        TableError: If a value is missing, where the law has no place for it, or beyond 1e±150; it names row
            and column.
    """
    for column in (*inputs.values(), output):
        _require(law, runs, column)
    keep, filters = _usable(runs)
    rows = np.flatnonzero(keep)
    _refuse_nothing(runs, rows, filters)
    kinds: dict[str, Scale] = {one.name: "log" if one.positive else "raw" for one in law.inputs}
    data = FitData(
        inputs={name: _numbers(runs, column, rows, kinds[name]) for name, column in inputs.items()},
        output=_numbers(runs, output, rows, on),
        weights=_inverse_variances(runs, weights, rows),
        run_ids=_identities(runs, rows),
        facts=_facts(runs, rows),
    )
    weighting = "equal" if weights is None else weights if isinstance(weights, str) else "given"
    return Observations(data=data, filters=(*runs.filters, *filters), weighting=weighting)


def finished(runs: Runs, *, curves: bool = False) -> Runs:
    """The runs that are done and fully decayed, as far as the table says so, with a filter for what is not.

    Args:
        curves: Whether rows are points of training curves, so that undecayed ones stay.

    >>> table = pd.DataFrame({"loss": [3.0, 2.9, 2.8], "decayed": [True, False, None]})
    >>> finished(Runs(table)).column("loss").tolist()
    [3.0, 2.8]
    """
    keep, filters = _usable(runs, curves)
    if not filters:
        return runs
    return replace(runs, table=runs.table[keep].reset_index(drop=True), filters=(*runs.filters, *filters))


def above_zero(runs: Runs, column: str, because: str) -> Array:
    """A column of numbers above zero, of shape (runs,).

    Args:
        because: Why they must be, in words that end a sentence.

    Raises:
        MissingColumn: If it is not there.
        TableError: If a value is missing, zero or below, or beyond 1e±150; it names row and column.

    >>> above_zero(Runs(pd.DataFrame({"flops": [1e18, 0.0]})), "flops", "budgets are above zero")
    Traceback (most recent call last):
    allometry.errors.TableError: memory: 'flops' is 0 in row 2; budgets are above zero. Correct it, or leave \
such rows out with runs.where("flops > 0", because=...).
    """
    return _numbers(runs, column, np.arange(len(runs)), "log", because)


def conventions(runs: Runs) -> dict[str, str]:
    """What params and flops count, where the table says so; "mixed" where its rows differ."""
    found = {}
    for column in ("params_convention", "flops_convention"):
        if column in runs.table.columns:
            values = runs.table[column].dropna().astype(str).unique()
            if len(values):
                found[column] = str(values[0]) if len(values) == 1 else "mixed"
    return found


def _require(law: Law, runs: Runs, column: str) -> None:
    if column in runs.table.columns:
        return
    has = [str(name) for name in runs.table.columns]
    read_as = f'read_runs(path, columns={{"theirs": "{column}"}}) (command line: --columns theirs={column})'
    alone = "flops" in has and column in ("params", "tokens")
    by_compute = (
        'Or fit loss by compute: fit("power_law_with_floor", runs, inputs={"x": "flops"}). ' if alone else ""
    )
    one = _stand_in(law, runs)
    fit_to = f'inputs={{"{column}": "{one}"}} (command line: --inputs {column}={one})'
    raise MissingColumn(
        f"Law '{law.name}' needs a column '{column}', and {runs.source} has none."
        f"{did_you_mean(column, has)} It has: {', '.join(has)}. "
        f"{by_compute}Say which one to use, for example with {read_as if column in COLUMNS else fit_to}."
    )


def _stand_in(law: Law, runs: Runs) -> str:
    """A column that could be meant: compute, else the first one of numbers."""
    kinds = {str(name): kind for name, kind in runs.table.dtypes.items() if name != law.predicts}
    numbers = [name for name, kind in kinds.items() if pd.api.types.is_numeric_dtype(kind)]
    return "flops" if "flops" in kinds or not numbers else numbers[0]


def _usable(runs: Runs, curves: bool = False) -> tuple[Flags, list[Filter]]:
    keep = np.ones(len(runs), dtype=np.bool_)
    filters = []
    for column, bad, because in (
        ("status", _not_done, "a run that is not done has no final loss"),
        ("decayed", _not_decayed, "its learning-rate schedule was not finished, so its loss is not final"),
    ):
        if column in runs.table.columns and not (curves and column == "decayed"):
            out = bad(runs.table[column]) & keep
            keep &= ~out
            query = "status = 'done'" if column == "status" else "decayed"
            if out.any():
                kept, dropped = int(keep.sum()), int(out.sum())
                filters.append(Filter(query=query, because=because, kept=kept, dropped=dropped))
    return keep, filters


def _refuse_nothing(runs: Runs, rows: NDArray[np.intp], filters: list[Filter]) -> None:
    if rows.size:
        return
    out = "; ".join(f"{entry.dropped} left out by not: {entry.query}" for entry in (*runs.filters, *filters))
    raise FitError(f"{runs.source} has no run to fit{f' ({out})' if out else ''}. Give runs that are done.")


def _not_done(status: pd.Series) -> Flags:
    # A table without an entry says nothing; only a run that is known not to be done is left out.
    return np.asarray(status.notna() & (status.astype(str) != "") & (status.astype(str) != "done"))


def _not_decayed(decayed: pd.Series) -> Flags:
    return np.asarray(decayed.notna() & decayed.astype(str).str.lower().isin(_UNFINISHED))


def _numbers(runs: Runs, column: str, rows: NDArray[np.intp], kind: Scale, because: str = "") -> Array:
    values = runs.column(column)[rows]
    bad = np.flatnonzero(~inside(kind, values))
    if bad.size:
        rule = because or _DOMAIN[kind]
        shown = "missing" if np.isnan(values[bad[0]]) else f"{values[bad[0]]:g}"
        more = f" ({bad.size} rows in all)" if bad.size > 1 else ""
        kept = {"log": "{0} > 0", "raw": "{0} IS NOT NULL", "logit": "{0} > 0 AND {0} < 1"}[kind]
        raise TableError(
            f"{runs.source}: '{column}' is {shown} in row {rows[bad[0]] + 1}{more}; {rule}. "
            f'Correct it, or leave such rows out with runs.where("{kept.format(column)}", because=...).'
        )
    _refuse_unwieldy(runs, column, rows, values)
    return values


def _refuse_unwieldy(runs: Runs, column: str, rows: NDArray[np.intp], values: Array) -> None:
    """Refuse numbers whose product with another one may leave the range of a 64-bit float."""
    size = np.abs(values)
    bad = np.flatnonzero((size > _LARGEST) | ((size > 0) & (size < 1 / _LARGEST)))
    if bad.size:
        raise TableError(
            f"{runs.source}: '{column}' is {values[bad[0]]:g} in row {rows[bad[0]] + 1}, beyond what can be "
            f"calculated with ({1 / _LARGEST:g} to {_LARGEST:g}). Correct it, or give it in another unit."
        )


def _facts(runs: Runs, rows: NDArray[np.intp]) -> pd.DataFrame:
    known = [name for name in _FACTS if name in runs.table.columns]
    table = runs.table.loc[:, ~runs.table.columns.duplicated()][known].iloc[rows]
    plain = {name: _plain(table[name], COLUMNS[name].kind if name in COLUMNS else "text") for name in known}
    return pd.DataFrame(plain, index=table.index).reset_index(drop=True)


def _plain(column: pd.Series, kind: str) -> pd.Series:
    """Numbers, flags and text, which a stored fit gives back as they were; what is infinite says nothing."""
    if kind == "number" and column.dtype == np.float64:  # by far the commonest: without a look at each cell
        return column.where(np.isfinite(column))
    if kind == "number":
        found = pd.to_numeric(pd.Series([_number(value) for value in column]), errors="coerce")
        return (found if pd.api.types.is_integer_dtype(found) else found.astype(np.float64)).set_axis(
            column.index
        )
    return pd.Series([_word(value) for value in column], index=column.index, dtype=object)


def _number(value: object) -> object:
    if isinstance(value, str):
        return value
    return value if isinstance(value, Real) and np.isfinite(float(value)) else None


def _word(value: object) -> object:
    if isinstance(value, bool | str):
        return value
    return None if value is None or value is pd.NA or value is pd.NaT or value != value else str(value)


def _inverse_variances(runs: Runs, weights: Weights, rows: NDArray[np.intp]) -> Array:
    if weights is None:
        return np.ones(len(rows))
    if isinstance(weights, str):
        runs.require(weights)
        return _numbers(runs, weights, rows, "log")
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (len(runs),):
        raise InputError(f"Give one weight a run: {len(runs)} numbers, not an array of shape {given.shape}.")
    if not (np.isfinite(given) & (given > 0)).all():
        raise InputError("Weights are inverse variances: finite and above zero.")
    return given[rows]


def _identities(runs: Runs, rows: NDArray[np.intp]) -> tuple[str, ...]:
    if "run_id" not in runs.table.columns:
        return tuple(f"row {row + 1}" for row in rows)
    names = runs.table["run_id"].iloc[rows]
    return tuple(f"row {row + 1}" if pd.isna(n) else str(n) for row, n in zip(rows, names, strict=True))
