"""`watch`: is each run on forecast, does one rise, is a rung off? Reads a study and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.result import Finding, Fit
from allometry.runs.study import Study
from allometry.sweeps.alarms import LEAST_REFERENCES, LOOKS, Band, band, parts, rise, shifts
from allometry.sweeps.designs import Planned
from allometry.sweeps.fits import load_fits, selected_runs
from allometry.sweeps.spec import read_spec
from allometry.sweeps.status import study_status
from allometry.sweeps.watch_findings import diverged, off_forecast, off_words, rises, rung_off

Array = NDArray[np.float64]

ALARMS = 0.05  # share of runs on forecast that are called off, at the most; measured: about 1%
_SHARES = np.arange(1, LOOKS + 1) / LOOKS
_MOST_REFERENCES = 30  # runs of the nearest sizes: more make the band hardly sharper, and each curve is read
_MOVING = ("tokens", "flops")  # columns that grow as a run trains
_ENDED = ("done", "diverged", "failed")
_BEGUN = ("running", "stopped", "diverged", "failed")


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A study at one moment, against what was forecast.

    Attributes:
        runs: One row a run that has begun: design, run_id, params, status, share (of its tokens), loss (of
            the last eighth it has come through), expected, low, high, heading (the final held-out loss it
            heads for) and says.
        looks: One row a run and look: run_id, share, loss, expected, low, high.
        warnings: What is off, with what to do.
        against: What the runs are compared with, in words.
        unfinished: Runs that the study asks for and that have not ended.
    """

    runs: pd.DataFrame
    looks: pd.DataFrame
    warnings: tuple[Finding, ...]
    against: str
    unfinished: int

    def summary(self) -> str:
        """In plain words: the warnings, or that there are none."""
        lines = [f"{one.severity}: {one.sentence}\n  -> {one.remedy}" for one in self.warnings]
        return "\n".join([*(lines or ["Nothing is off."]), f"Compared with {self.against}."])


def watch(
    study: Study,
    *,
    stated: Mapping[str, float] | None = None,
    alarms: float = ALARMS,
    finished: bool = False,
) -> Watched:
    """Compare every run in the making with its forecast.

    A run is on forecast while the mean log loss of each eighth of its tokens lies in the band of
    `alarms.band` around the study's main law at the same size, tokens and compute; the law is moved to the
    median of the registered forecast for the run that has one. It rises when the end of its curve is above
    its best by more than the scatter of the curve explains (`alarms.rise`), far below what ends a run as
    diverged. A rung is off when its runs' mean residual is not that of the others (`alarms.shifts`).

    Args:
        stated: Run id to the median of its registered forecast.
        alarms: Share of runs on forecast that are called off at any time of their training, at the most; of
            curves that do not rise; and of studies without a rung that is off. Measured by
            benchmarks/watch_alarms.py.
        finished: Judge the curves of finished runs too.

    Raises:
        InputError: If the share is not between 0 and 1.
    """
    if not 0 < alarms < 1:
        raise InputError(f"A share of false alarms is between 0 and 1, such as 0.05, not {alarms:g}.")
    study = study.to_look_at()
    watcher = _Watcher.of(study, alarms, stated or {})
    status = study_status(study)
    wanted = (*_BEGUN, "done") if finished else _BEGUN
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in status.to_dict("records")]
    judged = [watcher.judged(row) for row in rows if row["status"] in wanted]
    warnings = [found for one in judged for found in one.warnings]
    return Watched(
        runs=pd.DataFrame([one.row for one in judged], columns=list(_COLUMNS)),
        looks=pd.DataFrame([look for one in judged for look in one.looks], columns=list(_LOOK_COLUMNS)),
        warnings=(*warnings, *watcher.rungs()),
        against=watcher.against,
        unfinished=sum(row["status"] not in _ENDED for row in rows),
    )


_COLUMNS = (
    "design",
    "run_id",
    "params",
    "status",
    "share",
    "loss",
    "expected",
    "low",
    "high",
    "heading",
    "says",
)
_LOOK_COLUMNS = ("run_id", "share", "loss", "expected", "low", "high")


@dataclass(frozen=True, kw_only=True)
class _Judged:
    row: Mapping[str, Any]
    looks: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(kw_only=True)
