"""Curves through one profile: their minima agree with other methods."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from allometry.errors import InputError
from allometry.fitting.frontier.profile_curves import minima, require_curve, values

X = np.log(np.geomspace(1e7, 1e9, 9))
RNG = np.random.default_rng(0)
Y = 3 + 0.05 * (X - np.log(1.3e8)) ** 2 + 0.01 * RNG.standard_normal((20, 9))


@pytest.mark.parametrize(("curve", "of"), [("akima", Akima1DInterpolator), ("spline", CubicSpline)])
def test_interpolated_minima_are_those_of_a_dense_grid(curve: str, of: type) -> None:
    dense = np.linspace(X[0], X[-1], 200_001)

    found = minima(curve, X, Y)  # type: ignore[arg-type]

    for row, profile in enumerate(Y):
        heights = of(X, np.log(profile))(dense)
        assert found.place[row] == pytest.approx(dense[heights.argmin()], abs=2 * (dense[1] - dense[0]))
        assert found.value[row] == pytest.approx(np.exp(heights.min()), rel=1e-9)


def test_a_parabola_is_that_of_polyfit() -> None:
    found = minima("parabola", X, Y)

    for row, profile in enumerate(Y):
        bend, slope, _ = np.polyfit(X - X.mean(), profile, 2)
        assert found.place[row] == pytest.approx(X.mean() - slope / (2 * bend), rel=1e-10)


def test_the_curve_passes_its_minimum_at_the_stated_value() -> None:
    for curve in ("parabola", "robust", "akima", "spline"):
        found = minima(curve, X, Y[:1])
        at = values(curve, X, Y[:1], found.place)
        assert at[0, 0] == pytest.approx(found.value[0], rel=1e-9), curve


def test_a_parabola_that_opens_downward_has_no_place() -> None:
    assert np.isnan(minima("parabola", X, -Y[:1] + 10).place[0])


def test_two_runs_of_one_size_count_as_their_mean_in_an_interpolation() -> None:
    x = np.insert(X, 4, X[4] + 1e-4)
    y = np.insert(Y[0], 4, Y[0, 4] * np.exp(0.2))
    y[5] *= np.exp(-0.2)
    apart = np.insert(X, 4, X[4]), np.insert(Y[0], 4, Y[0, 4])

    both, one = (minima("akima", *each) for each in ((x, y[None, :]), (apart[0], apart[1][None, :])))

    assert both.place[0] == pytest.approx(one.place[0], abs=1e-3)


def test_an_unknown_curve_names_the_near_one() -> None:
    with pytest.raises(InputError, match="Did you mean 'parabola'"):
        require_curve("parabolla")
