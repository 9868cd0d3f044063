"""What a plan is, as values: no algorithms here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from allometry.fitting.result import Estimate, FitStatus
from allometry.planning.cost import Costs, CostSheet
from allometry.planning.data_limits import DataPlan
from allometry.planning.inference import LifetimePlan
from allometry.planning.quantities import Quantity
from allometry.planning.questions import Question
from allometry.planning.stocks import SourceWorth
from allometry.planning.triangle import Floors


@dataclass(frozen=True, kw_only=True)
class NearOptimal:
    """The sizes that are almost as good: predicted loss within a share of the least at the same budget.

    Attributes:
        tolerance: The share, for example 0.005 for half a percent.
        params, loss: The size of least predicted loss, and that loss.
        params_low, params_high: Smallest and largest such size, by the fitted coefficients.
        tokens_low, tokens_high: Their tokens; the smallest size goes with the most tokens.
    """

    tolerance: float
    params: float
    loss: float
    params_low: float
    params_high: float
    tokens_low: float
    tokens_high: float


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a target loss takes, and whether it can be had at all.

    Attributes:
        loss: The target.
        floors: Least size, data and compute, each with the others unlimited, and the cheapest point.
        data_floor: The least loss that a stock of unique tokens allows at any compute; None without a stock.
        reachable: Probability that the target can be reached, floor and stock taken together, by the draws;
            NaN where there are none.
    """

    loss: float
    floors: Floors
    data_floor: Estimate | None
    reachable: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training run of least loss for a budget, or of least cost for a loss.

    Attributes:
        question: What was asked: the budget or target and all that the answer depends on.
        flops: Compute of the run, counted as 6 · params · tokens.
        compute: The same with the range that the budget leaves open: of utilisation and price for a budget
            of money or time, of the fit for a target loss; none for a budget in FLOP.
        params, tokens, tokens_per_parameter: What to train; the ranges are where the best point may lie, by
            the draws of the fit and the range of `compute`.
        loss: What the run is forecast to measure, in the fit's unit, the noise of one run included.
        quantiles: Probability to loss, of the same forecast at the planned compute.
        output: The column `loss` is a value of.
        level: Share the ranges are meant to contain.
        near: How far size and tokens can be moved for almost the same loss at the same compute.
        beyond: Column to the factor by which the plan exceeds the largest fitted run.
        conventions: What params and flops count, in the plan and in the runs it came from.
        law, source, fit_hash, data_hash: What it was made from.
        status: Of the fit; None for a published law.
        no_interval_because: Why the ranges are NaN; empty when there are ranges.
        notes: What was assumed beyond the fit, and what the reader must know, in sentences.
        cost: What training takes; None where no device is named.
        serving: What serving takes on the same kind of device; None without a demand or a device.
        lifetime: The plan beside the training-optimal model of equal loss; None without a demand.
        data: Epochs, and what one more unique token is worth; None without a stock of unique tokens.
        sources: What each source of a stock brings; empty without one.
        requirements: What the target takes at the least; None where a budget was given.
    """

    question: Question
    flops: float
    compute: Quantity
    params: Estimate
    tokens: Estimate
    tokens_per_parameter: Estimate
    loss: Estimate
    quantiles: Mapping[float, float] = field(default_factory=dict)
    output: str
    level: float
    near: NearOptimal
    beyond: Mapping[str, float]
    conventions: Mapping[str, str] = field(default_factory=dict)
    law: str
    source: str
    fit_hash: str
    data_hash: str
    status: FitStatus | None
    no_interval_because: str = ""
    notes: tuple[str, ...] = ()
    cost: CostSheet | None = None
    serving: Costs | None = None
    lifetime: LifetimePlan | None = None
    data: DataPlan | None = None
    sources: tuple[SourceWorth, ...] = ()
    requirements: Requirements | None = None

    def summary(self) -> str:
        """The plan in plain words."""
        from allometry.planning.wording import summary

        return summary(self)
