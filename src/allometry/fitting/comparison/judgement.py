"""What a comparison of laws amounts to: the ranking, what to know before using it, and both in words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.checks.definition import note, serious, warning, worst_first
from allometry.fitting.comparison.entrants import BASELINES
from allometry.fitting.comparison.holdout import level_of
from allometry.fitting.comparison.stacking import FEWEST
from allometry.fitting.result import Finding, Fit, Forecast

Array = NDArray[np.float64]

AHEAD = 10.0  # factor in compute beyond the runs at which laws are asked how far they differ
APART = 2.0  # spread of the laws ahead, relative to that on the runs, from which it is a finding
_LEAST_APART = 0.005  # relative: laws this close ahead differ by no more than one run's noise
_FEW_LEVELS = 3  # levels that a paired difference needs before its error can be estimated
_FEW_COVERED = 5  # held-out runs, below which a coverage says nothing
_SHORT = 0.2  # of coverage below the level, from which the intervals are too narrow
_HALF_POWER = (
    "params",
    "tokens",
)  # grow with the root of compute, as in about compute-optimal training


def ranked(table: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Laws by their mean score over the splits that all of them forecast; every split counts alike."""
    last = table["split"].iloc[-1]
    made = table[table["refused"] == ""]
    entered = set(made.loc[made["split"] == last, "law"])
    of_entered = made[made["law"].isin(entered)]
    times = of_entered.groupby("split")["law"].nunique()
    common = times.index[times == len(entered)]
    scored = of_entered[of_entered["split"].isin(common)].groupby("law", sort=False)
    ranking = pd.DataFrame({
        "error": np.sqrt(scored["rms"].apply(lambda rms: float(np.mean(rms**2)))),
        "bias": scored["bias"].mean(),
        "coverage": scored["coverage"].mean(),
        "score": scored["crps"].mean(),
    }).reset_index()  # fmt: skip
    ranking = ranking.sort_values("score", kind="stable").reset_index(drop=True)
    ranking.insert(1, "rank", np.arange(1, len(ranking) + 1))
    ranking["weight"] = [weights.get(name, 0.0) for name in ranking["law"]]
    return ranking


def judge(
    ranking: pd.DataFrame,
    table: pd.DataFrame,
    held_out: pd.DataFrame,
    weights: Mapping[str, float],
    fits: Mapping[str, Fit],
    refused: Mapping[str, str],
    counted: bool,
    level: float,
) -> tuple[Finding, ...]:
    """Everything a reader should know before using the ranking, worst first."""
    stacked = {name: fits[name] for name, weight in weights.items() if weight > 0}
    laws = {name: made for name, made in fits.items() if name not in BASELINES}
    found = [
        _baseline_wins(ranking),
        _not_distinguishable(ranking, held_out),
        _differ_ahead(laws if len(laws) > 1 else stacked),
        _narrow(ranking, held_out, level),
        _few_held_out(held_out, set(stacked)),
        *_refusals(table, refused),
        _counted(counted),
    ]
    return tuple(worst_first(found))


def paired_difference(held_out: pd.DataFrame, one: str, other: str) -> tuple[float, float, int]:
    """By how much the second law's mean score exceeds the first's, its standard error, and levels behind it.

    Splits count alike, as in the ranking. Runs of one level of the held-out axis are forecast by the same
    fits and err together, so the error is that of a mean over levels (clusters). Levels are not quite
    independent either: the error is rather too small.
    """
    rows = held_out[held_out["law"].isin([one, other])]
    # A table may name two rows alike, so rows of one split are matched by their order.
    rows = rows.assign(place=rows.groupby(["law", "split"]).cumcount())
    scores = rows.pivot(index=["split", "place"], columns="law", values="crps").dropna()
    axis = (
        rows[rows["law"] == one].set_index(["split", "place"])["x"].reindex(scores.index).to_numpy(np.float64)
    )
    difference = (scores[other] - scores[one]).to_numpy(np.float64)
    share = 1 / scores.groupby("split")[one].transform("size").to_numpy(np.float64)
    share /= share.sum()
    mean = float(share @ difference)
    level = level_of(axis) if np.isfinite(axis).all() else np.arange(len(axis))
    off = np.bincount(level, share * (difference - mean))
    count = len(off)
    error = float(np.sqrt(count / (count - 1) * np.sum(off**2))) if count > 1 else np.nan
    return mean, error, count


