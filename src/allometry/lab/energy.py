"""Energy of a training: measured where the machine tells, modelled where not, and always said which.

CPU: the package counters of RAPL where they may be read, else CPU-seconds times a range of watts.
GPU: the energy counter of NVML, else unavailable. Nothing is ever zero for want of a meter.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

Method = Literal["measured", "modelled", "unavailable"]
METHODS: tuple[Method, ...] = ("measured", "modelled", "unavailable")  # a sum is as good as its worst part

# Watts of a server per hardware thread at full load, by SPECpower: 1.64 (AMD EPYC, second generation) to
# 5.99 (Intel Haswell), as tabulated by Cloud Carbon Footprint. A busy thread that has its core to itself
# uses the share of two, so the upper end is doubled. The value between is the geometric mean.
WATTS_PER_BUSY_THREAD = (1.64, 11.98)


@dataclass(frozen=True, kw_only=True)
class Energy:
    """An amount of energy with its range and where it comes from.

    Attributes:
        joules: NaN if unavailable.
        low, high: Range in joules.
        method: "measured", "modelled" or "unavailable"; that of the worst part of a sum.
        how: In words.
    """

    joules: float
    low: float
    high: float
    method: Method
    how: str

    def __add__(self, other: Energy) -> Energy:
        """The energy of both; what is known of an unavailable part's sum is its lower end."""
        method = max(self.method, other.method, key=METHODS.index)
        ways = list(dict.fromkeys((*self.how.split("; "), *other.how.split("; "))))
        return Energy(
            joules=self.joules + other.joules,
            low=sum(one.low for one in (self, other) if not math.isnan(one.low)),
            high=self.high + other.high,
            method=method,
            how="; ".join(ways),
        )

    def times(self, share: float) -> Energy:
        """A part of it."""
        return replace(self, joules=self.joules * share, low=self.low * share, high=self.high * share)


def unavailable(what: str) -> Energy:
    """Energy that nothing here can tell."""
    return Energy(joules=math.nan, low=math.nan, high=math.nan, method="unavailable", how=what)


class CpuModel:
    """CPU-seconds of this process times watts per busy thread."""

    def __init__(self) -> None:
        self._begun = time.process_time()

    def poll(self) -> None:
        """Nothing to do: the clock does not wrap."""

    def read(self) -> Energy:
        """Since the meter was made."""
        seconds = time.process_time() - self._begun
        low, high = (seconds * watts for watts in WATTS_PER_BUSY_THREAD)
        return Energy(
            joules=math.sqrt(low * high),
            low=low,
            high=high,
            method="modelled",
            how="CPU: CPU-seconds times {:g} to {:g} W".format(*WATTS_PER_BUSY_THREAD),
        )


class Rapl:
    """The counters of the CPU packages, shared out by this process's part of the busy time.

    Args:
        packages: Folders with `energy_uj` and `max_energy_range_uj`.
        stat: The kernel's account of busy time.
    """

    def __init__(self, packages: Sequence[Path], stat: Path = Path("/proc/stat")) -> None:
        self._packages = packages
        self._stat = stat
        self._last = [_number(package / "energy_uj") for package in packages]
        self._wraps = [_number(package / "max_energy_range_uj") for package in packages]
        self._joules = 0.0
        self._begun_busy, self._begun_own = _busy_seconds(stat), time.process_time()

    def poll(self) -> None:
        """Read the counters; needed more often than they wrap, which takes half an hour at full load."""
        now = [_number(package / "energy_uj") for package in self._packages]
        for last, current, wrap in zip(self._last, now, self._wraps, strict=True):
            self._joules += ((current - last) % wrap if wrap else max(0, current - last)) / 1e6
        self._last = now

    def read(self) -> Energy:
        """Since the meter was made: this process's share; the upper end is all that the packages used."""
        self.poll()
        busy = _busy_seconds(self._stat) - self._begun_busy
        own = time.process_time() - self._begun_own
        share = min(1.0, own / busy) if busy > 0 else 1.0
        return Energy(
            joules=share * self._joules,
            low=share * self._joules,
            high=self._joules,
            method="measured",
            how="CPU: RAPL packages, by share of the busy time",
        )


class Nvml:
    """The energy counter of one NVIDIA GPU; whatever else runs on it counts too."""

    def __init__(self, handle: Any, library: Any) -> None:
        self._handle, self._library = handle, library
        self._begun = self._now()

    def _now(self) -> float:
        return float(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3  # from mJ

    def poll(self) -> None:
        """Nothing to do: the counter holds 64 bits."""

    def read(self) -> Energy:
        """Since the meter was made."""
        joules = self._now() - self._begun
        return Energy(joules=joules, low=joules, high=joules, method="measured", how="GPU: NVML counter")


class NoMeter:
    """A device that cannot be asked."""

    def __init__(self, what: str) -> None:
        self._what = what

    def poll(self) -> None:
        """Nothing to do."""

    def read(self) -> Energy:
        """Unavailable, and why."""
        return unavailable(self._what)


Meter = CpuModel | Rapl | Nvml | NoMeter


class Readable(Protocol):
    """What tells the energy of a training."""

    def poll(self) -> None:
        """To be called every few minutes: counters wrap."""
        ...

    def read(self) -> Energy:
        """Since it was opened."""
        ...


@dataclass(frozen=True)
class EnergyMeter:
    """The meters of a training; begins when it is made.

    >>> energy = open_meter().read()
    >>> energy.method in ("measured", "modelled"), energy.low <= energy.joules <= energy.high
    (True, True)
    """

    meters: tuple[Meter, ...]

    def poll(self) -> None:
        """To be called every few minutes: counters wrap."""
        for meter in self.meters:
            meter.poll()

    def read(self) -> Energy:
        """Since the meter was opened, over all devices."""
        first, *others = [meter.read() for meter in self.meters]
        total = first
        for other in others:
            total += other
        return total


def open_meter(device: str = "cpu", *, powercap: Path = Path("/sys/class/powercap")) -> EnergyMeter:
    """The best meters there are for the CPU and a device.

    Args:
        device: "cpu", "cuda", "cuda:1" …
        powercap: Where the kernel shows the counters of the packages.
    """
    cpu = _cpu_meter(powercap)
    return EnergyMeter((cpu,) if device == "cpu" else (_gpu_meter(device), cpu))


def _cpu_meter(powercap: Path) -> CpuModel | Rapl:
    # Top-level domains only: "intel-rapl:0" holds "intel-rapl:0:1". The counters are for root since 2020.
    packages = sorted(path for path in powercap.glob("*-rapl:*") if path.name.count(":") == 1)
    try:
        return Rapl(packages) if packages else CpuModel()
    except OSError:
        return CpuModel()


def _gpu_meter(device: str) -> Nvml | NoMeter:
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return NoMeter(f"GPU: no meter for {kind}")
    try:
        import pynvml
    except ImportError:
        return NoMeter("GPU: no meter without NVML: pip install 'allometry[energy]'")
    try:
        pynvml.nvmlInit()
        return Nvml(pynvml.nvmlDeviceGetHandleByIndex(int(index or 0)), pynvml)
    except pynvml.NVMLError as error:
        return NoMeter(f"GPU: NVML says {error}")


def _number(path: Path) -> int:
    return int(path.read_text())


def _busy_seconds(stat: Path) -> float:
    """CPU time of all processes since the machine began, in seconds."""
    # cpu  user nice system idle iowait irq softirq steal …, in ticks
    user, nice, system, _, _, irq, softirq, *_ = map(int, stat.read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
