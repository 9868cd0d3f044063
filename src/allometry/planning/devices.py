"""Accelerators by name: dense peaks, memory, bandwidth, power and price, each with source and date."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from allometry.errors import InputError
from allometry.planning.quantities import Quantity, exactly, within
from allometry.registry import Catalog

Precision = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"]
Accumulate = Literal["fp32", "fp16", "int32"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number of a device's sheet.

    Attributes:
        value: In base units.
        source: Where it was read.
        as_of: When that was known, as a year or a year and month.
        recalled: It stands there for want of a page that states it; check it before relying on it.
    """

    value: float
    source: str
    as_of: str
    recalled: bool = False

    def __post_init__(self) -> None:
        if not self.value > 0:
            raise ValueError(f"A figure of a device is above zero, not {self.value} ({self.source}).")
        _refuse_undated(self.as_of)

    @property
    def origin(self) -> str:
        """Source and date in words, and whether it is only recalled."""
        doubt = ", recalled and not read there" if self.recalled else ""
        return f"{self.source}, {self.as_of}{doubt}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak(Figure):
    """Dense FLOP/s (integer operations for int8) at one precision, and what the products are summed in."""

    precision: Precision
    accumulate: Accumulate

    def __post_init__(self) -> None:
        # Not super(): a slotted dataclass is made anew, and the old class is what super() would look for.
        Figure.__post_init__(self)
        if self.precision not in get_args(Precision) or self.accumulate not in get_args(Accumulate):
            raise ValueError(f"No such peak: {self.precision} summed in {self.accumulate}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An hour of one device, rented: US dollars, from the cheapest to the dearest offer seen."""

    low: float
    middle: float
    high: float
    source: str
    as_of: str

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.middle <= self.high:
            raise ValueError(
                f"A price range is above zero and in order, not {self.low}, {self.middle}, {self.high}."
            )
        _refuse_undated(self.as_of)

    def quantity(self) -> Quantity:
        """The price as a number with its range."""
        origin = f"rental price seen {self.as_of} ({self.source})"
        return within(self.low, self.middle, self.high, "USD/h", origin)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One accelerator.

    Attributes:
        name, title: The catalog's name; the maker's, with the memory that tells variants apart.
        memory: Bytes.
        bandwidth: Byte/s between memory and cores.
        power: Design power of one device in watts, where a source states it. Boards, hosts and network
            come on top.
        peaks: Dense peaks; never one that counts on sparsity.
        price: What an hour was offered for, where a source states it.
        notes: What sources disagree on.
    """

    name: str
    title: str
    memory: Figure
    bandwidth: Figure
    peaks: tuple[Peak, ...]
    power: Figure | None = None
    price: Price | None = None
    notes: str = ""

    def peak(self, precision: str, accumulate: str | None = None) -> Peak:
        """The dense peak at a precision.

        Args:
            precision: "bf16", "fp8", "fp16", "int8", "fp32".
            accumulate: What products are summed in; the first one listed if not given.

        Raises:
            InputError: If no such peak is recorded for this device.

        >>> DEVICES["h100-sxm"].peak("bf16").value
        989400000000000.0
        >>> DEVICES["v100-sxm"].peak("bf16")
        Traceback (most recent call last):
            ...
        allometry.errors.InputError: No dense 'bf16' peak is known for v100-sxm. It has: fp16, fp32.
        """
        for one in self.peaks:
            if one.precision == precision and accumulate in (None, one.accumulate):
                return one
        summed = f" summed in {accumulate}" if accumulate else ""
        have = ", ".join(dict.fromkeys(one.precision for one in self.peaks))
        raise InputError(f"No dense '{precision}' peak{summed} is known for {self.name}. It has: {have}.")

    def design_power(self) -> Figure:
        """The design power.

        Raises:
            InputError: If no source states it.
        """
        if self.power is None:
            raise InputError(f"No power is known for {self.name}; give the watts of one device, measured.")
        return self.power

    def rental(self) -> Quantity:
        """The price of an hour.

        Raises:
            InputError: If no source states one.
        """
        if self.price is None:
            raise InputError(f"No price is known for {self.name}; give US dollars for one device and hour.")
        return self.price.quantity()

    def peak_quantity(self, precision: str) -> Quantity:
        """The dense peak as a number with its origin, taken as certain."""
        peak = self.peak(precision)
        text = f"dense {precision} peak of {self.title} ({peak.origin})"
        return exactly(peak.value, "FLOP/s", text)


def read_devices(text: str) -> Catalog[Device]:
    """Devices from the text of a TOML file of the shape of `devices.toml`.

    Raises:
        InputError: If the text is no TOML or a device lacks a number.
    """
    try:
        tables = tomllib.loads(text)
        return Catalog("device", {name: _device(name, table) for name, table in tables.items()})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The devices cannot be read: {error}.") from error


def describe_device(device: Device, *, whole: bool = False) -> str:
    """A device on one line, or all that is known of it with sources.

    >>> describe_device(DEVICES["h100-sxm"])
    'h100-sxm: NVIDIA H100 SXM5, 80 GB; 989 TFLOP/s bf16, 80 GB, 700 W, 1.99 to 5 USD/h (2026-05)'
    """
    first = device.peaks[0]
    parts = [f"{first.value / 1e12:,.0f} TFLOP/s {first.precision}", f"{device.memory.value / 1e9:.3g} GB"]
    parts += [] if device.power is None else [f"{device.power.value:g} W"]
    if device.price is not None:
        ends = dict.fromkeys((f"{device.price.low:g}", f"{device.price.high:g}"))
        parts.append(f"{' to '.join(ends)} USD/h ({device.price.as_of})")
    line = f"{device.name}: {device.title}; {', '.join(parts)}"
    return "\n".join([line, *_sources(device)]) if whole else line


def _sources(device: Device) -> list[str]:
    figures = {"memory": device.memory, "bandwidth": device.bandwidth, "design power": device.power}
    peaks = {f"dense {one.precision} peak, summed in {one.accumulate}": one for one in device.peaks}
    units = {"memory": "B", "bandwidth": "B/s", "design power": "W"}
    lines = [
        f"  {name}: {one.value:.4g} {units.get(name, 'FLOP/s')}  [{one.origin}]"
        for name, one in {**figures, **peaks}.items()
        if one is not None
    ]
    price = (
        []
        if device.price is None
        else [f"  price: {device.price.quantity().show()}  [{device.price.source}]"]
    )
    return [*lines, *price, *([f"  {device.notes}"] if device.notes else [])]


def _device(name: str, table: Mapping[str, Any]) -> Device:
    try:
        stated = {key: table[key] for key in ("source", "as_of")}
        return Device(
            name=name,
            title=table["title"],
            memory=Figure(**{**stated, **table["memory_bytes"]}),
            bandwidth=Figure(**{**stated, **table["bandwidth_bytes_per_second"]}),
            power=Figure(**{**stated, **table["power_watts"]}) if "power_watts" in table else None,
            price=_price(table["price_usd_per_hour"]) if "price_usd_per_hour" in table else None,
            peaks=tuple(Peak(**{**stated, **one}) for one in table["peaks_flops_per_second"]),
            notes=table.get("notes", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Device '{name}' cannot be read: {error}. See devices.toml for the shape."
        ) from error


def _refuse_undated(as_of: str) -> None:
    if not re.fullmatch(r"\d{4}(-\d\d)?", as_of):
        raise ValueError(f"'{as_of}' is no date of a source; write a year or a year and month, as 2026-05.")


def _price(table: Mapping[str, Any]) -> Price:
    # Without a middle, the geometric one: offers spread by factors.
    middle = table.get("middle", (table["low"] * table["high"]) ** 0.5)
    return Price(**{"middle": middle, **table})


DEVICES: Catalog[Device] = read_devices(Path(__file__).with_name("devices.toml").read_text("utf-8"))
