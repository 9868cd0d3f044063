"""What a training run takes, from its FLOP to device-hours, days, money, energy and carbon, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allometry.errors import InputError
from allometry.fitting.result import Estimate
from allometry.planning.energy import device_power, grid_carbon, site_energy
from allometry.planning.numbers import require_number
from allometry.planning.quantities import Quantity, exactly, stated
from allometry.planning.rates import Rate
from allometry.units import show_count, show_power


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What some compute takes. A cost without the number it needs is None; `CostSheet.missing` says why."""

    device_hours: Quantity
    money: Quantity | None
    energy: Quantity | None
    carbon: Quantity | None


@dataclass(frozen=True, kw_only=True)
class CostSheet:
    """What a training run takes, each number with its range and where it came from.

    Attributes:
        flops: Compute of the final run.
        flops_convention: How it was counted.
        rate: The device with every assumption.
        devices: How many train together.
        days: From start to end on so many devices.
        run: Costs of the final run.
        development: Compute of the whole project over that of the final run.
        project: Costs of the run with all that went before it.
        missing: Cost to the sentence that says what to give for it.
    """

    flops: Quantity
    flops_convention: str
    rate: Rate
    devices: int
    days: Quantity
    run: Costs
    development: Quantity
    project: Costs
    missing: Mapping[str, str]

    def summary(self) -> str:
        """The sheet in plain words."""
        return "\n".join(_sentences(self))


def cost_sheet(
    flops: float | Estimate,
    rate: Rate,
    *,
    devices: int = 1,
    development: float | Quantity = 1.0,
    flops_convention: str = "6ND",
) -> CostSheet:
    """What a training run takes on a device, and the project around it.

    Ranges of independent numbers combine in squares on the log scale, so that the range of a product holds
    about the share that those of its factors hold.

    Args:
        flops: Compute of the run; a number, or one with its range such as a plan's.
        rate: From `training_rate`.
        devices: How many train together; divides the days, not the hours.
        development: Compute of the whole project over that of the final run. 1 counts the run alone; half as
            much again went into trials for OLMo up to 13B (arXiv:2503.05804), and 82% of the whole for
            Olmo 3, which is a factor of 5.6.

    Raises:
        InputError: If a number is not above zero, or development is below 1.

    DeepSeek-V3's pre-training, as its authors price it:

    >>> from allometry.planning.rates import training_rate
    >>> rate = training_rate("h800-sxm", utilisation=0.343)
    >>> sheet = cost_sheet(6 * 36.63e9 * 14.8e12, rate, devices=2048)
    >>> print(f"{sheet.run.device_hours.value:.3g} h, {sheet.run.money.value:.3g} USD")
    2.66e+06 h, 5.33e+06 USD
    """
    compute = stated(flops, "FLOP", "training compute")
    require_number(devices=devices)
    if not devices >= 1:
        raise InputError(f"A run needs at least one device, not {devices}.")
    if devices % 1:
        raise InputError(f"Devices are counted in whole numbers, such as 8; not {devices}.")
    more = stated(development, "1", "development multiplier")
    if more.value < 1:
        raise InputError(
            f"A project holds its final run: a development multiplier is 1 or more, not {more.value:g}."
        )
    hours = compute.over(rate.flops_per_hour, "device-hour")
    return CostSheet(
        flops=compute,
        flops_convention=flops_convention,
        rate=rate,
        devices=devices,
        days=hours.scaled(1 / devices / 24, "day"),
        run=hour_costs(hours, rate),
        development=more,
        project=hour_costs(hours.times(more, "device-hour"), rate),
        missing=rate.missing,
    )


def hour_costs(device_hours: float | Quantity, rate: Rate) -> Costs:
    """Money, energy and carbon of so many hours of one device."""
    hours = stated(device_hours, "device-hour", "number of device-hours")
    energy = None if rate.power is None else site_energy(hours, rate.power, rate.pue)
    intensity = rate.carbon_intensity
    return Costs(
        device_hours=hours,
        money=None if rate.price is None else hours.times(rate.price, "USD"),
        energy=energy,
        carbon=None if energy is None or intensity is None else grid_carbon(energy, intensity),
    )


