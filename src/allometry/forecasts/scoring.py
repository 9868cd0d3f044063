"""What came of the forecasts: error, interval, calibration and CRPS of each, once its run is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.forecasts.records import RegisteredForecast, RegisteredOutcome
from allometry.forecasts.refusals import is_over
from allometry.forecasts.register import read_outcomes, read_register
from allometry.runs.run import Run
from allometry.runs.study import Study

Array = NDArray[np.float64]

_TYPES = {
    "number": "int64", "target": "object", "law": "object", "output": "object", "unit": "object",
    "stated": "datetime64[us, UTC]", "status": "object", "outcome": "float64", "median": "float64",
    "low": "float64", "high": "float64", "level": "float64", "error": "float64", "error_percent": "float64",
    "inside": "boolean", "pit": "float64", "crps": "float64", "beyond_params": "float64",
    "beyond_tokens": "float64", "beyond_flops": "float64", "stated_before_run": "boolean",
    "counts": "boolean", "widest_level": "float64", "deadline": "object",
}  # fmt: skip
_SYMBOLS = {"beyond_params": "N", "beyond_tokens": "D", "beyond_flops": "C"}


def score(study: Study) -> pd.DataFrame:
    """Compare every registered forecast of a study with the run it was about.

    Returns:
        One row a forecast, in the order they were stated. `status` is that of the run, or "not run yet",
        "not measured" (the run has no such value) or "no target"; only a "done" run has an `outcome`.
        `error` is median minus outcome, in the output's unit: above zero was too high. `pit` is the
        probability the forecast gave to a lower outcome. `stated_before_run` is missing where there is
        no run yet, or it does not say when it began. `counts` marks, of the forecasts for one target and
        output, the last one stated before the run. `widest_level` is that of the widest interval which the
        stored quantiles state.

    Raises:
        ForecastError: If the register was touched after the forecasts were stated.
    """
    entries = read_register(study)
    targets = {entry.target for entry in entries if entry.target}
    runs = {target: study.run(target) for target in targets}
    # Of two outcomes of one run the first counts: a line that was added later corrects nothing.
    attached = {(one.target, one.output): one for one in reversed(read_outcomes(study))}
    rows = [
        _row(entry, runs.get(entry.target), attached.get((entry.target, entry.forecast.output)))
        for entry in entries
    ]
    last = {(row["target"], row["output"]): row["number"] for row in rows if _may_count(row)}
    for row in rows:
        row["counts"] = last.get((row["target"], row["output"])) == row["number"]
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def describe_score(row: pd.Series[Any]) -> str:
    """Say one row of `score` in plain words."""
    unit = "" if row["unit"] in ("", "1") else f" {row['unit']}"
    if row["status"] != "done":
        late = f", and the deadline {row['deadline']} is over" if is_over(row["deadline"]) else ""
        return f"{row['status']}{late}: no {row['output']} to compare with {row['median']:.4g}{unit}"
    parts = [_interval_words(row), _error_words(row, unit), _beyond_words(row)]
    if row["stated_before_run"] is not pd.NA and not row["stated_before_run"]:
        parts.append("stated after the run began, so it does not count")
    return "; ".join(part for part in parts if part)


def pit(quantiles: Mapping[float, float], outcome: float) -> float:
    """Probability integral transform: the probability a forecast gave to a lower outcome.

    Linear between the stored quantiles. An outcome beyond the outermost ones gets their probability, for
    example 0.01 or 0.99: how far beyond is not known.

    >>> pit({0.25: 2.0, 0.5: 2.25, 0.75: 2.75}, 2.5)
    0.625
    """
    if not quantiles:
        return math.nan
    probabilities = sorted(quantiles)
    return float(np.interp(outcome, [quantiles[p] for p in probabilities], probabilities))


def crps(quantiles: Mapping[float, float], outcome: float) -> float:
    """Continuous ranked probability score of stored quantiles, in the output's unit; NaN without any.

    ∫ (F(x) − [x ≥ outcome])² dx, with F linear between the stored quantiles, as for `pit`; what lies beyond
    the outermost ones is taken to lie at them. For a forecast of one value it is the absolute error.

    Source:
        Gneiting and Raftery 2007, eq. 20, doi:10.1198/016214506000001437, with the sign turned.

    >>> crps({0.25: 1.0, 0.5: 2.0, 0.75: 4.0}, 3.0)
    0.5625
    """
    if not quantiles:
        return math.nan
    probabilities = np.array(sorted(quantiles))
    values = np.array([quantiles[p] for p in probabilities])
    nearest = float(np.clip(outcome, values[0], values[-1]))
    place = int(np.searchsorted(values, nearest))
    x = np.insert(values, place, nearest)
    below = np.insert(probabilities, place, pit(quantiles, nearest))
    left, right = (x[: place + 1], below[: place + 1]), (x[place:], 1 - below[place:])
    return abs(outcome - nearest) + _squared(*left) + _squared(*right)


def _squared(x: Array, share: Array) -> float:
    """∫ share² dx of what is linear between its knots."""
    begin, end = share[:-1], share[1:]
    return float(np.sum(np.diff(x) * (begin**2 + begin * end + end**2)) / 3)


def _row(entry: RegisteredForecast, run: Run | None, attached: RegisteredOutcome | None) -> dict[str, Any]:
    forecast = entry.forecast
    # What was attached counts: a run's own file may be changed later, a line of the register not unseen.
    status, outcome = _outcome(entry, run) if attached is None else ("done", attached.value)
    error = forecast.median - outcome
    known = math.isfinite(outcome)
    has_interval = math.isfinite(forecast.low) and math.isfinite(forecast.high)
    return {
        "number": entry.number, "target": entry.target, "law": forecast.law, "output": forecast.output,
        "unit": forecast.unit, "stated": entry.stated, "status": status, "outcome": outcome,
        "median": forecast.median, "low": forecast.low, "high": forecast.high, "level": forecast.level,
        "error": error, "error_percent": 100 * error / outcome if outcome else math.nan,
        "inside": forecast.low <= outcome <= forecast.high if known and has_interval else pd.NA,
        "pit": pit(forecast.quantiles, outcome) if known else math.nan,
        "crps": crps(forecast.quantiles, outcome) if known else math.nan,
        **{name: forecast.beyond.get(name.removeprefix("beyond_"), math.nan) for name in _SYMBOLS},
        "stated_before_run": _stated_before(entry, run, attached),
        "widest_level": _widest_level(forecast.quantiles), "deadline": entry.deadline,
    }  # fmt: skip


def _outcome(entry: RegisteredForecast, run: Run | None) -> tuple[str, float]:
    if run is None:
        return ("not run yet" if entry.target else "no target"), math.nan
    if run.status != "done":
        return run.status, math.nan
    value = run.values.get(entry.forecast.output)
    if isinstance(value, int | float) and math.isfinite(value):
        return "done", float(value)
    return "not measured", math.nan


def _widest_level(quantiles: Mapping[float, float]) -> float:
    """Of the central intervals that quantiles state; NaN without any."""
    return max(0.0, 1 - 2 * max(min(quantiles), 1 - max(quantiles))) if quantiles else math.nan


def _stated_before(entry: RegisteredForecast, run: Run | None, attached: RegisteredOutcome | None) -> object:
    if attached is not None and attached.number < entry.number:
        return False  # the order of the lines is proven, what a run says of itself is not
    try:
        began = datetime.fromisoformat(str(run.values["started"] if run else ""))
    except (KeyError, ValueError):
        return pd.NA
    return entry.stated <= (began if began.tzinfo else began.replace(tzinfo=UTC))


def _may_count(row: Mapping[str, Any]) -> bool:
    stated_before = row["stated_before_run"]
    # Without a time of the run, the register itself is the witness: it takes nothing for a finished run.
    return bool(row["target"]) and (stated_before is pd.NA or bool(stated_before))


def _interval_words(row: pd.Series[Any]) -> str:
    if row["inside"] is pd.NA:
        return "no interval was stated"
    share = f"the {100 * row['level']:.3g}% interval"
    return f"inside {share}" if row["inside"] else f"outside {share}"


def _error_words(row: pd.Series[Any], unit: str) -> str:
    if row["error"] == 0:
        return "exact"
    direction = "high" if row["error"] > 0 else "low"
    percent = "" if math.isnan(row["error_percent"]) else f" ({abs(row['error_percent']):.2g}%)"
    return f"{abs(row['error']):.3g}{unit}{percent} too {direction}"


def _beyond_words(row: pd.Series[Any]) -> str:
    factors = {symbol: row[name] for name, symbol in _SYMBOLS.items() if math.isfinite(row[name])}
    if not factors or max(factors.values()) <= 1:
        return "inside the range of the fitted runs" if factors else ""
    return (
        ", ".join(f"{factor:.3g}x {symbol}" for symbol, factor in factors.items()) + " beyond the fitted runs"
    )
