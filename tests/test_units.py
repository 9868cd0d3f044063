"""Quantities are read as they are meant, or refused; what is shown reads back as itself."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.units import read_quantity, show_count, show_power, show_seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7B", 7e9), ("1.4T", 1.4e12), ("1.4 t", 1.4e12), ("250k", 250e3), ("7e9", 7e9), ("7E9", 7e9),
        ("7_000_000", 7e6), ("1,000,000", 1e6), ("12,345.5", 12345.5), (".5M", 5e5), ("1.", 1.0),
        ("-3k", -3e3), ("6G", 6e9), ("2P", 2e15), ("3E", 3e18), ("3e18", 3e18),
        ("7e", 7e18), ("1e3k", 1e6), (" 5 ", 5.0), ("+2Z", 2e21),
    ],
)  # fmt: skip
def test_a_quantity_is_the_float_nearest_to_what_is_written(text: str, value: float) -> None:
    assert read_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "B",
        "1.4X",
        "7 BB",
        "1.2.3",
        "e9",
        "1,5B",
        "1,00",
        "1,0000",
        ",5",
        "1-2",
        "nan",
        "inf",
        "0x7",
    ],
)
def test_what_is_no_quantity_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a quantity; write it like 7e9, 7B, 1\.4T or 250k"):
        read_quantity(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_passes_through_and_so_does_its_text(value: float) -> None:
    assert read_quantity(value) == value
    assert read_quantity(repr(value)) == value


@given(st.floats(min_value=1e-3, max_value=1e30))
def test_a_shown_count_reads_back_within_its_digits(value: float) -> None:
    assert read_quantity(show_count(value)) == pytest.approx(value, rel=0.5e-2)


@given(st.floats(min_value=1.0, max_value=1e30))
def test_a_shown_count_is_short(value: float) -> None:
    assert len(show_count(value)) <= 8


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (999, "999"), (999.9, "1k"), (1000, "1k"), (999_999, "1M"), (1.5e9, "1.5B"), (-2e6, "-2M"),
        (9.99e15, "9990T"), (1e16, "1e16"), (math.inf, "inf"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_a_count_is_shown_with_its_prefix(value: float, shown: str) -> None:
    assert show_count(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(9.999e9, "1e10"), (1e-5, "1e-5"), (6.02e23, "6.02e23")])
def test_a_power_has_no_idle_zeros(value: float, shown: str) -> None:
    assert show_power(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (119.6, "2 min 00 s"),
        (3599.6, "1 h 00 min"), (90_000, "25 h 00 min"),
    ],
)  # fmt: skip
def test_a_duration_never_shows_sixty_of_a_unit(seconds: float, shown: str) -> None:
    assert show_seconds(seconds) == shown
