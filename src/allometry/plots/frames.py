"""The tables behind the charts: which runs are shown as what, and in which series."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.result import Fit
from allometry.runs.run import Runs
from allometry.runs.study import Study
from allometry.units import show_count

Array = NDArray[np.float64]

MOST_DOTS = 2000  # more lie on each other, and a page of ten thousand runs would weigh 17 MB
MOST_SERIES = 7  # more colours than this cannot be told apart
_CURVE_POINTS = 48
_MOST_CURVES = 100  # more cannot be told apart either, and each is a file to read
# Designs whose losses are not those of a run that finished as it was trained.
UNFINISHED = ("learning_rate_check", "trunk", "quantization")


def final_runs(runs: Runs, output: str = "loss", fit: Fit | None = None) -> pd.DataFrame:
    """Runs that ended well and finished their schedule, one row each.

    Returns:
        run_id, the numeric columns there are of params, tokens, flops, the output as `value`, and `role`:
        "fitted" or "held out", or "run" where there is no fit to tell.
    """
    kept = runs.table[_is_final(runs.table)].reset_index(drop=True)
    frame = pd.DataFrame({"run_id": _ids(kept)})
    for column in ("params", "tokens", "flops"):
        if column in kept.columns:
            frame[column] = pd.to_numeric(kept[column], errors="coerce").astype(float)
    frame["value"] = pd.to_numeric(kept[output], errors="coerce").astype(float) if output in kept else np.nan
    frame["role"] = "run" if fit is None else np.where(_in_fit(frame, fit), "fitted", "held out")
    return pd.DataFrame(frame[np.isfinite(frame["value"])]).reset_index(drop=True)


def lost_runs(runs: Runs, column: str) -> pd.DataFrame:
    """Diverged and failed runs with their place on an axis, x; those without a place are left out.

    Args:
        column: A column of the runs, or "6ND" for 6 · params · tokens.
    """
    table = runs.table
    if "status" not in table.columns or not len(runs):
        return pd.DataFrame(columns=["run_id", "status", "reason", "x"])
    lost = Runs(
        table[table["status"].isin(["diverged", "failed"])].reset_index(drop=True), source=runs.source
    )
    wanted = ("params", "tokens") if column == "6ND" else (column,)
    known = [lost.column(name) if name in table.columns else np.full(len(lost), np.nan) for name in wanted]
    x = 6 * known[0] * known[1] if column == "6ND" else known[0]
    frame = pd.DataFrame({"run_id": _ids(lost.table), "status": lost.table["status"], "x": x})
    reasons = lost.table["reason"] if "reason" in lost.table.columns else ""
    return frame.assign(reason=reasons)[frame["x"] > 0].reset_index(drop=True)


def training_curves(study: Study) -> pd.DataFrame:
    """Training loss along the trunks, thinned to evenly spaced points in log tokens.

    A study without trunks shows the runs that were trained from scratch; of more than a hundred, evenly
    spread ones.

    Returns:
        run_id, params, flops_per_token, tokens, value; no row where there are no curves.
    """
    table = study.runs().table
    if not {"params", "tokens", "design"} <= set(table.columns):
        return pd.DataFrame()
    trunks = table[table["design"] == "trunk"]
    chosen = trunks if len(trunks) else table[_is_final(table)]
    shown = chosen.sort_values(["params", "tokens"]).iloc[:: max(1, -(-len(chosen) // _MOST_CURVES))]
    curves = [_curve(study, row) for row in shown.sort_index().to_dict("records")]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()


def sampled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows that are drawn: all, or of very many a random sample, always the same one.

    Args:
        columns: Those whose least and largest value are always drawn.
    """
    if len(frame) <= MOST_DOTS:
        return frame
    ends = {int(place) for name in columns for place in (frame[name].argmin(), frame[name].argmax())}
    others: list[int] = np.random.default_rng(0).permutation(len(frame)).tolist()
    return frame.iloc[sorted({*ends, *others[: MOST_DOTS - len(ends)]})]


