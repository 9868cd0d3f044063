"""`disagreement`: what approaches 1, 2 and 3 say about one budget, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Protocol

import numpy as np
import pandas as pd

from allometry.errors import InputError
from allometry.fitting.checks.definition import warning
from allometry.fitting.result import Estimate, Finding, Optimum


class HasOptimum(Protocol):
    """A fit that knows the compute-optimal point of a budget: `Fit`, `IsoFlopFit`, `EnvelopeFit`."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is doubtful about it."""

    def optimum(self, flops: float, level: float = ...) -> Optimum:
        """The best size and tokens for a budget."""


def disagreement(fits: Mapping[str, HasOptimum], flops: float, *, level: float = 0.9) -> pd.DataFrame:
    """The compute-optimal point of one budget by several fits.

    Args:
        fits: A name for each: {"approach 2": iso_flop(runs), "approach 3": bootstrap(fit(...))}.

    Returns:
        One row a fit: "fit", then params, tokens, tokens_per_param and loss, each followed by its ends
        _low and _high, which are NaN without draws.

    >>> from allometry.fitting.frontier.definition import FrontierLaw
    >>> disagreement({}, 1e20)
    Traceback (most recent call last):
    allometry.errors.InputError: Give at least one fit, for example {"approach 3": fit("chinchilla", runs)}.
    """
    if not fits:
        raise InputError('Give at least one fit, for example {"approach 3": fit("chinchilla", runs)}.')
    return pd.DataFrame([_row(name, fit.optimum(flops, level)) for name, fit in fits.items()])


def check_disagreement(table: pd.DataFrame) -> list[Finding]:
    """Pairs of fits whose intervals exclude each other, from a table of `disagreement`."""
    findings = []
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    for one, other in combinations(rows, 2):
        for column, words in (("params", "parameters"), ("tokens", "tokens")):
            if _apart(one, other, column):
                findings.append(_finding(one, other, column, words))
    return findings


def _row(name: str, best: Optimum) -> dict[str, float | str]:
    # Size and tokens trade off inside a budget: the largest ratio goes with the smallest size.
    ratio = Estimate(
        value=best.tokens.value / best.params.value,
        low=best.tokens.low / best.params.high,
        high=best.tokens.high / best.params.low,
        unit="token",
    )
    row: dict[str, float | str] = {"fit": name}
    for column, found in (
        ("params", best.params),
        ("tokens", best.tokens),
        ("tokens_per_param", ratio),
        ("loss", best.loss),
    ):
        row |= {column: found.value, f"{column}_low": found.low, f"{column}_high": found.high}
    return row


def _apart(one: Mapping[str, float], other: Mapping[str, float], column: str) -> bool:
    ends = [each[f"{column}_{end}"] for each in (one, other) for end in ("low", "high")]
    if not np.isfinite(ends).all():
        return False
    return ends[1] < ends[2] or ends[3] < ends[0]


def _finding(one: Mapping[str, float], other: Mapping[str, float], column: str, words: str) -> Finding:
    factor = max(one[column], other[column]) / min(one[column], other[column])
    return warning(
        "approaches_disagree",
        f"'{one['fit']}' and '{other['fit']}' differ by a factor {factor:.2f} in the best number of "
        f"{words}, and their intervals exclude each other: at least one is biased by more than its noise.",
        "Read the findings of both. Wide or off-centre grids bias approach 2; undecayed curves bias "
        "approach 1; a wrong form biases approach 3. Plan with the spread.",
        {str(one["fit"]): one[column], str(other["fit"]): other[column], "factor": factor},
    )
