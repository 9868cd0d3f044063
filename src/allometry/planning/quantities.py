"""A number with its range and where it came from, and how such numbers multiply."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from allometry.errors import InputError
from allometry.fitting.result import Estimate
from allometry.planning.numbers import require_number


@dataclass(frozen=True, kw_only=True)
class Quantity(Estimate):
    """A number above zero, its range, its unit, and where it came from.

    Attributes:
        low, high: Ends of the range; both equal to the value for a number that is given as certain, NaN where
            nothing is known of it.
        origin: Where value and range came from, in words.
    """

    origin: str

    def __post_init__(self) -> None:
        ends_fit = math.isnan(self.low) or self.low <= self.value <= self.high
        if not (math.isfinite(self.value) and self.value >= 0 and ends_fit):
            raise InputError(
                f"{self.value:g} {self.unit} with a range from {self.low:g} to {self.high:g} ({self.origin}) "
                "is no quantity: it must be finite, not below zero, and lie within its range."
            )

    def times(self, other: Quantity, unit: str) -> Quantity:
        """The product of two independent quantities: half-widths add in squares on the log scale.

        >>> hours = Quantity(value=100, low=50, high=200, unit="h", origin="a timing")
        >>> price = exactly(2.0, "USD/h", "an invoice")
        >>> cost = hours.times(price, "USD")
        >>> cost.low, cost.value, cost.high, cost.origin
        (100.0, 200.0, 400.0, 'a timing; an invoice')
        """
        value = self.value * other.value
        return Quantity(
            value=value,
            low=value / _spread(self.value / _or_nan(self.low), other.value / _or_nan(other.low)),
            high=value * _spread(self.high / _or_nan(self.value), other.high / _or_nan(other.value)),
            unit=unit,
            origin=_joined(self.origin, other.origin),
        )

    def over(self, other: Quantity, unit: str) -> Quantity:
        """The ratio of two independent quantities."""
        return self.times(other.inverse(), unit)

    def inverse(self) -> Quantity:
        """One over the quantity: the ends change places."""
        return replace(self, value=1 / self.value, low=1 / self.high, high=1 / self.low)

    def scaled(self, factor: float, unit: str) -> Quantity:
        """The quantity times a number that is certain, such as a change of unit."""
        return replace(
            self, value=self.value * factor, low=self.low * factor, high=self.high * factor, unit=unit
        )

    def show(self, number: Callable[[float], str] = "{:.3g}".format) -> str:
        """Value, range and unit on one line.

        >>> Quantity(value=0.4, low=0.3, high=0.5, unit="", origin="a guess").show()
        '0.4 (0.3 to 0.5)'
        """
        unit = "" if self.unit == "1" else self.unit
        return f"{ranged(self, number)} {unit}".strip()


def ranged(estimate: Estimate, number: Callable[[float], str] = "{:.3g}".format) -> str:
    """Value and range on one line; the value alone where there is no range.

    >>> ranged(Estimate(value=2.0, low=1.5, high=2.5, unit="h"))
    '2 (1.5 to 2.5)'
    """
    if math.isnan(estimate.low) or estimate.low == estimate.high:
        return number(estimate.value)
    return f"{number(estimate.value)} ({number(estimate.low)} to {number(estimate.high)})"


def exactly(value: float, unit: str, origin: str) -> Quantity:
    """A number that is taken as certain."""
    return Quantity(value=value, low=value, high=value, unit=unit, origin=origin)


def within(low: float, value: float, high: float, unit: str, origin: str) -> Quantity:
    """A number with the ends of its range around it."""
    return Quantity(value=value, low=low, high=high, unit=unit, origin=origin)


def stated(value: float | Estimate, unit: str, what: str) -> Quantity:
    """A number from the user as a quantity: a plain number is taken as certain.

    Args:
        value: A number above zero, or one with its range.
        what: What it is, in words, for its origin and for messages.

    Raises:
        InputError: If it is not a number above zero.

    >>> stated(0.45, "1", "utilisation").origin
    'utilisation, given'
    >>> stated(-1, "USD", "budget")
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: A budget is a number above zero (USD), not -1.
    """
    if isinstance(value, Quantity):
        return value
    number = value.value if isinstance(value, Estimate) else value
    require_number(**{what: number})
    if not (number > 0 and math.isfinite(number)):
        article = "An" if what[0] in "aeiou" else "A"
        raise InputError(f"{article} {what} is a number above zero ({unit}), not {number:g}.")
    low, high = (value.low, value.high) if isinstance(value, Estimate) else (number, number)
    return Quantity(value=number, low=low, high=high, unit=unit, origin=f"{what}, given")


def _spread(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return math.nan
    return math.exp(math.hypot(math.log(one), math.log(other)))


def _or_nan(value: float) -> float:
    # A quantity of zero has no logarithm: a product with it has no range on that side.
    return value or math.nan


def _joined(*origins: str) -> str:
    return "; ".join(dict.fromkeys(part for origin in origins for part in origin.split("; ") if part))
