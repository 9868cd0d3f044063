"""Track record: whether stated intervals held what they promised, over one study or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv

from allometry.errors import ForecastError
from allometry.fitting.result import tails
from allometry.forecasts.refusals import is_over
from allometry.forecasts.scoring import score
from allometry.runs.run import FINISHED
from allometry.runs.study import Study

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)
_SURE = 0.9  # of the interval around a measured share


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many outcomes fell into the intervals of one level.

    Attributes:
        level: Share that was promised.
        inside, total: Forecasts.
        low, high: 90% interval of the share, after Clopper and Pearson.
    """

    level: float
    inside: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of the outcomes that fell inside."""
        return self.inside / self.total

    @property
    def agrees(self) -> bool:
        """Whether as many may well have been promised."""
        return self.low <= self.level <= self.high


@dataclass(frozen=True)
class Calibration:
    """The track record of forecasts whose runs have been made.

    Attributes:
        scores: One row a forecast that counts and has an outcome: the columns of `score`, and `study`.
        diverged: Forecasts that count and whose run diverged: no outcome to judge them by.
        overdue: Forecasts that count and whose deadline is over without an outcome: runs that are never made
            are judged no more than diverged ones.
    """

    scores: pd.DataFrame
    diverged: int = 0
    overdue: int = 0

    @property
    def coverage(self) -> list[Coverage]:
        """At each of the usual levels, of the forecasts whose quantiles state an interval of that level."""
        return [_coverage(level, pits) for level in LEVELS if (pits := self._pits(level)).size]

    def _pits(self, level: float) -> Array:
        # A forecast with quantiles from 5% to 95% gives any outcome a PIT inside its 95% interval.
        states = self.scores["widest_level"] >= level - 1e-9
        return self.scores.loc[states, "pit"].dropna().to_numpy(dtype=np.float64)

    @property
    def bias_percent(self) -> float:
        """Median of the errors; above zero, forecasts were too high."""
        return float(self.scores["error_percent"].median())

    @property
    def crps_percent(self) -> float:
        """Mean continuous ranked probability score as a share of the outcome, so that units do not matter."""
        return float(100 * (self.scores["crps"] / self.scores["outcome"].abs()).mean())

    def summary(self) -> str:
        """In plain words, a line a finding."""
        studies = self.scores["study"].nunique()
        absolute = float(self.scores["error_percent"].abs().median())
        error = f"error {absolute:.2g}% in the median, {self.bias_percent:+.2g}% with its sign"
        lines = [
            f"Forecasts with an outcome: {len(self.scores)}; studies: {studies}",
            f"  {error}; CRPS {self.crps_percent:.2g}% of the outcome",
        ]
        if self.diverged:
            lines += [f"  runs that diverged, so that their forecasts are not judged: {self.diverged}"]
        if self.overdue:
            lines += [f"  deadlines that are over without an outcome: {self.overdue}"]
        return "\n".join([*lines, *(f"  {_said(one)}" for one in self.coverage)])


def calibration(studies: Sequence[Study]) -> Calibration:
    """Judge all forecasts of some studies that were stated in time and whose runs have been made.

    Of several forecasts for one run, the last one that was stated before it counts.

    Raises:
        ForecastError: If there is none, or a register was touched.
    """
    tables = [score(study).assign(study=study.folder.name) for study in studies]
    counted = [table[table["counts"]] for table in tables]
    kept = [table[table["status"] == "done"] for table in counted]
    found = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    if found.empty:
        raise ForecastError(
            "No forecast here has an outcome yet: state one before its run, train the run, and ask again. "
            "What is registered is shown by: allometry score STUDY"
        )
    states = pd.concat(counted, ignore_index=True)[["status", "deadline"]]
    waiting = states[~states["status"].isin(FINISHED)]
    diverged, overdue = (states["status"] == "diverged").sum(), sum(map(is_over, waiting["deadline"]))
    return Calibration(found, diverged=int(diverged), overdue=overdue)


def _coverage(level: float, pits: Array) -> Coverage:
    tail = (1 - level) / 2
    # An end itself is outside: the PIT of what lies beyond the outermost quantile is that quantile's own.
    inside = int(np.sum((pits > tail + 1e-12) & (pits < 1 - tail - 1e-12)))
    low, high = _share_range(inside, len(pits))
    return Coverage(level=level, inside=inside, total=len(pits), low=low, high=high)


def _share_range(inside: int, total: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934)."""
    low, high = tails(_SURE)
    return (
        float(betaincinv(inside, total - inside + 1, low)) if inside else 0.0,
        float(betaincinv(inside + 1, total - inside, high)) if inside < total else 1.0,
    )


def _said(one: Coverage) -> str:
    held = f"{100 * one.level:g}% intervals held {one.inside} of {one.total} outcomes"
    judged = "as promised" if one.agrees else "too narrow" if one.share < one.level else "too wide"
    return f"{held}: {judged} (90% interval of the share: {one.low:.0%} to {one.high:.0%})"
