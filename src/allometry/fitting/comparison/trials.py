"""One law on one split: what it forecast of the held-out runs, or why it refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError, Refusal, TableError
from allometry.fitting.comparison.entrants import NO_CHANGE, Entrant
from allometry.fitting.comparison.holdout import Split, level_of
from allometry.fitting.comparison.scores import MIDDLES, Predictive, crps, exactly, interval_score, predictive
from allometry.fitting.observations import above_zero, observe
from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import Law
from allometry.runs.run import Runs

Array = NDArray[np.float64]

_SCORED = "forecasts are scored on its logarithm"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all trials share.

    Attributes:
        options: Further arguments of `fit`.
    """

    output: str
    level: float
    draws: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What one entrant forecast on one split.

    Attributes:
        measured: Log of the held-out output, of shape (runs,).
        expected: The forecasts; None if it refused.
        refused: Why; empty if it did not.
    """

    name: str
    objective: str
    split: Split
    measured: Array
    expected: Predictive | None = None
    refused: str = ""


def try_entrant(entrant: Entrant, split: Split, settings: Settings) -> Trial:
    """Fit an entrant to the training runs and let it forecast the held-out ones; a refusal is a result."""
    measured = np.log(above_zero(split.held, settings.output, _SCORED))
    made = Trial(name=entrant.name, objective=entrant.objective, split=split, measured=measured)
    try:
        fitted = fit_entrant(entrant, split.train, settings)
        inputs = _held_inputs(fitted, split.held, settings.output)
    except (Refusal, TableError) as error:
        return Trial(**{**vars(made), "refused": str(error)})
    return Trial(**{**vars(made), "expected": predictive(fitted, inputs, settings.level)})


def try_no_change(split: Split, settings: Settings) -> Trial:
    """Forecast that nothing changes any more: the mean log of the output at the last level learnt from."""
    learnt = np.log(above_zero(split.train, settings.output, _SCORED))
    if split.axis:
        level = level_of(split.train.column(split.axis))
        learnt = learnt[level == level.max()]
    measured = np.log(above_zero(split.held, settings.output, _SCORED))
    expected = exactly(float(np.exp(learnt.mean())), len(measured))
    return Trial(name=NO_CHANGE, objective="", split=split, measured=measured, expected=expected)


def fit_entrant(entrant: Entrant, runs: Runs, settings: Settings) -> Fit:
    """An entrant's fit with draws; of what is held, only what its law has."""
    hold = {
        name: at for name, at in (settings.options.get("hold") or {}).items() if name in entrant.law.names
    }
    made = fit(
        entrant.law,
        runs,
        inputs=dict(entrant.inputs),
        objective=entrant.objective,
        output=settings.output,
        seed=settings.seed,
        **{**settings.options, "hold": hold},
    )
    return bootstrap(made, draws=settings.draws, seed=settings.seed)


def table_row(trial: Trial, level: float) -> dict[str, Any]:
    """One trial in numbers, one row of `Comparison.table`."""
    row: dict[str, Any] = {
        "law": trial.name,
        "objective": trial.objective,
        "split": trial.split.name,
        "learnt": len(trial.split.train),
        "held_out": len(trial.split.held),
        "decades": float(np.median(trial.split.decades())),
        **dict.fromkeys(("error", "rms", "bias", "coverage", "interval_score", "crps"), np.nan),
        "refused": trial.refused,
    }
    if trial.expected is None:
        return row
    error, expected = trial.expected.median - trial.measured, trial.expected
    scored = {
        "error": float(np.median(np.abs(np.expm1(error)))),
        "rms": float(np.sqrt(np.mean(error**2))),
        "bias": float(np.mean(error)),
        "crps": float(crps(expected.points, MIDDLES, trial.measured).mean()),
    }
    if np.isfinite(expected.low).all():
        inside = (expected.low <= trial.measured) & (trial.measured <= expected.high)
        fined = interval_score(expected.low, expected.high, trial.measured, level)
        scored.update(coverage=float(inside.mean()), interval_score=float(fined.mean()))
    return {**row, **scored}


def run_rows(trial: Trial) -> pd.DataFrame:
    """Each held-out run of a trial: what was expected and what was measured, in the output's unit."""
    expected, held = trial.expected, trial.split.held
    if expected is None:
        return pd.DataFrame()
    axis = held.column(trial.split.axis) if trial.split.axis else np.full(len(held), np.nan)
    return pd.DataFrame({
        "law": trial.name, "split": trial.split.name, "run": _names(held), "x": axis,
        "decades": trial.split.decades(), "measured": np.exp(trial.measured),
        "median": np.exp(expected.median), "low": np.exp(expected.low), "high": np.exp(expected.high),
        "crps": crps(expected.points, MIDDLES, trial.measured),
    })  # fmt: skip


def the_output(entrants: tuple[Entrant, ...], output: str | None) -> str:
    """The one column that all entrants predict."""
    predicted = sorted({entrant.law.predicts for entrant in entrants})
    if output is None and len(predicted) > 1:
        raise InputError(
            f"These laws predict {' and '.join(predicted)}, which cannot be compared. "
            'Name one column for all of them with output="loss", or compare laws of one output.'
        )
    return output or predicted[0]


def _held_inputs(fitted: Fit, held: Runs, output: str) -> Mapping[str, Array]:
    law: Law = fitted.law
    return observe(law, held, fitted.inputs, output, None, fitted.on).data.inputs


def _names(runs: Runs) -> list[str]:
    if "run_id" in runs.table.columns:
        return [str(name) for name in runs.table["run_id"]]
    return [f"row {number + 1}" for number in range(len(runs))]