def forecast_findings(table: pd.DataFrame, axis: str, forecast: Forecast) -> list[Finding]:
    """Whether a forecast goes farther beyond the runs than the held-out runs lay beyond theirs."""
    tested = float(table["decades"].max())
    asked = float(np.log10(forecast.beyond[axis])) if axis in forecast.beyond else np.nan
    if not asked > tested:
        return []
    return [
        warning(
            "untested_distance",
            f"This forecast goes {asked:.1f} decades of {axis} beyond the runs; the laws were "
            f"tested on runs {tested:.1f} decades beyond those that they had learnt from.",
            "Read the ranking and the weights as untested at that distance, or add larger runs.",
            {"asked": asked, "tested": tested},
        )
    ]


def summarise(
    ranking: pd.DataFrame, table: pd.DataFrame, findings: Sequence[Finding], level: float, hold_out: str
) -> str:
    """The ranking and the findings in plain text; `Comparison.summary` is the front of this."""
    splits = table.drop_duplicates("split")
    held = ", ".join(f"{row.held_out} beyond {row.split}" for row in splits.itertuples())
    wide = max(len(str(name)) for name in ranking["law"])
    lines = [
        f"{len(ranking)} forecasters, held out by {hold_out}: {held}",
        f"  {'law'.ljust(wide)}  rank   error    bias  {level:.0%} held   score  weight",
    ]
    lines += [_line(row, wide) for row in ranking.to_dict("records")]
    lines.append(
        "  error: root mean square of the log; score: continuous ranked probability score of the log"
    )
    return "\n".join(lines + [f"  {finding.severity}: {finding.sentence}" for finding in findings])


def _line(row: Mapping[Hashable, Any], wide: int) -> str:
    inside = "   -" if np.isnan(row["coverage"]) else f"{row['coverage']:4.0%}"
    return (
        f"  {str(row['law']).ljust(wide)}  {row['rank']:4d}  {row['error']:6.2%}  {row['bias']:+6.2%}"
        f"      {inside}  {row['score']:6.2%}  {row['weight']:6.2f}"
    )


def _baseline_wins(ranking: pd.DataFrame) -> Finding | None:
    first = ranking.iloc[0]
    if first["law"] not in BASELINES:
        return None
    return serious(
        "baseline_wins",
        f"'{first['law']}' forecast the held-out runs better than every law (score {first['score']:.2%}).",
        "None of these laws has earned its coefficients on these runs: add runs, or try other laws.",
        {"score": float(first["score"])},
    )


def _not_distinguishable(ranking: pd.DataFrame, held_out: pd.DataFrame) -> Finding | None:
    if len(ranking) < 2:
        return None
    from scipy.special import stdtrit  # without the second that scipy.stats takes to load

    one, other = ranking["law"].iloc[0], ranking["law"].iloc[1]
    mean, error, levels = paired_difference(held_out, one, other)
    if levels < _FEW_LEVELS:
        sentence = (
            f"Whether '{one}' forecasts better than '{other}' cannot be said: the held-out runs lie on "
            f"{levels} level(s), too few to see how much the difference varies."
        )
    elif mean > float(stdtrit(levels - 1, 0.95)) * error:
        return None
    else:
        sentence = (
            f"'{one}' is not distinguishable from '{other}': their scores differ by {mean:.2%} "
            f"± {error:.2%} (standard error over {levels} levels)."
        )
    return warning(
        "best_not_distinguishable",
        sentence,
        "Use the stacked forecast of both, or train a run at which the two differ.",
        {"difference": mean, "standard_error": error, "levels": levels},
    )


