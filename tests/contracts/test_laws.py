"""What every law in the catalog must obey."""

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import fit
from allometry.laws import LAWS, Law
from allometry.runs.run import Runs

STEP = 1e-5  # relative step of the finite differences
SLOPE_TOLERANCE = 1e-6  # central differences of double precision at that step
CURVATURE_TOLERANCE = 1e-5  # the same for differences of exact gradients, where terms nearly cancel
RECOVERY_TOLERANCE = 1e-5  # log A and alpha trade off along a valley some 1e5 times longer than wide

# Values that a published fit or this field's experience would call ordinary.
ORDINARY = {
    "E": 1.7, "A": 400.0, "B": 900.0, "alpha": 0.34, "beta": 0.29,
    "Nc": 6.4e13, "Dc": 1.8e13, "aN": 0.076, "aD": 0.103,
}  # fmt: skip


@pytest.fixture(params=list(LAWS))
def law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


def ordinary(law: Law) -> dict[str, float]:
    return {name: ORDINARY[name] for name in law.names}


def inputs(law: Law) -> dict[str, np.ndarray]:
    """Sizes 1e7 to 1e9 and tokens 1e9 to 1e11, every pair, as the law's inputs."""
    first, second = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    return dict(zip(law.reads, (first, second), strict=False))


def moved(law: Law, name: str, factor: float) -> dict[str, float]:
    return {**ordinary(law), name: ordinary(law)[name] * factor}


def test_a_law_cites_its_source(law: Law) -> None:
    assert "arXiv:" in law.source


def test_every_coefficient_has_a_meaning_and_a_unit(law: Law) -> None:
    assert all(coefficient.meaning and coefficient.unit for coefficient in law.coefficients)


def test_a_law_can_be_printed_and_explains_itself(law: Law) -> None:
    assert law.latex()
    assert ">>>" in law.description


def test_coefficients_in_a_column_broadcast_against_runs_in_a_row(law: Law) -> None:
    many = {name: np.full((3, 1), value) for name, value in ordinary(law).items()}

    together = law.evaluate(inputs(law), many)

    assert together.shape == (3, 25)
    np.testing.assert_array_equal(together[2], law.evaluate(inputs(law), ordinary(law)))


def test_the_gradient_equals_finite_differences(law: Law) -> None:
    gradient = law.gradient(inputs(law), ordinary(law))

    for place, name in enumerate(law.names):
        up, down = (law.evaluate(inputs(law), moved(law, name, 1 + s * STEP)) for s in (1, -1))
        slope = (up - down) / (2 * STEP * ordinary(law)[name])
        np.testing.assert_allclose(gradient[:, place], slope, rtol=SLOPE_TOLERANCE)


def test_the_hessian_equals_finite_differences_of_the_gradient(law: Law) -> None:
    hessian = law.hessian(inputs(law), ordinary(law))

    for place, name in enumerate(law.names):
        up, down = (law.gradient(inputs(law), moved(law, name, 1 + s * STEP)) for s in (1, -1))
        bend = (up - down) / (2 * STEP * ordinary(law)[name])
        scale = np.abs(bend).max(axis=0)
        error = np.abs(hessian[:, :, place] - bend).max(axis=0)
        assert (error <= CURVATURE_TOLERANCE * scale + 1e-30).all()


@pytest.mark.parametrize("objective", ["huber", "least_squares"])
def test_a_law_recovers_its_own_coefficients_from_noiseless_runs(law: Law, objective: str) -> None:
    runs = Runs(pd.DataFrame({**inputs(law), "loss": law.evaluate(inputs(law), ordinary(law))}))
    if law.reads == ("x",):
        runs = Runs(runs.table.drop_duplicates("x").reset_index(drop=True))

    found = fit(law, runs, objective=objective)  # type: ignore[arg-type]  # parametrised by name

    assert found.coefficients == pytest.approx(ordinary(law), rel=RECOVERY_TOLERANCE)
