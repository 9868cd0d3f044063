"""Breaks: slopes on either side, order, and the authors' own example."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting import fit
from allometry.laws import broken_power_law, power_law_with_floor, read_law
from allometry.runs.run import Runs

TABLE = Path(__file__).parents[3] / "shared" / "data" / "bnsl_4digit_addition.csv"
X = np.geomspace(1.0, 1e9, 19)


def test_a_break_that_turns_nothing_leaves_a_power_law() -> None:
    straight = broken_power_law.evaluate(
        {"x": X}, {"a": 0.5, "b": 3.0, "c0": 0.2, "c1": 0.0, "d1": 1e4, "f1": 0.2}
    )

    plain = power_law_with_floor.evaluate({"x": X}, {"E": 0.5, "A": 3.0, "alpha": 0.2})
    np.testing.assert_allclose(straight, plain, rtol=1e-12)


def test_far_from_the_break_the_slopes_are_those_of_the_two_power_laws() -> None:
    values = {"a": 0.0, "b": 3.0, "c0": 0.2, "c1": 0.5, "d1": 1e4, "f1": 0.2}
    loss = broken_power_law.evaluate({"x": [1.0, 2.0, 1e9, 2e9]}, values)

    slopes = np.log2(loss[[1, 3]] / loss[[0, 2]])

    np.testing.assert_allclose(slopes, [-0.2, -0.7], atol=1e-9)


def test_three_breaks_are_the_curve_of_the_papers_first_figure() -> None:
    # make_figure_1__decomposition_of_bnsl_into_power_law_segments.py, written as it is there.
    a, b, c0, (c1, c2, c3) = 1e-3, 4.66e3, 0.05, (0.49, -0.811, 2.1)
    (d1, d2, d3), (f1, f2, f3) = (3e6, 1e14, 2e20), (1.1, 1.425, 0.05)
    x = np.geomspace(0.1, 1e26, 50)
    bends = [(1 + (x / d) ** (1 / f)) ** (-c * f) for c, d, f in ((c1, d1, f1), (c2, d2, f2), (c3, d3, f3))]
    expected = a + b * x**-c0 * np.prod(bends, axis=0)
    first = {"a": a, "b": b, "c0": c0, "c1": c1, "d1": d1, "f1": f1}
    later = {"c2": c2, "r2": d2 / d1, "f2": f2, "c3": c3, "r3": d3 / d2, "f3": f3}

    found = read_law("broken_power_law(3)").evaluate({"x": x}, first | later)

    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_one_break_is_the_default() -> None:
    one = read_law("broken_power_law(1)")

    assert one.names == broken_power_law.names
    np.testing.assert_allclose(
        one.evaluate({"x": X}, one.typical), broken_power_law.evaluate({"x": X}, one.typical), rtol=1e-12
    )


@pytest.mark.parametrize("breaks", ["0", "5", "two"])
def test_a_number_of_breaks_that_no_runs_could_show_is_refused(breaks: str) -> None:
    with pytest.raises(InputError, match="from 1 to 4"):
        read_law(f"broken_power_law({breaks})")


@pytest.mark.public_data
@pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}")
def test_the_end_of_learning_to_add_is_forecast_from_its_beginning_as_published() -> None:
    table = pd.read_csv(TABLE)
    early, late = table.query("split == 'train'"), table.query("split == 'test'")

    found = fit("broken_power_law", Runs(early), inputs={"x": "dataset_size"}, objective="least_squares")

    forecast = broken_power_law.evaluate({"x": late["dataset_size"]}, found.coefficients)
    error = np.sqrt(np.mean(np.log(forecast / late["loss"]) ** 2))
    assert error == pytest.approx(0.011, abs=0.0005)  # what the authors' code prints
    assert found.coefficients["d1"] == pytest.approx(612.58, rel=1e-3)