class _Watcher:
    """What is known of a study, and the curves that were read.

    Attributes:
        fit: The main fit; None before there is one.
        references: Finished runs of the design, one row each.
        totals: Tokens of the run whose curve a trunk is the beginning of.
        stated: Run id to the median of its registered forecast.
    """

    study: Study
    alarms: float
    fit: Fit | None
    references: pd.DataFrame
    totals: Mapping[str, float]
    stated: Mapping[str, float]
    curves: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study, alarms: float, stated: Mapping[str, float]) -> _Watcher:
        spec = read_spec(study)
        runs = study.runs()
        planned = spec.design.recipes(runs)
        chosen = selected_runs(study).table if len(runs) else runs.table
        return cls(
            study=study,
            alarms=alarms,
            fit=_main_fit(study),
            references=chosen[chosen["status"] == "done"] if len(chosen) else chosen,
            totals=_trunk_totals(planned, runs.table),
            stated=stated,
        )

    @property
    def against(self) -> str:
        if self.fit is None:
            return (
                f"nothing yet, as no law is fitted (allometry fit {self.study.folder}); only rises are seen"
            )
        law = f"{self.fit.law.name}, fit {self.fit.fit_hash}"
        registered = "; runs with a registered forecast with its median" if self.stated else ""
        return f"{law}{registered}; at most {self.alarms:.1%} false alarms a run"

    def judged(self, row: Mapping[str, Any]) -> _Judged:
        """One run."""
        run_id, total = row["run_id"], self.totals.get(row["run_id"], float(row["tokens"]))
        tokens, losses = self._curve(run_id)
        facts = {name: row[name] for name in ("design", "run_id", "params", "status")}
        if not len(losses):
            return _Judged(row=facts | {"says": "no curve yet"})
        facts |= {"share": float(tokens[-1] / total)}
        logs = parts(tokens, losses, total)
        limits, why = self._band(row, total)
        up = rise(losses, self.alarms)
        off = limits.off(logs)
        said = off_words(logs - limits.middle, off) if off.any() else why or "on forecast"
        warnings = [off_forecast(run_id, said)] if off.any() else []
        if row["status"] == "diverged":
            said, warnings = f"diverged: {row['reason']}", [*warnings, diverged(run_id, str(row["reason"]))]
        elif up.warns:
            said, warnings = f"rises by {up.above:.2g} nat", [*warnings, rises(run_id, up.above, up.allowed)]
        looks = _looks(run_id, logs, limits)
        return _Judged(
            row=facts | _last(looks) | {"heading": self._heading(row, logs, limits), "says": said},
            looks=tuple(looks),
            warnings=tuple(warnings),
        )

    def rungs(self) -> list[Finding]:
        """Sizes whose runs lie off the law together."""
        if self.fit is None or "params" not in self.fit.inputs.values():
            return []
        name = next(n for n, column in self.fit.inputs.items() if column == "params")
        sizes, rung = np.unique(self.fit.data.inputs[name], return_inverse=True)
        found = shifts(self.fit.residuals(), rung.ravel(), self.alarms)
        pairs = zip(sizes, found, strict=True)
        return [rung_off(float(size), one.size, one.allowed) for size, one in pairs if one.warns]

    def _curve(self, run_id: str) -> tuple[Array, Array]:
        if run_id not in self.curves:
            table = self.study.history(run_id)
            usable = len(table) and {"tokens", "loss"} <= set(table.columns)
            columns = (
                [table[name].to_numpy(dtype=np.float64) for name in ("tokens", "loss")] if usable else []
            )
            self.curves[run_id] = np.array(columns) if usable else np.empty((2, 0))
        tokens, losses = self.curves[run_id]
        return tokens, losses

    def _band(self, row: Mapping[str, Any], total: float) -> tuple[Band, str]:
        """The band of a run, and why there is none."""
        none = Band(middle=np.full(LOOKS, np.nan), half=np.full(LOOKS, np.nan))
        if self.fit is None:
            return none, "no law is fitted yet"
        if row["design"] == "learning_rate_check":
            return none, "not judged: its rate is varied on purpose"
        others = self._references(row, total)
        if len(others) < LEAST_REFERENCES:
            return none, f"not judged: {len(others)} finished runs to compare with, {LEAST_REFERENCES} needed"
        expected, law_sd = self._law(row, total)
        if not np.isfinite(expected).all():
            return none, f"not judged: {self.fit.law.name} reads what this run does not say"
        gaps = np.array([self._gap(other) for other in others])
        return band(expected, law_sd, gaps, self.alarms), ""

    def _references(self, row: Mapping[str, Any], total: float) -> list[Mapping[str, Any]]:
        """Of each other trunk the run of the nearest length; of those the nearest sizes."""
        table = self.references
        if not len(table):
            return []
        own = row["run_id"]
        trunk = _trunks(table)
        mine = dict(zip(table["run_id"], trunk, strict=True)).get(own, own)
        others = table.assign(
            _trunk=trunk,
            _longer=np.abs(np.log(table["tokens"].astype(float) / total)),
            _larger=np.abs(np.log(table["params"].astype(float) / float(row["params"]))),
        )
        others = others[(others["_trunk"] != mine) & (others["run_id"] != own)].sort_values("_longer")
        nearest = others.drop_duplicates("_trunk").nsmallest(_MOST_REFERENCES, "_larger").to_dict("records")
        return [one for one in nearest if len(self._curve(one["run_id"])[0])]

    def _gap(self, reference: Mapping[str, Any]) -> Array:
        total = float(reference["tokens"])
        return parts(*self._curve(reference["run_id"]), total) - self._law(reference, total)[0]

    def _law(self, row: Mapping[str, Any], total: float) -> tuple[Array, Array]:
        """Log of the law at each look at a run, and its standard deviation over the draws."""
        assert self.fit is not None
        grown = _SHARES * (total / float(row["tokens"]))
        inputs = {
            name: np.asarray(
                float(row.get(column, math.nan)) * (grown if column in _MOVING else np.ones(LOOKS))
            )
            for name, column in self.fit.inputs.items()
        }
        with np.errstate(all="ignore"):
            middle = np.log(self.fit.law.evaluate(inputs, self.fit.coefficients))
            middle = np.broadcast_to(middle, (LOOKS,)) + self._moved(row, float(middle[-1]))
            return middle, self._spread(inputs)

    def _moved(self, row: Mapping[str, Any], at_the_end: float) -> float:
        """From the law to what was registered for the run."""
        stated = self.stated.get(row["run_id"])
        return 0.0 if stated is None else math.log(stated) - at_the_end

    def _spread(self, inputs: Mapping[str, Array]) -> Array:
        assert self.fit is not None
        if self.fit.draws is None:
            return np.zeros(LOOKS)
        draws = {
            name: self.fit.draws[name].to_numpy(dtype=np.float64)[:, None] for name in self.fit.law.names
        }
        return np.asarray(np.nanstd(np.log(self.fit.law.evaluate(inputs, draws)), axis=0))

    def _heading(self, row: Mapping[str, Any], logs: Array, limits: Band) -> float:
        """The final held-out loss that the run heads for: the expected one, moved by what it is off now."""
        reached = np.flatnonzero(np.isfinite(logs - limits.middle))
        if self.fit is None or not reached.size:
            return math.nan
        last = reached[-1]
        total = self.totals.get(row["run_id"], float(row["tokens"]))
        return float(np.exp(self._law(row, total)[0][-1] + logs[last] - limits.middle[last]))


