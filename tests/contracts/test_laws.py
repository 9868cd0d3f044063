"""What every law in the catalog must obey."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import qmc

from allometry.fitting import fit
from allometry.laws import LAWS, Input, Law
from allometry.runs.run import Runs

STEP = 1e-5  # relative step of the finite differences
SLOPE_TOLERANCE = 1e-6  # central differences of double precision at that step
ROUNDING = 4 * np.finfo(np.float64).eps  # of the two values that are subtracted, relative
CURVATURE_TOLERANCE = 1e-5  # the same for differences of exact gradients, where terms nearly cancel
RECOVERY_TOLERANCE = 1e-5  # log A and alpha trade off along a valley some 1e5 times longer than wide


@pytest.fixture(params=list(LAWS))
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


def inputs(law: Law) -> dict[str, np.ndarray]:
    """Points all over the ordinary range of each input: a grid for one or two, spread evenly for more."""
    if len(law.inputs) > 2:
        points = qmc.Sobol(len(law.inputs), rng=0).random(64).T
    else:
        axis = np.linspace(0, 1, 25 if len(law.inputs) == 1 else 5)
        points = np.array([part.ravel() for part in np.meshgrid(*[axis] * len(law.inputs))])
    return {one.name: between(one, unit) for one, unit in zip(law.inputs, points, strict=True)}


def between(one: Input, unit: np.ndarray) -> np.ndarray:
    return one.low * (one.high / one.low) ** unit if one.positive else one.low + unit * (one.high - one.low)


def moved(law: Law, name: str, factor: float) -> dict[str, float]:
    return {**law.typical, name: law.typical[name] * factor}


def test_a_law_cites_its_source(law: Law) -> None:
    assert "arXiv:" in law.source


def test_every_coefficient_has_a_meaning_and_a_unit(law: Law) -> None:
    assert all(coefficient.meaning and coefficient.unit for coefficient in law.coefficients)


def test_every_coefficient_has_a_typical_value_that_a_fit_can_take(law: Law) -> None:
    for coefficient in law.coefficients:
        low, high = coefficient.bounds
        assert low < law.typical[coefficient.name] < high


def test_a_law_can_be_printed_and_explains_itself(law: Law) -> None:
    assert law.latex()
    assert ">>>" in law.description


def test_coefficients_in_a_column_broadcast_against_runs_in_a_row(law: Law) -> None:
    many = {name: np.full((3, 1), value) for name, value in law.typical.items()}

    together = law.evaluate(inputs(law), many)

    assert together.shape == (3, len(together[0]))
    np.testing.assert_array_equal(together[2], law.evaluate(inputs(law), law.typical))


def test_the_gradient_equals_finite_differences(law: Law) -> None:
    gradient = law.gradient(inputs(law), law.typical)

    for place, name in enumerate(law.names):
        up, down = (law.evaluate(inputs(law), moved(law, name, 1 + s * STEP)) for s in (1, -1))
        step = 2 * STEP * law.typical[name]
        slope, rounding = (up - down) / step, ROUNDING * np.abs(up / step)
        error = np.abs(gradient[:, place] - slope)
        assert (error <= SLOPE_TOLERANCE * np.abs(slope) + rounding).all()


def test_the_hessian_equals_finite_differences_of_the_gradient(law: Law) -> None:
    hessian = law.hessian(inputs(law), law.typical)

    for place, name in enumerate(law.names):
        up, down = (law.gradient(inputs(law), moved(law, name, 1 + s * STEP)) for s in (1, -1))
        bend = (up - down) / (2 * STEP * law.typical[name])
        scale = np.abs(bend).max(axis=0)
        error = np.abs(hessian[:, :, place] - bend).max(axis=0)
        assert (error <= CURVATURE_TOLERANCE * scale + 1e-30).all()


@pytest.mark.parametrize("objective", ["huber", "least_squares"])
def test_a_law_recovers_its_own_coefficients_from_noiseless_runs(law: Law, objective: str) -> None:
    runs = Runs(pd.DataFrame({**inputs(law), law.predicts: law.evaluate(inputs(law), law.typical)}))

    found = fit(law, runs, objective=objective)  # type: ignore[arg-type]  # parametrised by name

    assert found.coefficients == pytest.approx(law.typical, rel=RECOVERY_TOLERANCE)
