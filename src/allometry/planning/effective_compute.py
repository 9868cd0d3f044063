"""Effective compute: what better recipes and better hardware are worth, and when a target is in reach.

A recipe that reaches a loss with half the compute doubles the effective compute of every FLOP. Such gains are
measured at one loss and one scale, and drift with both: a gain is stated with its range and where it is from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from allometry.errors import InputError
from allometry.fitting.comparison.recipes import Multiplier
from allometry.fitting.result import Estimate, Fit, tails
from allometry.planning.numbers import require_above_zero, require_number
from allometry.planning.quantities import Quantity, ranged, stated
from allometry.planning.surfaces import Surface
from allometry.planning.triangle import floors


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast something grows, such as the efficiency of recipes or the FLOP that a dollar buys.

    Attributes:
        what: What grows.
        doublings: For each year; negative where it shrinks.
        source: Where the pace was read, or how it was made.
    """

    what: str
    doublings: Estimate
    source: str

    @property
    def months(self) -> Estimate:
        """Months for one doubling; infinite where the pace may be none at all."""
        low, high = (
            _months(end) if not math.isnan(end) else math.nan
            for end in (self.doublings.high, self.doublings.low)
        )
        return Estimate(value=_months(self.doublings.value), low=low, high=high, unit="month")


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When a factor of growth is reached, if all goes on as before.

    Attributes:
        factor: What is needed over what there is.
        doublings: Its logarithm to the base 2.
        years: From now, with the range of the factor and of each pace; infinite where it may never be.
        paces: What grows; doublings of independent growths add.
    """

    factor: Quantity
    doublings: Estimate
    years: Estimate
    paces: tuple[Pace, ...]

    def summary(self) -> str:
        """The arrival in plain words."""
        months = "; ".join(f"{one.what}: {ranged(one.months)} months ({one.source})" for one in self.paces)
        return (
            f"{self.factor.show()} times as much is needed: {ranged(self.doublings)} doublings, "
            f"{ranged(self.years)} years if all goes on as before.\n  A doubling takes, by {months}"
        )


def effective_flops(flops: float | Estimate, *gains: Quantity) -> Quantity:
    """Compute in FLOP of the reference recipe: compute times each gain.

    Args:
        flops: Compute that is spent.
        gains: Efficiency over the reference, such as 2 for a recipe that needs half. Gains of changes that do
            the same work twice do not multiply; measure those together.

    >>> gain = Quantity(value=1.5, low=1.2, high=1.9, unit="1", origin="a sweep over optimizers")
    >>> effective_flops(1e21, gain).show()
    '1.5e+21 (1.2e+21 to 1.9e+21) FLOP'
    """
    whole = stated(flops, "FLOP", "training compute")
    for gain in gains:
        whole = whole.times(gain, "FLOP")
    return whole


def gain_of(multiplier: Multiplier, recipe: str) -> Quantity:
    """A measured compute multiplier as a gain, with its interval and the range of runs it was measured on.

    Raises:
        InputError: If the recipe was not compared, or what was multiplied is not compute.
    """
    if multiplier.what != "compute":
        raise InputError(
            f"This multiplier is of {multiplier.what}, and effective compute needs one of compute."
        )
    names = multiplier.table["recipe"].tolist()
    if recipe not in names:
        raise InputError(f"'{recipe}' was not compared with {multiplier.reference}; there are: {names}.")
    row = multiplier.table.iloc[names.index(recipe)]
    origin = f"{recipe} against {multiplier.reference}, measured on {len(multiplier.fit.data)} runs"
    value, low, high = (float(row[name]) for name in ("multiplier", "low", "high"))
    return Quantity(value=value, low=low, high=high, unit="1", origin=origin)


def pace(what: str, doubling_months: float, low: float, high: float, source: str) -> Pace:
    """A pace from a doubling time with its range, as papers state it.

    Args:
        low, high: Shortest and longest doubling time, in months.

    Raises:
        InputError: If the times are not above zero and in order.

    The algorithms of language models from 2012 to 2023 (Ho et al. 2024, arXiv:2403.05812):

    >>> algorithms = pace("algorithms", 8, 5, 14, "Ho et al. 2024, 95%")
    >>> algorithms.doublings.value
    1.5
    """
    require_above_zero(doubling_months=doubling_months, low=low, high=high)
    if not low <= doubling_months <= high:
        raise InputError(
            f"A doubling time lies within its range, in months: not {doubling_months} in {low} to {high}."
        )
    yearly = Estimate(value=12 / doubling_months, low=12 / high, high=12 / low, unit="1/year")
    return Pace(what=what, doublings=yearly, source=source)


def pace_of(
    what: str, years: Sequence[float], values: Sequence[float], *, source: str, level: float = 0.9
) -> Pace:
    """A pace from a history: a straight line through the logarithms, with Student's interval of its slope.

    Args:
        years: When, as decimal years.
        values: What was there, above zero.

    Raises:
        InputError: If there are fewer than three times, or a value is not above zero.

    >>> pace_of("compute", [2020, 2021, 2022, 2023], [1, 4, 16, 64], source="made up").months.value
    6.0
    """
    if len(years) != len(values) or len({str(year) for year in years}) < 3:
        raise InputError("A pace with a range takes three or more times, each with its value.")
    for year, value in zip(years, values, strict=True):
        require_number(year=year, value=value)
    if not np.isfinite(np.asarray(years, dtype=np.float64)).all():
        raise InputError("A pace is of finite years; leave out what was not dated.")
    if not all(value > 0 and math.isfinite(value) for value in values):
        raise InputError("A pace is of values above zero; leave out what was not measured.")
    from scipy.stats import linregress  # takes a second to load

    line = linregress(np.asarray(years, dtype=np.float64), np.log2(values))
    half = float(stdtrit(len(years) - 2, tails(level)[1])) * float(line.stderr)
    slope = float(line.slope)
    yearly = Estimate(value=slope, low=slope - half, high=slope + half, unit="1/year")
    return Pace(what=what, doublings=yearly, source=source)


def compute_gap(fit: Fit | Surface, *, loss: float, flops: float | Estimate, level: float = 0.9) -> Quantity:
    """How many times the compute of today a loss takes, by a law.

    Args:
        flops: Compute that is there today.

    Raises:
        InputError: If the loss is not above the floor of the law, or flops is not above zero.

    >>> law = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> print(f"{compute_gap(Surface.from_coefficients(law), loss=1.9, flops=1e24).value:.3g}")
    21
    """
    today = stated(flops, "FLOP", "compute of today")
    least = floors(fit, loss=loss, level=level).flops
    # A skewed fit may put its own value outside the middle of its draws.
    ends = (
        (least.low, least.high)
        if math.isnan(least.low)
        else (min(least.low, least.value), max(least.high, least.value))
    )
    held = Estimate(value=least.value, low=ends[0], high=ends[1], unit="FLOP")
    return stated(held, "FLOP", f"least compute for a loss of {loss:g}").over(today, "1")


def time_to(factor: float | Quantity, *paces: Pace) -> Arrival:
    """When a factor of growth is reached by several growths together.

    Doublings of what multiplies add up: recipes, FLOP for a dollar, dollars. Ranges combine in squares.

    Args:
        factor: What is needed over what there is, above 1; from `compute_gap` with its range.

    Raises:
        InputError: If no pace is given, they do not grow together, or the factor is 1 or less.

    A hundredfold at a doubling in eight months of algorithms and thirty of hardware:

    >>> algorithms = pace("algorithms", 8, 5, 14, "Ho et al. 2024, 95%")
    >>> hardware = pace("FLOP for a dollar", 30, 24, 37, "a guess")
    >>> print(f"{time_to(100, algorithms, hardware).years.value:.2f}")
    3.50
    """
    needed = stated(factor, "1", "factor of growth")
    together = _together(paces)
    if needed.value <= 1:
        raise InputError(f"A factor of {needed.value:g} is reached already; ask for more than 1.")
    if not together.value > 0:
        raise InputError(f"At {together.value:.3g} doublings a year nothing is reached; the paces must grow.")
    doublings = Estimate(
        value=math.log2(needed.value), low=math.log2(needed.low), high=math.log2(needed.high), unit="1"
    )
    return Arrival(factor=needed, doublings=doublings, years=_years(doublings, together), paces=paces)


def _together(paces: Sequence[Pace]) -> Estimate:
    if not paces:
        raise InputError("Give at least one pace; see pace and pace_of.")
    rates = [one.doublings for one in paces]
    value = sum(one.value for one in rates)
    down = math.hypot(*(one.value - one.low for one in rates))
    up = math.hypot(*(one.high - one.value for one in rates))
    return Estimate(value=value, low=value - down, high=value + up, unit="1/year")


def _years(doublings: Estimate, rate: Estimate) -> Estimate:
    """Doublings over a rate: half-widths add in squares on the log scale; 0 or infinite past an end."""
    value = doublings.value / rate.value
    sooner = math.hypot(_log(doublings.value, doublings.low), _log(rate.high, rate.value))
    later = math.hypot(_log(doublings.high, doublings.value), _log(rate.value, rate.low))
    return Estimate(value=value, low=value * math.exp(-sooner), high=value * math.exp(later), unit="year")


def _log(more: float, less: float) -> float:
    return math.log(more / less) if less > 0 else math.nan if math.isnan(less) else math.inf


def _months(doublings: float) -> float:
    return 12 / doublings if doublings > 0 else math.inf
