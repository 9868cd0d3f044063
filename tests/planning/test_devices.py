"""Devices: the errors that catalogs of them are known for, and what is refused."""

import pytest

from allometry.errors import InputError, UnknownName
from allometry.planning.devices import DEVICES, read_devices

HALF = 'title="x"\nsource="s"\nas_of="2026"\nmemory_bytes={value=1e9}\n'
WHOLE = f"{HALF}bandwidth_bytes_per_second={{value=1e9}}\npeaks_flops_per_second=[]\n"


def test_the_pcie_and_the_sxm_board_of_a_chip_are_two_devices() -> None:
    # A plain "H800" taken for the PCIe board is 756e12 (nanochat, peak table): the SXM board has 989e12.
    assert DEVICES["h100-pcie"].peak("bf16").value == 756e12
    assert DEVICES["h800-sxm"].peak("bf16").value == 989e12
    with pytest.raises(UnknownName):
        DEVICES["h800"]


def test_a_consumer_card_is_twice_as_fast_where_it_sums_in_half_precision() -> None:
    card = DEVICES["rtx-4090"]

    assert card.peak("bf16", "fp32").value == 165.2e12
    assert card.peak("fp16", "fp16").value == pytest.approx(2 * card.peak("bf16").value, rel=1e-3)
    with pytest.raises(InputError, match="summed in fp16"):
        card.peak("bf16", "fp16")


@pytest.mark.parametrize("old", ["v100-sxm", "t4"])
def test_a_chip_that_does_not_take_bf16_refuses_it_and_names_what_it_takes(old: str) -> None:
    with pytest.raises(InputError, match=r"No dense 'bf16' peak .* fp16"):
        DEVICES[old].peak("bf16")


def test_a_price_is_a_range_with_a_date() -> None:
    price = DEVICES["h100-sxm"].rental()

    assert (price.low, price.value, price.high, price.unit) == (1.99, 2.95, 5.0, "USD/h")
    assert "2026-05" in price.origin


def test_an_unknown_price_or_power_is_asked_for_and_not_guessed() -> None:
    with pytest.raises(InputError, match="give US dollars"):
        DEVICES["b200"].rental()
    with pytest.raises(InputError, match="give the watts"):
        DEVICES["tpu-v5p"].design_power()


def test_own_devices_are_read_from_the_same_toml() -> None:
    assert read_devices(f"[mine]\n{WHOLE}")["mine"].memory.value == 1e9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[mine]\n{HALF}", "bandwidth_bytes_per_second"),
        ("[mine]\ntitle = 1 2", "cannot be read"),
        (f"[mine]\n{WHOLE}power_watts={{value=-3}}", "above zero"),
        (f"[mine]\n{WHOLE}power_watts={{value=3, as_of='May'}}", "is no date"),
        (f"[mine]\n{WHOLE}power_watts={{value=3, sparse=true}}", "sparse"),
        (f"[mine]\n{WHOLE}price_usd_per_hour={{low=3, high=1, source='s', as_of='2026'}}", "in order"),
    ],
)
def test_a_device_that_cannot_be_true_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_devices(text)
