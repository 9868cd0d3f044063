"""What a plan is asked for: one budget or one target, and all that it depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from allometry.errors import InputError
from allometry.planning.inference import Demand
from allometry.planning.numbers import require_number, require_share
from allometry.planning.rates import Rate
from allometry.planning.stocks import Stock
from allometry.units import show_count, show_power

Payment = Literal["training", "life"]
LEVEL = 0.9
TOLERANCE = 0.005  # share of the least loss that a near-optimal size may lose

_UNITS = {
    "flops": "FLOP",
    "device_hours": "device-hours",
    "usd": "USD",
    "kilowatt_hours": "kWh",
    "days": "days",
    "loss": "loss",
}
_ON_A_DEVICE = ("device_hours", "usd", "kilowatt_hours", "days")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One budget or one target loss, with the device, the demand and the data around it.

    Attributes:
        flops, device_hours, usd, kilowatt_hours, days, loss: Exactly one of them; days on all `devices`.
        rate: The device with every assumption, from `training_rate`; needed for any budget that is spent on
            one, and for a cost sheet.
        devices: How many train together.
        demand: What will be served; None for nothing.
        pays_for: Whether the budget is that of training alone, or of training and serving together.
        unique_tokens: Distinct tokens there are; None where they are no limit.
        stock: The sources of those, whose mean weight then counts; `allocate` gives both.
        level: Share the ranges are meant to contain.
        tolerance: Share of the least loss that the near-optimal band may lose.
        serving_utilisation: Share of the peak that serving reaches, which `demand` is already weighted by;
            None where it is that of training.

    >>> Question(flops=1e21).scaled(2).flops
    2e+21
    >>> Question(flops=1e21, loss=2.0)
    Traceback (most recent call last):
        ...
    allometry.errors.InputError: Give one budget or one target loss; flops and loss were given.
    """

    flops: float | None = None
    device_hours: float | None = None
    usd: float | None = None
    kilowatt_hours: float | None = None
    days: float | None = None
    loss: float | None = None
    rate: Rate | None = None
    devices: int = 1
    demand: Demand | None = None
    pays_for: Payment = "training"
    unique_tokens: float | None = None
    stock: Stock | None = None
    level: float = LEVEL
    tolerance: float = TOLERANCE
    serving_utilisation: float | None = None

    def __post_init__(self) -> None:
        given = [name for name in _UNITS if getattr(self, name) is not None]
        if len(given) != 1:
            told = f"{' and '.join(given)} were given" if given else f"choose from {', '.join(_UNITS)}"
            raise InputError(f"Give one budget or one target loss; {told}.")
        require_number(**{self.kind: getattr(self, self.kind)})
        _refuse_amount(self.kind, self.amount)
        if self.kind in _ON_A_DEVICE and self.rate is None:
            raise InputError(
                f"What {self.kind} = {self.amount:g} buys depends on the device: name one, for example "
                "device='h100-sxm'."
            )
        _refuse_rest(self)

    @property
    def kind(self) -> str:
        """Which of the budgets was given, or "loss"."""
        return next(name for name in _UNITS if getattr(self, name) is not None)

    @property
    def amount(self) -> float:
        """The budget in its own unit, or the target loss."""
        return float(getattr(self, self.kind))

    @property
    def weight(self) -> float:
        """What a token is worth in tokens of the law's own text, on average over the stock."""
        return 1.0 if self.stock is None else self.stock.weight

    def scaled(self, factor: float) -> Question:
        """The same question with so many times the budget.

        Raises:
            InputError: If it asks for a target loss.
        """
        if self.kind == "loss":
            raise InputError("A target loss is no budget that could be scaled; ask for another loss.")
        return replace(self, **{self.kind: self.amount * factor})  # type: ignore[arg-type]

    def asked(self) -> str:
        """Budget or target in words.

        >>> Question(flops=1e21).asked(), Question(loss=2.1).asked()
        ('1e21 FLOP', 'a loss of 2.1')
        """
        if self.kind == "loss":
            return f"a loss of {self.amount:g}"
        shown = show_power(self.amount) if self.kind == "flops" else show_count(self.amount)
        plural = "" if self.devices == 1 else "s"
        many = f" on {self.devices} device{plural}" if self.kind == "days" else ""
        return f"{shown} {_UNITS[self.kind]}{many}"


def _refuse_amount(kind: str, amount: float) -> None:
    if not (amount > 0 and math.isfinite(amount)):
        if kind == "flops":
            raise InputError(f"A budget of {amount:g} FLOP buys no training; write it like 1e21.")
        what = "target loss" if kind == "loss" else f"budget in {_UNITS[kind]}"
        raise InputError(f"A {what} is a number above zero, not {amount:g}.")


def _refuse_rest(question: Question) -> None:
    require_number(devices=question.devices, unique_tokens=question.unique_tokens)
    if not question.devices >= 1:
        raise InputError(f"A run needs at least one device, not {question.devices}.")
    if question.devices % 1:
        raise InputError(f"Devices are counted in whole numbers, such as 8; not {question.devices}.")
    if question.pays_for not in get_args(Payment):
        raise InputError(f"A budget pays for 'training' or for the 'life'; not for '{question.pays_for}'.")
    require_share(level=question.level, tolerance=question.tolerance)
    stock = question.unique_tokens
    if stock is not None and not (stock >= 1 and math.isfinite(stock)):
        raise InputError(f"A stock of {stock:g} unique tokens holds nothing; write it like 4e11.")
    if question.pays_for == "life" and question.demand is None:
        raise InputError("A budget for the whole life needs to know what is served: give served_tokens.")
    if question.pays_for == "life" and question.kind == "days":
        raise InputError("Days of a training cluster pay for no serving: give usd or flops for the life.")
