"""What is believed of a law's coefficients before the runs are seen: the priors of `posterior`.

A prior is any value with the two methods of `Prior`; the ones here are the usual ones. All are stated in the
coefficient's own unit, never in that of a working scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError, did_you_mean
from allometry.units import read_quantity

Array = NDArray[np.float64]


class Prior(Protocol):
    """A probability density over one number."""

    def log_density(self, value: Array) -> Array:
        """Log of the density at each value, per unit of the value; -inf where it cannot be."""
        ...

    def quantile(self, probability: float) -> float:
        """The value below which it lies with this probability."""
        ...


@dataclass(frozen=True)
class Normal:
    """A normal prior, cut off where the law's bounds are.

    Attributes:
        mean, sd: In the coefficient's unit.

    >>> round(Normal(1.7, 0.1).quantile(0.975), 3)
    1.896
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _above_zero("The sd of a normal prior", self.sd)

    def log_density(self, value: Array) -> Array:
        """As `Prior.log_density`."""
        away = (value - self.mean) / self.sd
        return np.asarray(-0.5 * away * away - np.log(self.sd * np.sqrt(2 * np.pi)))

    def quantile(self, probability: float) -> float:
        """As `Prior.quantile`."""
        return self.mean + self.sd * _normal_quantile(probability)


@dataclass(frozen=True)
class LogNormal:
    """A prior whose logarithm is normal, for what is above zero and known to a factor.

    Attributes:
        median: In the coefficient's unit.
        factor: Two thirds of the belief lie between median / factor and median · factor.

    >>> round(LogNormal(400, 10).quantile(0.84134))
    4000
    """

    median: float
    factor: float

    def __post_init__(self) -> None:
        _above_zero("The median of a log-normal prior", self.median)
        if not self.factor > 1:
            raise InputError(f"The factor of a log-normal prior must be above 1, not {self.factor}.")

    def log_density(self, value: Array) -> Array:
        """As `Prior.log_density`."""
        sd = np.log(self.factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = (np.log(value) - np.log(self.median)) / sd
            found = -0.5 * away * away - np.log(value * sd * np.sqrt(2 * np.pi))
        return np.where(value > 0, found, -np.inf)

    def quantile(self, probability: float) -> float:
        """As `Prior.quantile`."""
        return float(self.median * self.factor ** _normal_quantile(probability))


@dataclass(frozen=True)
class Uniform:
    """Every value between two ends is as likely as any other.

    >>> Uniform(1.0, 3.0).quantile(0.25)
    1.5
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"A uniform prior goes from low to high, not from {self.low} to {self.high}.")

    def log_density(self, value: Array) -> Array:
        """As `Prior.log_density`."""
        return np.where((value >= self.low) & (value <= self.high), -np.log(self.high - self.low), -np.inf)

    def quantile(self, probability: float) -> float:
        """As `Prior.quantile`."""
        return self.low + probability * (self.high - self.low)


@dataclass(frozen=True)
class LogUniform:
    """Every factor between two ends is as likely as any other: Jeffreys's prior of a scale, with ends.

    >>> round(LogUniform(1e-4, 1e-2).quantile(0.5), 6)
    0.001
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise InputError(
                f"A log-uniform prior goes from low to high above zero, not from {self.low} to {self.high}."
            )

    def log_density(self, value: Array) -> Array:
        """As `Prior.log_density`."""
        inside = (value >= self.low) & (value <= self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = -np.log(value) - np.log(np.log(self.high / self.low))
        return np.where(inside, found, -np.inf)

    def quantile(self, probability: float) -> float:
        """As `Prior.quantile`."""
        return float(self.low * (self.high / self.low) ** probability)


@dataclass(frozen=True)
class HalfCauchy:
    """A prior of a size of noise: half of it below `scale`, and a long tail above.

    Source:
        Gelman 2006, section 3.2, doi:10.1214/06-BA117A.

    >>> round(HalfCauchy(0.01).quantile(0.5), 6)
    0.01
    """

    scale: float

    def __post_init__(self) -> None:
        _above_zero("The scale of a half-Cauchy prior", self.scale)

    def log_density(self, value: Array) -> Array:
        """As `Prior.log_density`."""
        found = np.log(2 / (np.pi * self.scale)) - np.log1p((value / self.scale) ** 2)
        return np.where(value >= 0, found, -np.inf)

    def quantile(self, probability: float) -> float:
        """As `Prior.quantile`."""
        return float(self.scale * np.tan(0.5 * np.pi * probability))


_KINDS: dict[str, Callable[..., Prior]] = {
    "normal": Normal, "lognormal": LogNormal, "uniform": Uniform, "loguniform": LogUniform,
    "halfcauchy": HalfCauchy,
}  # fmt: skip


def read_prior(text: str) -> Prior:
    """A prior from text: its kind and its numbers in brackets.

    Raises:
        InputError: If there is no such kind, or the numbers are not those it takes.

    >>> read_prior("normal(1.7, 0.1)")
    Normal(mean=1.7, sd=0.1)
    """
    kind, opened, numbers = text.strip().removesuffix(")").partition("(")
    known = ", ".join(_KINDS)
    if kind not in _KINDS or not opened:
        raise InputError(
            f"'{text}' is not a prior.{did_you_mean(kind, _KINDS)} Write one like normal(1.7, 0.1); "
            f"there are: {known}."
        )
    values = [read_quantity(number) for number in numbers.split(",")]
    takes = len(signature(_KINDS[kind]).parameters)
    if len(values) != takes:
        raise InputError(f"A {kind} prior takes {takes} numbers, not {len(values)}: '{text}'.")
    return _KINDS[kind](*values)


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def _above_zero(what: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{what} must be above 0, not {value}.")
