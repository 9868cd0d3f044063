"""Six public losses of one family of models, by compute, and two that were measured later at more of it."""

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Fit, bootstrap, check, fit
from allometry.fitting.likelihood import likelihood_interval
from allometry.fitting.objectives import ObjectiveName
from allometry.runs.run import Runs

FLOPS = np.array([1e18, 3e18, 1e19, 3e19, 1e20, 3e20])
LOSS = np.array([3.522, 3.339, 3.154, 3.000, 2.848, 2.725])
LATER = {1e21: 2.599, 1e23: 2.234}  # 3.3 and 333 times beyond


@pytest.fixture(scope="module", params=["huber", "least_squares"])
def six(request: pytest.FixtureRequest) -> Fit:
    objective: ObjectiveName = request.param
    runs = Runs(pd.DataFrame({"flops": FLOPS, "loss": LOSS}), source="six public losses")
    return bootstrap(fit("power_law_with_floor", runs, inputs={"x": "flops"}, objective=objective), draws=300)


@pytest.mark.parametrize("flops", LATER)
def test_forecasts_with_the_floor_free_hold_what_was_measured_later(six: Fit, flops: float) -> None:
    forecast = six.predict(flops=flops, level=0.9)

    assert forecast.low < LATER[flops] < forecast.high
    assert forecast.high - forecast.low < 0.1  # not by saying nothing


@pytest.mark.parametrize("flops", LATER)
def test_the_curve_by_profile_holds_what_was_measured_later(six: Fit, flops: float) -> None:
    curve = likelihood_interval(six, at={"flops": flops}, level=0.9)

    assert curve.low < LATER[flops] < curve.high
    assert curve.high - curve.low < 0.1


def test_checking_shows_the_forecast_as_a_function_of_the_floor(six: Fit) -> None:
    found = {finding.code: finding for finding in check(six)}

    assert {"few_runs", "single_seed"} <= found.keys()
    shown = found["floor_not_determined"].evidence
    floors = [float(what.removeprefix("forecast if E = ")) for what in shown]
    forecasts = [float(value) for value in shown.values()]
    assert floors == sorted(floors)
    assert (floors[0], floors[-1] > 2.5) == (0, True)
    assert forecasts == sorted(forecasts)  # a higher floor, a higher loss far ahead
    assert forecasts[-1] - forecasts[0] > 0.3
