"""Ticks and titles that a reader can read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allometry.plots import axes, frames


@given(st.floats(-12, 24), st.floats(0.01, 20), st.integers(4, 9))
def test_ticks_lie_inside_rise_and_are_few_but_enough(start: float, decades: float, most: int) -> None:
    low, high = 10.0**start, 10.0 ** (start + decades)

    found = axes.ticks(low, high, most)

    assert found == sorted(set(found))
    assert all(low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) for tick in found)
    assert 1 <= len(found) <= most + 1


def test_an_axis_of_one_value_still_has_room() -> None:
    low, high = axes.span([5.0, float("nan"), -1.0])

    assert low < 5.0 < high


def test_titles_carry_the_unit_and_what_was_counted() -> None:
    assert axes.title("loss") == "loss (nat/token)"
    assert axes.title("params", conventions={"params_convention": "matmul"}) == "parameters N (matmul)"
    assert axes.words("params") == "parameters"


def test_many_sizes_become_a_few_bands_and_few_stay_as_they_are() -> None:
    few, many = np.array([1e6, 2e6, 1e6]), np.geomspace(1e6, 1e9, 60)

    assert frames.bands(few).tolist() == few.tolist()
    assert len(np.unique(frames.bands(many))) == frames.MOST_SERIES


def test_sizes_that_round_alike_get_labels_that_differ() -> None:
    assert frames.labels(np.array([1.0001e6, 1.0002e6])) == ["1.0001M", "1.0002M"]
