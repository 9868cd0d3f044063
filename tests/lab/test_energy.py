"""Every amount of energy says where it comes from, has a range, and is never zero for want of a meter."""

import math
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from allometry.lab.energy import WATTS_PER_BUSY_THREAD, Rapl, open_meter, unavailable


def package(folder: Path, microjoules: int, wraps_at: int = 2**32) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{wraps_at}\n")
    return folder


def busy(path: Path, seconds: float) -> Path:
    path.write_text(f"cpu  {seconds * 100:.0f} 0 0 999 0 0 0 0 0 0\n")
    return path


def work(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_without_counters_cpu_seconds_are_modelled_with_a_range(tmp_path: Path) -> None:
    meter = open_meter(powercap=tmp_path)
    before = time.process_time()
    work(0.05)

    energy, spent = meter.read(), time.process_time() - before

    low, high = WATTS_PER_BUSY_THREAD
    assert energy.method == "modelled"
    assert energy.low == pytest.approx(low * spent, rel=0.1)
    assert energy.high == pytest.approx(high * spent, rel=0.1)
    assert energy.low < energy.joules < energy.high


def test_counters_are_read_over_their_wrap_and_packages_are_added(tmp_path: Path) -> None:
    folders = [package(tmp_path / "intel-rapl:0", 999_000_000, 10**9), package(tmp_path / "intel-rapl:1", 0)]
    meter = Rapl(folders, busy(tmp_path / "stat", 100.0))
    package(folders[0], 1_000_000, 10**9)  # 2 J later, over the wrap
    package(folders[1], 5_000_000)

    energy = meter.read()

    assert energy.method == "measured"
    assert energy.high == pytest.approx(7.0)


def test_a_shared_package_is_shared_out_by_busy_time(tmp_path: Path) -> None:
    folder, stat = package(tmp_path / "intel-rapl:0", 0), busy(tmp_path / "stat", 100.0)
    meter = Rapl([folder], stat)
    work(0.1)
    package(folder, 10_000_000)
    busy(stat, 100.4)

    energy = meter.read()

    assert energy.high == pytest.approx(10.0)
    assert energy.joules == pytest.approx(10.0 * 0.1 / 0.4, rel=0.15)


def test_domains_inside_a_package_are_not_counted_twice(tmp_path: Path) -> None:
    package(tmp_path / "intel-rapl:0", 0)
    inner = package(tmp_path / "intel-rapl:0:0", 0)
    meter = open_meter(powercap=tmp_path)
    package(inner, 5_000_000)

    assert meter.read().high == 0.0


def test_counters_for_root_only_are_modelled(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir(parents=True)  # cannot be read, even by root

    assert open_meter(powercap=tmp_path).read().method == "modelled"


def test_a_gpu_is_metered_in_joules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counter = iter([1_000.0, 4_500.0])  # mJ
    library = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(counter),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)

    energy = open_meter("cuda:1", powercap=tmp_path).read()

    assert energy.joules == pytest.approx(3.5, abs=0.5)  # and what the CPU used meanwhile
    assert energy.method == "modelled"  # as its worst part
    assert "NVML" in energy.how
    assert "CPU-seconds" in energy.how


def test_a_gpu_without_a_meter_makes_the_sum_unavailable_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    energy = open_meter("cuda", powercap=tmp_path).read()

    assert math.isnan(energy.joules)
    assert energy.method == "unavailable"
    assert energy.low >= 0
    assert "allometry[energy]" in energy.how


def test_what_is_unavailable_is_not_zero() -> None:
    energy = unavailable("GPU: no meter")

    assert math.isnan(energy.joules)
    assert math.isnan((energy + energy).high)
