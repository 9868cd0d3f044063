"""What a fit is, as values: no algorithms here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError, did_you_mean
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.scales import transform
from allometry.laws import Law, Scale
from allometry.runs.run import Filter
from allometry.storage import open_place

Array = NDArray[np.float64]
Resampling = Literal["bayesian", "pairs", "residuals", "wild"]
Drawing = Resampling | Literal["posterior"]


class FitStatus(StrEnum):
    """How far a fit can be used."""

    CONVERGED = "converged"  # the best objective was reached from several starts
    DOUBTFUL = "doubtful"  # usable, but starts disagree or the optimum is a flat valley
    AT_BOUND = "at_bound"  # a coefficient sits at the end of its range
    NOT_CONVERGED = "not_converged"


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    WARNING = "warning"
    SERIOUS = "serious"  # the numbers should not be used for a decision


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a check found.

    Attributes:
        code: Stable name, for example "few_runs".
        sentence: What was found, in plain words with its numbers.
        evidence: The numbers behind the sentence.
        remedy: What to do about it.
    """

    code: str
    severity: Severity
    sentence: str
    evidence: Mapping[str, float | str] = field(default_factory=dict)
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Starts:
    """How the best objective was found: starts tried, converged, and agreeing with the best one."""

    tried: int
    converged: int
    agreeing: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a law says about inputs that have not been run.

    Attributes:
        inputs: Column to value, in base units.
        output: The predicted column, for example "loss", with its unit.
        median, low, high: The forecast and its interval at `level`.
        level: Share of outcomes the interval is meant to contain.
        quantiles: Probability to value, for scoring later.
        beyond: Column to the factor by which the input exceeds the largest fitted run;
            1 or less means inside the fitted range.
        width: Share of the squared width by source: "coefficients", "noise"; of several laws together also
            "law" and "objective".
        noise_from: What the noise of a single run was estimated from, in words.
        law, fit_hash, data_hash: What it was made from.
        no_interval_because: Why low and high are NaN; empty when there is an interval.
    """

    inputs: Mapping[str, float]
    output: str
    unit: str
    median: float
    low: float
    high: float
    level: float
    quantiles: Mapping[float, float]
    beyond: Mapping[str, float]
    width: Mapping[str, float]
    law: str
    fit_hash: str
    data_hash: str
    no_interval_because: str = ""
    noise_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The compute-optimal point of a law at one budget, each number with its interval."""

    flops: float
    params: Estimate
    tokens: Estimate
    loss: Estimate
    level: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FitData:
    """The runs a fit used, as arrays: what a bootstrap, a check or a plot needs later.

    Attributes:
        inputs: The law's own input name to values, of shape (runs,).
        output: Measured values, of shape (runs,).
        weights: Inverse variances; ones where none were given.
        run_ids: Identity of the training each row belongs to; rows that share one are resampled together.
        facts: Other columns of the same rows that checks and resampling read: counts by convention, parent,
            seed, schedule.
    """

    inputs: Mapping[str, Array]
    output: Array
    weights: Array
    run_ids: tuple[str, ...]
    facts: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.output)

    @property
    def settings(self) -> NDArray[np.intp]:
        """Which rows have the same inputs, as a number from 0: they differ by seed alone."""
        table = np.column_stack(list(self.inputs.values()))
        return np.asarray(np.unique(table, axis=0, return_inverse=True)[1].ravel(), dtype=np.intp)

    @property
    def trunks(self) -> tuple[str, ...]:
        """The training each row was branched from, or itself: rows that share one share its luck."""
        parents = self.facts["parent"] if "parent" in self.facts else [None] * len(self)
        known: dict[str, object] = dict(zip(self.run_ids, parents, strict=True))
        return tuple(_root(run, known) for run in self.run_ids)

    def column(self, name: str) -> Array | tuple[str, ...]:
        """An input or another known column of the rows.

        Raises:
            InputError: If there is none of that name.
        """
        if name in self.inputs:
            return self.inputs[name]
        if name in self.facts:
            return tuple(str(value) for value in self.facts[name])
        has = dict.fromkeys(("run", "row", "trunk", "setting", *self.inputs, *map(str, self.facts.columns)))
        raise InputError(
            f"These runs have no '{name}' to go by.{did_you_mean(name, has)} There are: {', '.join(has)}."
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every number, bit for bit."""
        digest = hashlib.sha256()
        for name, values in (*self.inputs.items(), ("output", self.output), ("weights", self.weights)):
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How draws from a posterior were made.

    Attributes:
        priors: Coefficient to prior in words; "noise.scale" and "noise.delta" are of the noise.
        noise: Medians of the noise's numbers, on the scale of the fit.
        walkers, steps: All of them, and the steps of each.
        rhat: Worst split R-hat; 1.01 or less is agreement.
        effective: Independent draws that the least settled number is worth.
    """

    priors: Mapping[str, str]
    noise: Mapping[str, float]
    walkers: int
    steps: int
    rhat: float
    effective: float


@dataclass(frozen=True, kw_only=True)
class Draws:
    """How the draws of a fit were made.

    Attributes:
        resampling: "bayesian" weights each unit by an exponential draw, "pairs" draws units with
            replacement, "residuals" keeps the inputs and redraws the noise, "wild" turns the signs of the
            residuals; "posterior" draws no runs but coefficients, by their probability given the runs.
        unit: What was resampled: "run", all rows of one training together; "row"; "trunk", all branches of
            one training together; "setting", with the seeds in it; or a column.
        strata: The column within whose values units were drawn, such as IsoFLOP budgets; None for all.
        count: Resamples made.
        unconverged: Refits that found no rest; they are left out of the draws.
        starts: Searches of a resample, 2 or 1 (see `bootstrap`).
        seed: Seed of the resampling.
        sampling: How a posterior was sampled; None for resamples.
    """

    resampling: Drawing
    unit: str
    strata: str | None = None
    count: int
    unconverged: int
    seed: int
    starts: int = 2
    sampling: Sampling | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A law with the values that describe one set of runs.

    Attributes:
        coefficients: Name to value, unrounded.
        objective_value: The sum that was minimised (see `allometry.fitting.objectives`).
        objective, delta, on: What was minimised.
        held: Coefficients that were given, not estimated.
        status: How far it can be used.
        starts: How many searches were tried and ended at the best objective.
        findings: What the quick checks found; `check(fit)` runs all of them.
        draws: One row a resample, one column a coefficient; None before `bootstrap` or `posterior`.
        drawn: How the draws were made.
        seed: Seed of the starts.
        weighting: "equal", the column that held inverse variances, or "given".
        inputs: The law's input name to column.
        output, unit: The predicted column and its unit.
        conventions: What params and flops count in these runs, where the runs say so.
        filters: Runs left out and why, oldest first.
        source: Where the runs came from.
        data: The runs that were used.
    """

    law: Law
    coefficients: Mapping[str, float]
    objective_value: float
    objective: ObjectiveName
    delta: float
    on: Scale
    held: Mapping[str, float]
    status: FitStatus
    starts: Starts
    findings: tuple[Finding, ...] = ()
    draws: pd.DataFrame | None = field(default=None, repr=False)
    drawn: Draws | None = None
    seed: int = 0
    weighting: str = "equal"
    inputs: Mapping[str, str]
    output: str
    unit: str
    conventions: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[Filter, ...] = ()
    source: str = "memory"
    data: FitData = field(repr=False)

    @property
    def goal(self) -> Objective:
        """What was minimised, as the engine takes it."""
        return Objective(name=self.objective, delta=self.delta, on=self.on)

    @property
    def open(self) -> tuple[str, ...]:
        """Names of the coefficients that were estimated."""
        return tuple(name for name in self.law.names if name not in self.held)

    @property
    def data_hash(self) -> str:
        """Hash of the runs that were used."""
        return self.data.fingerprint

    @cached_property
    def fit_hash(self) -> str:
        """Hash of the law, the values and the runs: the same fit, the same hash."""
        values = [f"{name}={value.hex()}" for name, value in self.coefficients.items()]
        parts = [self.law.name, self.law.formula, *values, self.data_hash]
        if self.draws is not None:
            parts.append(hashlib.sha256(self.draws.to_numpy(dtype=np.float64).tobytes()).hexdigest())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def interval(self, name: str, level: float = 0.9) -> tuple[float, float]:
        """The range that holds the middle `level` of a coefficient's draws.

        Raises:
            InputError: If the law has no such coefficient.
            FitError: If there are no draws yet.
        """
        if name not in self.law.names:
            known = ", ".join(self.law.names)
            raise InputError(
                f"Law '{self.law.name}' has no coefficient '{name}'.{did_you_mean(name, self.law.names)} "
                f"It has: {known}."
            )
        if self.draws is None:
            raise FitError(f"There is no interval for '{name}' yet; make draws with bootstrap(fit).")
        low, high = middle(self.draws[name].to_numpy(dtype=np.float64), level)
        return float(low), float(high)

    def fitted(self) -> Array:
        """The law at the runs, on the scale of the fit; of shape (runs,)."""
        value = self.law.evaluate(self.data.inputs, self.coefficients)
        return transform(self.on, np.broadcast_to(value, (len(self.data),)))

    def residuals(self) -> Array:
        """Measured minus fitted, on the scale of the fit; of shape (runs,)."""
        return transform(self.on, self.data.output) - self.fitted()

    def predict(self, level: float = 0.9, **inputs: float) -> Forecast:
        """Forecast one new run, with an interval for its measured value.

        The interval holds the uncertainty of the coefficients, from the draws, and the noise of a single
        run, from the residuals. Inputs go by column or by the law's own names, in base units.

        Raises:
            InputError: If an input is missing, unknown or not above zero.
        """
        from allometry.fitting.prediction import forecast

        return forecast(self, level, inputs)

    def optimum(self, flops: float, level: float = 0.9) -> Optimum:
        """The size and tokens of least loss for a budget, with flops = 6 · params · tokens.

        Raises:
            FitError: If the law does not read params and tokens, or has no optimum inside the budget.
        """
        from allometry.fitting.allocation import optimum

        return optimum(self, flops, level)

    def summary(self) -> str:
        """The fit in plain text: values, units, intervals, how it was found, what was left out."""
        from allometry.fitting.wording import summary

        return summary(self)

    def save(self, path: str | Path) -> None:
        """Write the fit, its draws and its runs as JSON at full precision; all of it or nothing."""
        from allometry.fitting.storage import save

        save(self, open_place(path))

    @classmethod
    def load(cls, path: str | Path, law: Law | None = None) -> Fit:
        """Read a saved fit; it predicts without a refit.

        Args:
            law: Needed for a law that is in no catalog; it must have the formula that was fitted.

        Raises:
            CorruptFile: If the file is not a whole saved fit.
        """
        from allometry.fitting.storage import load

        return load(open_place(path), law)


def _root(run: str, parents: Mapping[str, object]) -> str:
    """Follow parents up to the run that was trained from scratch, as far as they are known."""
    passed = {run}
    while isinstance(parent := parents.get(run), str) and parent and parent not in passed:
        passed.add(parent)
        run = parent
    return run


def tails(level: float) -> tuple[float, float]:
    """Lower and upper probability of a central interval.

    >>> tails(0.5)
    (0.25, 0.75)
    """
    if not 0 < level < 1:
        raise InputError(f"A level is between 0 and 1, for example 0.9; not {level}.")
    return (1 - level) / 2, (1 + level) / 2


def middle(draws: NDArray[np.float64], level: float, *, axis: int | None = None) -> tuple[Any, Any]:
    """Ends between which one more draw would fall with probability `level`, NaN left aside.

    The usual quantiles of n draws are drawn in by interpolation and hold a share of about 2 / n less.

    Source:
        Hyndman and Fan 1996, definition 6.

    >>> middle(np.array([1.0, 2, 3, 4]), 0.6)
    (np.float64(1.0), np.float64(4.0))
    """
    low, high = np.nanquantile(draws, tails(level), axis=axis, method="weibull")
    return low, high
