"""Which runs a law learns from and which larger ones it then has to forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.allocation import FLOPS_PER_PARAMETER_TOKEN
from allometry.fitting.observations import above_zero
from allometry.runs.run import Filter, Runs
from allometry.units import show_power

Array = NDArray[np.float64]
Index = NDArray[np.intp]

STEPS = 4  # cuts if none are asked for
_FEW_HELD = 0.05  # of all runs: a cut that leaves fewer to forecast is a verdict on one or two runs
_SAME_LEVEL = 1.05  # runs of one budget differ by rounding of sizes; budgets by much more
_FEW_LEVELS = 3  # if grouping leaves fewer, the column is continuous: each value is a level
_LARGEST = "largest_"
_BECAUSE = "runs are held out by it, and it must be above zero"


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Runs to learn from and runs to forecast.

    Attributes:
        name: The cut in words, for example "flops <= 3e20", or the condition for what is held out.
        axis: Column along which distance is measured; empty if there is none.
        reach: Largest value of it that was learnt from.
    """

    name: str
    axis: str
    reach: float
    train: Runs
    held: Runs

    def decades(self) -> Array:
        """How far each held-out run lies beyond the largest trained one, in powers of ten; shape (held,)."""
        if not self.axis:
            return np.full(len(self.held), np.nan)
        return np.asarray(np.log10(self.held.column(self.axis) / self.reach))


def with_flops(runs: Runs) -> tuple[Runs, bool]:
    """Runs with a column flops, 6 · params · tokens where the table has none, and whether that was used.

    A table without params or tokens comes back as it is.

    >>> import pandas as pd
    >>> runs, counted = with_flops(Runs(pd.DataFrame({"params": [2.0], "tokens": [5.0]})))
    >>> float(runs.column("flops")[0]), counted
    (60.0, True)
    """
    has = runs.table.columns
    if "flops" in has or not {"params", "tokens"} <= set(has):
        return runs, False
    flops = FLOPS_PER_PARAMETER_TOKEN * runs.column("params") * runs.column("tokens")
    return replace(runs, table=runs.table.assign(flops=flops)), True


def split_runs(runs: Runs, hold_out: str, *, least: int, steps: int | None = None) -> tuple[Split, ...]:
    """Cut a table into runs to learn from and runs to forecast, once or several times.

    Args:
        hold_out: "largest_flops", "largest_params", "largest_tokens" or the name of a column: learn from all
            runs at or below a cut and forecast all above it, at several cuts (rolling origin). Anything else
            is an SQL condition for the runs to hold out, once.
        least: Runs that the most demanding law needs to learn from.
        steps: Cuts, at most; 4 if not given. They lie at even steps of the levels between the one where half
            of the runs are learnt from and the last one that leaves a twentieth of them to forecast.

    Raises:
        InputError: If there is no such column, or the condition cannot be understood.
        FitError: If there is no run, a column has one level only, or too few runs lie below every cut.

    >>> import pandas as pd
    >>> runs = Runs(pd.DataFrame({"flops": [1e18, 1e19, 1e20, 1e21], "loss": [3.0, 2.8, 2.6, 2.5]}))
    >>> [split.name for split in split_runs(runs, "largest_flops", least=2)]
    ['flops <= 1e19', 'flops <= 1e20']
    """
    if steps is not None and steps < 1:
        raise InputError(f"steps is how often the runs are cut: 1 or more, not {steps}.")
    if not len(runs):
        raise FitError(f"{runs.describe()}: nothing to learn from. Correct the condition that left them out.")
    column = _column(runs, hold_out)
    if column:
        return _rolling(runs, column, least, steps or STEPS)
    return (_fixed(runs, hold_out, least),)


def level_of(values: Array) -> Index:
    """The level of each value as a number from 0: values within 5% of their neighbour share one.

    >>> level_of(np.array([1.0, 30.0, 1.02, 10.0])).tolist()
    [0, 2, 0, 1]
    """
    distinct, place = np.unique(values, return_inverse=True)
    step = np.concatenate([[0], np.cumsum(distinct[1:] > _SAME_LEVEL * distinct[:-1])])
    grouped = step if step[-1] + 1 >= min(_FEW_LEVELS, len(distinct)) else np.arange(len(distinct))
    return np.asarray(grouped[place], dtype=np.intp)


def _column(runs: Runs, hold_out: str) -> str:
    """The column to cut along; empty for a condition."""
    if hold_out in runs.table.columns:
        return hold_out
    if not hold_out.startswith(_LARGEST):
        return ""
    wanted = hold_out.removeprefix(_LARGEST)
    runs.require(*(("params", "tokens") if wanted == "flops" and "flops" not in runs.table.columns else ()))
    runs.require(wanted)
    return wanted


def _rolling(runs: Runs, column: str, least: int, steps: int) -> tuple[Split, ...]:
    values = above_zero(runs, column, _BECAUSE)
    level = level_of(values)
    learnt = np.cumsum(np.bincount(level))[:-1]  # runs at or below each cut
    possible = np.flatnonzero(learnt >= least)
    if not possible.size:
        raise FitError(
            f"No cut along '{column}' leaves {least} runs to learn from and one to forecast: {len(runs)} "
            f"runs lie on {int(level.max()) + 1} level(s). Add runs, compare laws with fewer coefficients, "
            "or name the runs to hold out by a condition."
        )
    cuts = _usual(possible, learnt, len(runs))
    chosen = cuts[np.unique(np.linspace(0, len(cuts) - 1, min(steps, len(cuts))).round().astype(int))]
    if steps == 1:
        chosen = cuts[-1:]
    return tuple(_cut(runs, column, values, level <= cut) for cut in chosen)


def _usual(possible: Index, learnt: Index, count: int) -> Index:
    """Cuts that leave half of the runs to learn from and not just a few to forecast, where there are any."""
    for wanted in (learnt >= count / 2, count - learnt >= _FEW_HELD * count):
        kept = possible[wanted[possible]]
        possible = kept if kept.size else possible
    return possible


def _cut(runs: Runs, column: str, values: Array, below: NDArray[np.bool_]) -> Split:
    reach = float(values[below].max())
    name = f"{column} <= {show_power(reach) if reach >= 1e4 else f'{reach:.4g}'}"
    return Split(
        name=name,
        axis=column,
        reach=reach,
        train=_take(runs, below, name, "the larger ones are held out"),
        held=_take(runs, ~below, f"NOT {name}", "to be forecast"),
    )


def _take(runs: Runs, keep: NDArray[np.bool_], query: str, because: str) -> Runs:
    table = runs.table[keep].reset_index(drop=True)
    entry = Filter(query=query, because=because, kept=len(table), dropped=len(runs) - len(table))
    return replace(runs, table=table, filters=(*runs.filters, entry))


def _fixed(runs: Runs, condition: str, least: int) -> Split:
    held = runs.where(condition, because="held out, to be forecast")
    train = runs.where(f"NOT coalesce(({condition}), false)", because="not held out")
    if not len(held) or len(train) < least:
        raise FitError(
            f"Holding out by '{condition}' leaves {len(train)} of {len(runs)} runs to learn from and "
            f"{len(held)} to forecast; it takes {least} or more, and 1 or more."
        )
    axis = "flops" if "flops" in runs.table.columns else ""
    reach = float(above_zero(train, axis, _BECAUSE).max()) if axis else np.nan
    return Split(name=f"without {condition}", axis=axis, reach=reach, train=train, held=held)
