"""How fast a device trains, and what an hour of it takes, with every assumption named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from allometry.errors import InputError
from allometry.planning.devices import DEVICES, Device
from allometry.planning.energy import device_power
from allometry.planning.numbers import require_number
from allometry.planning.quantities import Quantity, exactly, stated, within

# Of whole runs, pauses and restarts included: 6ND over hours times peak is 0.32 to 0.50 for LLaMA, Llama 2
# and 3, BLOOM, DeepSeek-V3 and nanochat. A goodput on top of it would count the pauses twice.
UTILISATION = within(0.30, 0.40, 0.50, "1", "assumed share of the peak over a whole run, pauses included")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast a device trains, and what an hour of it takes.

    Attributes:
        device: The device.
        peak: Dense peak in FLOP/s at `precision`.
        utilisation: Share of the peak while it trains.
        goodput: Share of the paid hours in which it trains; 1 where the utilisation is of the whole run.
        price: US dollars for one device and hour.
        power: Watts of one device.
        pue: Energy of the site over that of its devices.
        carbon_intensity: Kilograms of CO2 equivalent for one kWh of the grid.
        missing: What could not be stated, and what to give for it.
    """

    device: Device
    precision: str
    peak: Quantity
    utilisation: Quantity
    goodput: Quantity
    price: Quantity | None
    power: Quantity | None
    pue: float | Quantity | None
    carbon_intensity: float | Quantity | None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def flops_per_hour(self) -> Quantity:
        """FLOP that one paid hour of one device does."""
        trained = self.peak.times(self.utilisation, "FLOP/s").times(self.goodput, "FLOP/s")
        return trained.scaled(3600, "FLOP/h")


def training_rate(
    device: str | Device,
    *,
    precision: str = "bf16",
    utilisation: float | Quantity | None = None,
    goodput: float | Quantity | None = None,
    usd_per_hour: float | Quantity | None = None,
    price_as_of: str = "",
    watts: float | Quantity | None = None,
    pue: float | Quantity | None = None,
    kg_per_kwh: float | Quantity | None = None,
) -> Rate:
    """How fast a device trains and what an hour of it takes, with a stated range for all that is not given.

    Args:
        utilisation: Share of the dense peak; 0.30 to 0.50 of the whole run if not given.
        goodput: Share of the paid hours in which the run advances, for a utilisation that was measured while
            it did; 1 if not given.
        usd_per_hour: Price of one device and hour; the catalog's dated range if not given and known.
        price_as_of: When that price was asked, as a year and month; needed for a price given as a number.
        watts: Measured power of one device; see `device_power`.
        pue: See `site_energy`.
        kg_per_kwh: Carbon of the grid; without it there is no carbon on the sheet.

    Raises:
        InputError: If a share is above 1, a price has no date, or the device has no such peak.
        UnknownName: If no device has that name.

    >>> training_rate("h100-sxm").flops_per_hour.show()
    '1.42e+18 (1.07e+18 to 1.78e+18) FLOP/h'
    """
    chosen = DEVICES[device] if isinstance(device, str) else device
    if not isinstance(chosen, Device):
        raise InputError(f"A device is a name such as 'h100-sxm' or a Device, not {device!r}.")
    whole = exactly(1.0, "1", "pauses are in the utilisation")
    power = None if watts is None and chosen.power is None else device_power(chosen, watts)
    price = _price(chosen, usd_per_hour, price_as_of)
    return Rate(
        device=chosen,
        precision=precision,
        peak=chosen.peak_quantity(precision),
        utilisation=UTILISATION if utilisation is None else _share(utilisation, "utilisation"),
        goodput=whole if goodput is None else _share(goodput, "goodput"),
        price=price,
        power=power,
        pue=pue,
        carbon_intensity=kg_per_kwh,
        missing=_missing(chosen, price, power, kg_per_kwh),
    )


def _share(value: float | Quantity, what: str) -> Quantity:
    share = stated(value, "1", what)
    if max(share.value, share.high) > 1:
        raise InputError(f"A {what} is a share of 1, for example 0.4; not {share.high:g}.")
    return share


def _price(device: Device, usd_per_hour: float | Quantity | None, as_of: str) -> Quantity | None:
    if usd_per_hour is None:
        return None if device.price is None else device.rental()
    if isinstance(usd_per_hour, Quantity):
        return usd_per_hour
    require_number(usd_per_hour=usd_per_hour)
    if not re.fullmatch(r"\d{4}-\d\d(-\d\d)?", str(as_of)):
        raise InputError(
            f"A price of {usd_per_hour} USD per hour holds at a time: add price_as_of, for example '2026-05'."
        )
    return exactly(
        stated(usd_per_hour, "USD/h", "price").value, "USD/h", f"price of one device and hour, given, {as_of}"
    )


def _missing(
    device: Device, price: Quantity | None, power: Quantity | None, intensity: float | Quantity | None
) -> dict[str, str]:
    lacks = {}
    if price is None:
        lacks["money"] = f"no price is known for {device.name}: give usd_per_hour with price_as_of"
    if power is None:
        lacks["energy"] = f"no power is known for {device.name}: give watts of one device"
    if intensity is None or power is None:
        lacks["carbon"] = "give kg_per_kwh of the grid that is used (0.02 to 0.8), and the power if not known"
    return lacks