def sample_words(frame: pd.DataFrame) -> str:
    """How many of the rows are drawn, as a sentence to put after another; empty if all are."""
    return f" Dots: a sample of {MOST_DOTS:,} of {len(frame):,} runs." if len(frame) > MOST_DOTS else ""


def bands(values: Array) -> Array:
    """The series of each value, named by a value: itself, or the middle of its band if there are many."""
    levels = np.unique(values[np.isfinite(values)])
    if len(levels) <= MOST_SERIES:
        return values
    edges = np.geomspace(levels[0], levels[-1], MOST_SERIES + 1)[1:-1]
    places = np.digitize(values, edges)
    middles = {
        place: float(np.exp(np.median(np.log(values[places == place])))) for place in np.unique(places)
    }
    return np.array([middles[place] for place in places])


def labels(series: Array) -> list[str]:
    """One label a series, smallest first; digits enough to tell them apart."""
    levels = np.unique(series[np.isfinite(series)])
    for digits in (3, 4, 6):
        shown = [show_count(level, digits) for level in levels]
        if len(set(shown)) == len(shown):
            return shown
    return [repr(float(level)) for level in levels]


def labelled(series: Array) -> list[str]:
    """The label of each value's series."""
    names = dict(zip(np.unique(series[np.isfinite(series)]), labels(series), strict=True))
    return [names.get(value, "unknown") for value in series]


def _is_final(table: pd.DataFrame) -> pd.Series[bool]:
    keep = pd.Series(True, index=table.index)
    if "status" in table.columns:
        keep &= table["status"].isna() | (table["status"] == "done")
    if "decayed" in table.columns:
        keep &= ~table["decayed"].isin([False])
    if "design" in table.columns:
        keep &= ~table["design"].isin(UNFINISHED)
    return keep


def _ids(table: pd.DataFrame) -> list[str]:
    if "run_id" in table.columns:
        return [str(name) for name in table["run_id"]]
    return [f"row {number + 1}" for number in range(len(table))]


def _in_fit(frame: pd.DataFrame, fit: Fit) -> NDArray[np.bool_]:
    """By measured values, because tables from elsewhere may not name their runs."""
    columns = [c for c in fit.inputs.values() if c in frame.columns]
    used = zip(
        *(fit.data.inputs[n] for n, c in fit.inputs.items() if c in columns), fit.data.output, strict=True
    )
    known = set(used)
    return np.array([row in known for row in zip(*(frame[c] for c in columns), frame["value"], strict=True)])


def _curve(study: Study, row: Mapping[Hashable, Any]) -> pd.DataFrame:
    history = study.history(str(row["run_id"]))
    if not {"tokens", "loss"} <= set(history.columns):
        return pd.DataFrame()
    tokens, loss = (history[name].to_numpy(dtype=np.float64) for name in ("tokens", "loss"))
    usable = np.isfinite(loss) & (tokens > 0)
    if not usable.any():
        return pd.DataFrame()
    per_token = row["flops"] / row["tokens"] if "flops" in row else np.nan
    tokens, loss = _thinned(tokens[usable], loss[usable])
    return pd.DataFrame({
        "run_id": str(row["run_id"]), "params": row["params"], "flops_per_token": per_token,
        "tokens": tokens, "value": loss,
    })  # fmt: skip


def _thinned(tokens: Array, loss: Array) -> tuple[Array, Array]:
    """The mean of each of so many stretches that are equally long in log tokens; empty ones are left out."""
    ends = np.geomspace(tokens.min(), tokens.max() * (1 + 1e-9), _CURVE_POINTS + 1)
    place = np.digitize(tokens, ends)
    count = np.bincount(place)
    held = count > 0
    return (np.bincount(place, tokens)[held] / count[held], np.bincount(place, loss)[held] / count[held])
