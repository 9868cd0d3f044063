"""What every device in the catalog must obey."""

import tomllib
from pathlib import Path

import pytest

import allometry.planning.devices as devices
from allometry.planning.devices import DEVICES, Device, Figure, Price

TOML = Path(devices.__file__).with_name("devices.toml").read_text("utf-8")
KEYS_WITH_UNITS = {
    "memory_bytes",
    "bandwidth_bytes_per_second",
    "power_watts",
    "peaks_flops_per_second",
    "price_usd_per_hour",
}
WORDS = {"title", "source", "as_of", "notes"}


@pytest.fixture(params=list(DEVICES))
def device(request: pytest.FixtureRequest) -> Device:
    return DEVICES[request.param]


def test_every_number_has_its_unit_in_the_key(device: Device) -> None:
    assert set(tomllib.loads(TOML)[device.name]) <= KEYS_WITH_UNITS | WORDS


def test_every_number_has_a_source_and_a_date(device: Device) -> None:
    figures: list[Figure | Price | None] = [
        device.memory,
        device.bandwidth,
        *device.peaks,
        device.power,
        device.price,
    ]

    for figure in figures:
        assert figure is None or figure.source
        assert figure is None or 2016 <= int(figure.as_of[:4]) <= 2100


def test_a_recalled_number_says_so_where_it_is_shown(device: Device) -> None:
    for peak in device.peaks:
        assert ("recalled" in device.peak_quantity(peak.precision).origin) == peak.recalled


def test_a_peak_counts_no_sparsity(device: Device) -> None:
    # Sheets that count it state four times the bf16 rate for one-byte types; dense it is twice at most.
    half = next(one for one in device.peaks if one.precision in ("bf16", "fp16")).value

    assert "sparse" not in TOML.lower().replace("structured sparsity", "")
    for peak in device.peaks:
        if peak.precision in ("fp8", "int8") and device.name != "rtx-4090":  # int8 there is of the fp16 rate
            assert peak.value <= 2.01 * half


def test_numbers_are_in_base_units(device: Device) -> None:
    assert 8e9 <= device.memory.value <= 1e12  # bytes
    assert 1e11 <= device.bandwidth.value <= 3e13  # byte/s
    assert all(1e12 <= peak.value <= 2e16 for peak in device.peaks)  # FLOP/s
    assert device.power is None or 50 <= device.power.value <= 2000  # watts


def test_two_peaks_of_a_precision_differ_in_what_they_are_summed_in(device: Device) -> None:
    kinds = [(peak.precision, peak.accumulate) for peak in device.peaks]

    assert len(kinds) == len(set(kinds))