def budget_flops(
    rate: Rate,
    *,
    device_hours: float | None = None,
    usd: float | None = None,
    kilowatt_hours: float | None = None,
    days: float | None = None,
    devices: int = 1,
) -> Quantity:
    """Compute that a budget buys: the way back from a cost sheet.

    Args:
        device_hours, usd, kilowatt_hours, days: The budget, in exactly one of these; days on `devices`.

    Raises:
        InputError: If there is no budget or more than one, or the price or power it needs is not known.

    Eight H100 for thirty days:

    >>> from allometry.planning.rates import training_rate
    >>> budget_flops(training_rate("h100-sxm"), days=30, devices=8).show()
    '8.21e+21 (6.15e+21 to 1.03e+22) FLOP'
    """
    budgets = {"device_hours": device_hours, "usd": usd, "kilowatt_hours": kilowatt_hours, "days": days}
    given = {name: value for name, value in budgets.items() if value is not None}
    if len(given) != 1:
        told = f"{' and '.join(given)} were given" if given else "none was given"
        raise InputError(f"Give one budget out of {', '.join(budgets)}; {told}.")
    ((name, value),) = given.items()
    amount = stated(value, name.replace("_", " "), "budget")
    return budget_hours(name, amount, rate, devices).times(rate.flops_per_hour, "FLOP")


def budget_hours(name: str, amount: Quantity, rate: Rate, devices: int) -> Quantity:
    """Device-hours that an amount of one kind, as `budget_flops` names them, pays for."""
    if name == "usd":
        return amount.over(rate.price or rate.device.rental(), "device-hour")
    if name == "kilowatt_hours":
        power = rate.power or device_power(rate.device)
        an_hour = site_energy(exactly(1.0, "device-hour", ""), power, rate.pue)
        return amount.over(an_hour, "device-hour")
    return amount.scaled(24 * devices if name == "days" else 1, "device-hour")


def achieved_utilisation(flops: float, device_hours: float, peak_flops_per_second: float) -> float:
    """Share of the peak that a finished run reached over all its hours.

    LLaMA 65B on 1.4e12 tokens in 1,022,362 hours of an A100:

    >>> round(achieved_utilisation(6 * 65.3e9 * 1.4e12, 1_022_362, 312e12), 3)
    0.478
    """
    return flops / (3600 * device_hours * peak_flops_per_second)


def _sentences(sheet: CostSheet) -> list[str]:
    rate = sheet.rate
    lines = [
        f"{sheet.flops.show(show_power)} ({sheet.flops_convention}) on {sheet.devices} x {rate.device.title}",
        f"  utilisation  {rate.utilisation.show()}  [{rate.utilisation.origin}]",
        f"  goodput      {rate.goodput.show()}  [{rate.goodput.origin}]",
        f"  days         {sheet.days.show(show_count)}",
        *_cost_lines(sheet.run, sheet.missing),
        *(f"  assumed: {text}" for text in _assumed(rate)),
    ]
    if sheet.development.value > 1:
        lines += [f"With development, {sheet.development.show()} times the run:"]
        lines += _cost_lines(sheet.project, {})
    return lines


def _cost_lines(costs: Costs, missing: Mapping[str, str]) -> list[str]:
    named = {"money": costs.money, "energy": costs.energy, "carbon": costs.carbon}
    lines = [f"  hours        {costs.device_hours.show(show_count)}"]
    lines += [f"  {name:12s} {cost.show(show_count)}" for name, cost in named.items() if cost is not None]
    return lines + [f"  {name:12s} not known: {why}" for name, why in missing.items()]


def _assumed(rate: Rate) -> list[str]:
    return [one.origin for one in (rate.peak, rate.price, rate.power) if one is not None]
