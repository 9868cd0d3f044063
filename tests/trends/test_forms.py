"""Both forms on exact data, and levelling off against a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from allometry.trends.forms import EXPONENTIAL, FORMS, LEVELLING, solve

X = np.linspace(-6, 0, 14)
NONE = np.zeros((1, 14), dtype=bool)


def levelling(level: float, rate: float, passed: float, x: np.ndarray = X) -> np.ndarray:
    return level - np.log2(1 + 2 ** -(passed + rate * x))


def squares(at: np.ndarray, y: np.ndarray) -> float:
    return float(((levelling(*at) - y) ** 2).sum())


@pytest.mark.parametrize("truth", [(5.0, 2.0, 2.0), (9.0, 1.2, -1.0), (0.0, 3.0, 4.0)])
def test_levelling_off_finds_the_curve_it_was_made_of(truth: tuple[float, float, float]) -> None:
    found = solve(LEVELLING, X, levelling(*truth)[None, :], NONE)

    assert found.coefficients[0, :3] == pytest.approx(truth, abs=1e-3)
    ahead = np.array([1.0, 4.0])
    assert LEVELLING.curve(found.coefficients, ahead)[0] == pytest.approx(levelling(*truth, ahead), abs=1e-3)


def test_a_fall_levels_off_at_a_floor() -> None:
    found = solve(LEVELLING, X, -levelling(5.0, 2.0, 2.0)[None, :], NONE)

    assert LEVELLING.curve(found.coefficients, np.array([40.0]))[0] == pytest.approx([-5], abs=1e-3)


def test_with_noise_no_optimiser_fits_better_inside_the_grid() -> None:
    rng = np.random.default_rng(0)
    y = levelling(5.0, 2.0, 1.5) + 0.2 * rng.standard_normal((6, 14))
    found = solve(LEVELLING, X, y, np.zeros((6, 14), dtype=bool))

    for row in range(6):
        ours = ((LEVELLING.curve(found.coefficients[row : row + 1], X)[0] - y[row]) ** 2).sum()
        best = minimize(squares, [5, 2, 1.5], (y[row],), method="BFGS")
        assert ours <= best.fun * 1.001


@pytest.mark.parametrize("name", FORMS)
def test_a_missing_point_changes_the_fit_as_if_it_were_not_there(name: str) -> None:
    y = levelling(5.0, 2.0, 1.5) + 0.1 * np.sin(7 * X)
    gap = np.where(np.arange(14) == 4, np.nan, y)
    without = solve(FORMS[name], np.delete(X, 4), np.delete(y, 4)[None, :], NONE[:, 1:])

    with_gap = solve(FORMS[name], X, gap[None, :], NONE)

    assert with_gap.scatter == pytest.approx(without.scatter, rel=1e-3)


def test_the_scatter_divides_by_points_less_coefficients() -> None:
    y = np.array([0.0, 1, 0, 1])[None, :]
    found = solve(EXPONENTIAL, np.arange(4.0), y, np.zeros((1, 4), dtype=bool))

    assert found.scatter[0] ** 2 == pytest.approx(0.8 / 2)  # the line has slope 0.2 and leaves 0.8