def _differ_ahead(fits: Mapping[str, Fit]) -> Finding | None:
    if len(fits) < 2:
        return None
    ahead = {name: _at_largest(made, AHEAD) for name, made in fits.items()}
    here = {name: _at_largest(made, 1.0) for name, made in fits.items()}
    future, past = (float(np.ptp(np.log(list(values.values())))) for values in (ahead, here))
    if future < max(APART * past, _LEAST_APART):
        return None
    low, high = min(ahead, key=ahead.__getitem__), max(ahead, key=ahead.__getitem__)
    return warning(
        "laws_differ_ahead",
        f"The laws agree on the largest run to {past:.1%} and differ by {future:.1%} at {AHEAD:g} "
        f"times its compute: {ahead[low]:.4g} by '{low}', {ahead[high]:.4g} by '{high}'.",
        "The choice of law decides this forecast: state the stacked one, whose width says so.",
        {"on_the_runs": past, "ahead": future, **ahead},
    )


def _at_largest(made: Fit, factor: float) -> float:
    """The law at the run of largest compute, moved ahead by a factor in compute."""
    columns = {made.inputs[name]: values for name, values in made.data.inputs.items()}
    size = columns.get("flops")
    if size is None:
        moving = [values for column, values in columns.items() if column in _HALF_POWER]
        size = np.prod(moving or list(columns.values()), axis=0)
    largest = int(np.argmax(size))
    both = set(_HALF_POWER) <= columns.keys()
    at = {
        name: float(values[largest]) * _growth(made.inputs[name], factor, both, len(columns))
        for name, values in made.data.inputs.items()
    }
    return float(made.law.evaluate(at, made.coefficients))


def _growth(column: str, factor: float, both: bool, count: int) -> float:
    if column in _HALF_POWER:
        return float(np.sqrt(factor)) if both or count == 1 else factor
    return factor if column == "flops" or count == 1 else 1.0


def _narrow(ranking: pd.DataFrame, held_out: pd.DataFrame, level: float) -> Finding | None:
    runs = len(held_out.drop_duplicates(["split", "run"]))
    low = ranking[(ranking["coverage"] < level - _SHORT) & ~ranking["law"].isin(BASELINES)]
    if runs < _FEW_COVERED or low.empty:
        return None
    held = dict(zip(low["law"], low["coverage"].astype(float), strict=True))
    said = ", ".join(f"{share:.0%} by '{name}'" for name, share in held.items())
    return warning(
        "intervals_too_narrow",
        f"The {level:.0%} intervals held fewer of the held-out runs than they should: {said}. They "
        "know the noise and the coefficients, not that a law is wrong beyond the runs.",
        "State the stacked forecast, or widen an interval by the law's held-out error.",
        held,
    )


def _few_held_out(held_out: pd.DataFrame, stacked: set[str]) -> Finding | None:
    rows = held_out[held_out["law"].isin(stacked)]
    times = rows.groupby("split")["law"].nunique()
    common = rows[rows["split"].isin(times.index[times == len(stacked)])]
    runs = len(common) // max(len(stacked), 1)
    if runs >= FEWEST:
        return None
    return warning(
        "equal_weights",
        f"{runs} held-out run(s) are too few to weight laws by: all laws weigh the same.",
        f"Hold out {FEWEST} runs or more, or add larger runs.",
        {"held_out": runs},
    )


def _refusals(table: pd.DataFrame, refused: Mapping[str, str]) -> list[Finding]:
    rows = table[table["refused"] != ""].groupby("law", sort=False)["refused"].agg(["size", "first"])
    found = [
        note(
            "law_refused",
            f"'{name}' refused {row['size']} of the splits: {row['first']}",
            "The others are compared on the splits that all of them could forecast.",
            {"splits": int(row["size"])},
        )
        for name, row in rows.iterrows()
    ]
    return found + [
        note(
            "law_refused",
            f"'{name}' could not be fitted to all runs and has no part in the forecast: {because}",
            "",
        )
        for name, because in refused.items()
    ]


def _counted(counted: bool) -> Finding | None:
    if not counted:
        return None
    return note(
        "flops_from_6nd",
        "The table has no flops, so compute is 6 · params · tokens.",
        "Add a column flops where attention or a mixture of experts makes that wrong.",
    )
