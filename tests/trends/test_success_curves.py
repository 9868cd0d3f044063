"""Curves against a general optimiser, and at the edges where likelihoods have no maximum."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from allometry.trends.success_curves import PUBLISHED_STRENGTH, Penalty, success_curves

Array = NDArray[np.float64]
X = np.linspace(-2, 8, 15)


def objective(at: Array, weights: Array, shares: Array, penalty: Penalty) -> float:
    """Written out from the definitions, without any derivative."""
    p = 1 / (1 + np.exp(-(at[0] + at[1] * X)))
    likelihood = weights @ (shares * np.log(p) + (1 - shares) * np.log(1 - p))
    if penalty == "published":
        likelihood -= PUBLISHED_STRENGTH / 2 * at[1] ** 2
    if penalty == "firth":
        design = np.stack([np.ones(len(X)), X], axis=1)
        likelihood += 0.5 * np.linalg.slogdet(design.T @ (design * (weights * p * (1 - p))[:, None]))[1]
    return -float(likelihood)


@pytest.mark.parametrize("penalty", ["none", "firth", "published"])
def test_each_penalty_is_at_the_maximum_of_its_own_definition(penalty: Penalty) -> None:
    rng = np.random.default_rng(1)
    weights, shares = rng.uniform(0.2, 2, (4, 15)), rng.uniform(0, 1, (4, 15))
    shares[:, 0], shares[:, -1] = 1, 0

    found = success_curves(X, weights, shares, penalty=penalty)

    for row in range(4):
        best = minimize(
            objective, [0, 0], (weights[row], shares[row], penalty), method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-13},
        )  # fmt: skip
        assert (found.intercept[row], found.slope[row]) == pytest.approx(best.x, abs=1e-5)


def test_a_share_is_that_much_of_a_success_and_the_rest_of_a_failure() -> None:
    split_x = np.repeat(X, 2)
    shares = np.linspace(0.95, 0.05, 15)
    whole = np.tile([1.0, 0.0], 15)[None, :]
    weights = np.stack([shares, 1 - shares], axis=1).reshape(1, -1)

    once = success_curves(X, np.ones((1, 15)), shares[None, :], penalty="published")
    twice = success_curves(split_x, weights, whole, penalty="published")

    assert once.slope == pytest.approx(twice.slope, abs=1e-9)
    assert once.log2_horizon(0.8) == pytest.approx(twice.log2_horizon(0.8), abs=1e-9)


def test_separated_data_have_no_likelihood_curve_and_a_finite_one_by_firth() -> None:
    shares = (X[None, :] < 3).astype(float)

    assert np.isnan(success_curves(X, np.ones((1, 15)), shares, penalty="none").slope).all()
    firth = success_curves(X, np.ones((1, 15)), shares, penalty="firth")
    assert firth.separated.tolist() == [True]
    assert -20 < firth.slope[0] < 0
    assert X[X < 3].max() < firth.log2_horizon()[0] < X[X >= 3].min()


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_an_agent_that_always_fails_or_always_succeeds_stays_finite_by_firth(kind: float) -> None:
    found = success_curves(X, np.ones((1, 15)), np.full((1, 15), kind))

    assert found.separated.tolist() == [True]
    assert np.isfinite([found.intercept[0], found.slope[0]]).all()


def test_firth_takes_the_bias_out_of_small_samples() -> None:
    truth, horizon = -0.8, 3.0
    rng = np.random.default_rng(0)
    shares = (rng.random((1500, 15)) < 1 / (1 + np.exp(-truth * (X - horizon)))).astype(float)

    firth = success_curves(X, np.ones(shares.shape), shares, penalty="firth")
    none = success_curves(X, np.ones(shares.shape), shares, penalty="none")

    assert np.nanmean(none.slope) - truth < -0.1
    assert abs(firth.slope.mean() - truth) < 0.06  # 15 trials: what is left is of second order


def test_the_published_penalty_flattens_the_slope() -> None:
    shares = 1 / (1 + np.exp(0.8 * (X - 3)))[None, :]
    weights = np.full((1, 15), 1 / 15)

    assert success_curves(X, weights, shares, penalty="none").slope[0] == pytest.approx(-0.8, abs=1e-9)
    assert -0.7 < success_curves(X, weights, shares, penalty="published").slope[0] < -0.4


def test_one_length_has_no_slope() -> None:
    found = success_curves(np.full(5, 2.0), np.ones((1, 5)), np.array([[1.0, 0, 1, 0, 1]]))

    assert np.isnan(found.slope).all()