def _main_fit(study: Study) -> Fit | None:
    try:
        return next(iter(load_fits(study.folder).values()))
    except InputError:  # none is made yet
        return None


def _trunk_totals(planned: Iterable[Planned], ended: pd.DataFrame) -> dict[str, float]:
    """Of each trunk the tokens of its longest branch: a trunk is the beginning of that run."""
    branches = [(one.recipe.parent, float(one.recipe.tokens)) for one in planned if one.recipe.parent]
    if {"parent", "tokens"} <= set(ended.columns):
        known = ended.loc[ended["parent"].map(_is_named), ["parent", "tokens"]]
        branches += [(str(parent), float(tokens)) for parent, tokens in known.itertuples(index=False)]
    totals: dict[str, float] = {}
    for parent, tokens in branches:
        totals[parent] = max(totals.get(parent, 0.0), tokens)
    return totals


def _is_named(parent: object) -> bool:
    return isinstance(parent, str) and bool(parent)


def _trunks(table: pd.DataFrame) -> list[str]:
    parents = table["parent"] if "parent" in table.columns else [""] * len(table)
    pairs = zip(table["run_id"], parents, strict=True)
    return [parent if _is_named(parent) else run_id for run_id, parent in pairs]


def _looks(run_id: str, logs: Array, limits: Band) -> list[Mapping[str, Any]]:
    values = {
        "share": _SHARES, "loss": np.exp(logs), "expected": np.exp(limits.middle),
        "low": np.exp(limits.middle - limits.half), "high": np.exp(limits.middle + limits.half),
    }  # fmt: skip
    reached = np.flatnonzero(np.isfinite(logs))
    return [{"run_id": run_id, **{name: float(of[i]) for name, of in values.items()}} for i in reached]


def _last(looks: list[Mapping[str, Any]]) -> dict[str, Any]:
    kept = ("loss", "expected", "low", "high")
    return {name: looks[-1][name] for name in kept} if looks else {}
