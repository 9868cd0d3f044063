"""Four-digit addition, a curve with a break: Caballero et al. 2022, arXiv:2210.14891."""

from typing import Any

import numpy as np
import pytest

from allometry.fitting import fit

pytestmark = pytest.mark.public_data


def test_one_break_forecasts_the_last_three_points_to_a_hundredth(published: Any) -> None:
    runs = published("bnsl_4digit_addition")
    seen = runs.where("split = 'train'", because="the points that the paper fits")
    ahead = runs.where("split = 'test'")

    found = fit("broken_power_law", seen, objective="least_squares", inputs={"x": "dataset_size"})
    forecast = found.law.evaluate({"x": ahead.column("dataset_size")}, found.coefficients)

    errors = np.log(forecast) - np.log(ahead.column("loss"))
    assert len(errors) == 3
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(0.011, abs=5e-4)  # half of the last digit
