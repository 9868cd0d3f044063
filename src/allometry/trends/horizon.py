"""Time horizons: the task length at which each agent succeeds half of the time, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Finding, middle
from allometry.runs.run import Runs
from allometry.trends.horizon_draws import (
    RESAMPLINGS,
    Resampling,
    effective_clusters,
    resampled,
    widened,
)
from allometry.trends.horizon_findings import PENALTIES, horizon_findings, summarise
from allometry.trends.success_curves import Curves, Penalty, success_curves
from allometry.trends.task_runs import TaskRuns, read_task_runs

Array = NDArray[np.float64]

SHARES = (0.5, 0.8)
_ROOM = 20.0  # doublings beyond the shortest and the longest task at which a draw's horizon is cut off


@dataclass(frozen=True, kw_only=True, eq=False)
class Horizons:
    """Time horizons of agents.

    Attributes:
        table: One row an agent: agent, year (decimal, of its release), tasks, runs, score (weighted mean),
            slope (log-odds per doubling of length), p50 and p80 in minutes with `_low` and `_high`, `longer`
            (tasks longer than p50), `separated`, and status: "measured"; "above" or "below" where p50 lies
            beyond the longest or the shortest task, which then bounds it from below or above; "flat" where
            success does not fall with length and there is no horizon.
        penalties: One row an agent: p50 and p80 in minutes by each way to fit, for example `p50_published`.
        draws: Share to horizons in minutes by draw, of shape (draws, agents); NaN where a draw has none.
        families: How many equally weighted families each agent's tasks are worth, of shape (agents,).
        shortest, longest: Task lengths in minutes.
        level: Share of draws inside the intervals.
    """

    table: pd.DataFrame
    penalties: pd.DataFrame = field(repr=False)
    draws: dict[float, Array] = field(repr=False)
    families: Array = field(repr=False)
    penalty: Penalty
    resampling: Resampling
    shortest: float
    longest: float
    level: float
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """The horizons in plain words, newest agent last."""
        return summarise(self)


def time_horizons(
    runs: Runs | TaskRuns,
    *,
    penalty: Penalty = "firth",
    resampling: Resampling = "families",
    draws: int = 1000,
    level: float = 0.9,
    seed: int = 0,
) -> Horizons:
    """Fit success against task length for each agent, and resample families with their tasks and runs.

    The published penalty (0.1 on the squared slope, weights of sum 1) flattens slopes, which moves horizons
    away from the middle of the suite: it stays on offer, and `penalties` shows what it changes.

    Args:
        runs: Columns agent, task, minutes, score, and where known family and release_date; see
            `read_task_runs`.
        penalty: "firth" is finite for every agent; "none" has no curve where successes and failures are
            separated by length; "published" is METR's.
        resampling: "families" draws whole families, and its intervals hold the truth as often as they say;
            "published" is METR's of families, tasks in them and runs of each task, whose intervals are wider.
        draws: Of the bootstrap; 0 for none.

    Raises:
        InputError: If the table is wrong, or the penalty or the resampling unknown.
        FitError: If there are fewer than four tasks.

    Source:
        Kwa et al. 2025, arXiv:2503.14499. Penalties: see `success_curves`.

    Ten runs each of an agent with a horizon of 16 minutes:

    >>> minutes = np.repeat([2.0, 4, 8, 16, 32, 64, 128], 10)
    >>> share = 1 / (1 + minutes / 16)
    >>> score = ((np.tile(np.arange(10), 7) + 0.5) / 10 < share) * 1.0
    >>> columns = {"agent": "a", "task": minutes.astype(str), "minutes": minutes, "score": score}
    >>> time_horizons(Runs(pd.DataFrame(columns)), draws=100).table["p50"].round(1).tolist()
    [16.0]
    """
    given = runs if isinstance(runs, TaskRuns) else read_task_runs(runs)
    if penalty not in PENALTIES:
        raise InputError(f"There is no penalty '{penalty}'. There are: {', '.join(PENALTIES)}.")
    if resampling not in RESAMPLINGS:
        raise InputError(f"There is no resampling '{resampling}'. There are: {', '.join(RESAMPLINGS)}.")
    if not 0 < level < 1:
        raise InputError(f"The level of an interval lies between 0 and 1, for example 0.9; not {level}.")
    curves = {name: _curves(given, given.weights, given.shares, name) for name in PENALTIES}
    drawn = _draws(given, curves[penalty], penalty, resampling, draws, seed)
    families = effective_clusters(given)
    ends = float(given.log2_minutes.min()), float(given.log2_minutes.max())
    stated = float(families.min()) if given.family.max() > 0 else 1.0
    table = _table(given, curves[penalty], drawn, ends, level)
    penalties = _penalties(given, curves)
    return Horizons(
        table=table,
        penalties=penalties,
        draws={share: np.exp2(values) for share, values in drawn.items()},
        families=families,
        penalty=penalty,
        resampling=resampling,
        shortest=2 ** ends[0],
        longest=2 ** ends[1],
        level=level,
        findings=horizon_findings(table, penalties, drawn[0.5], 2 ** ends[1], stated),
    )


def _curves(runs: TaskRuns, weights_bt: Array, shares_bt: Array, penalty: Penalty) -> Curves:
    """For rows that are agents, or draws of all agents one after the other."""
    scale = np.ones(len(runs.agents)) if penalty == "published" else runs.effective_tasks
    repeated = np.tile(scale, len(weights_bt) // len(scale))
    return success_curves(runs.log2_minutes, weights_bt * repeated[:, None], shares_bt, penalty=penalty)


def _draws(
    runs: TaskRuns, best: Curves, penalty: Penalty, resampling: Resampling, draws: int, seed: int
) -> dict[float, Array]:
    """Log2 horizons of each draw and agent, by share, within room around the suite."""
    size = (len(runs.agents), len(runs.tasks))
    limits = runs.log2_minutes.min() - _ROOM, runs.log2_minutes.max() + _ROOM
    found: dict[float, list[Array]] = {share: [np.empty((0, size[0]))] for share in SHARES}
    for tasks_dt, shares_dat in resampled(runs, draws, seed, resampling):
        # As published, weights are those of the suite: they are not made to sum to 1 again in a draw.
        weights = (runs.weights * tasks_dt[:, None, :]).reshape(-1, size[1])
        curves = _curves(runs, weights, shares_dat.reshape(-1, size[1]), penalty)
        for share in SHARES:
            found[share].append(curves.log2_horizon(share).reshape(-1, size[0]))
    joined = {share: np.concatenate(blocks) for share, blocks in found.items()}
    if resampling == "families":
        few = effective_clusters(runs)
        joined = {
            share: widened(values, best.log2_horizon(share), few, np.random.default_rng([seed, 1]))
            for share, values in joined.items()
        }
    return {share: np.clip(values, *limits) for share, values in joined.items()}


def _table(
    runs: TaskRuns, curves: Curves, drawn: dict[float, Array], ends: tuple[float, float], level: float
) -> pd.DataFrame:
    middle_log2 = curves.log2_horizon()
    columns = {
        "agent": list(runs.agents),
        "year": runs.released,
        "tasks": (runs.counts > 0).sum(axis=1),
        "runs": runs.counts.sum(axis=1).astype(int),
        "score": (runs.weights * runs.shares).sum(axis=1),
        "slope": curves.slope,
    }
    for share in SHARES:
        low, high = _ends(drawn[share], level)
        name = f"p{100 * share:g}"
        columns |= {name: np.exp2(curves.log2_horizon(share)), f"{name}_low": low, f"{name}_high": high}
    tried = runs.counts > 0
    columns |= {
        "longer": (tried & (runs.log2_minutes > middle_log2[:, None])).sum(axis=1),
        "separated": curves.separated,
        "status": [_status(value, *ends) for value in middle_log2],
    }
    return pd.DataFrame(columns)


def _ends(log2_drawn: Array, level: float) -> tuple[Array, Array]:
    if len(log2_drawn) < 2:
        none = np.full(log2_drawn.shape[1], np.nan)
        return none, none
    known = np.isfinite(log2_drawn).any(axis=0)
    low, high = np.full((2, log2_drawn.shape[1]), np.nan)
    low[known], high[known] = middle(log2_drawn[:, known], level, axis=0)
    return np.exp2(low), np.exp2(high)


def _status(log2_horizon: float, shortest: float, longest: float) -> str:
    if np.isnan(log2_horizon):
        return "flat"
    if log2_horizon > longest:
        return "above"
    return "below" if log2_horizon < shortest else "measured"


def _penalties(runs: TaskRuns, curves: dict[Penalty, Curves]) -> pd.DataFrame:
    columns = {
        f"p{100 * share:g}_{name}": np.exp2(found.log2_horizon(share))
        for share in SHARES
        for name, found in curves.items()
    }
    return pd.DataFrame({"agent": list(runs.agents), **columns})
