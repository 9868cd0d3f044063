"""What a fit is, as values: no algorithms here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
        width: Share of the interval's variance by source: "coefficients", "noise".
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
