"""Scores and errors: the ends of the curves, and the forms they are published in."""

import numpy as np
import pytest

from allometry.laws import saturating, task_exponential, task_sigmoid


def test_a_score_starts_at_chance_and_ends_at_its_best() -> None:
    published = {"a": -0.75, "k": 12.0, "L_0": 1.0, "b": 0.98}

    best, middle, chance = task_sigmoid.evaluate({"loss": [-10.0, 1.0, 12.0]}, published)

    assert best == pytest.approx(0.98)
    assert middle == pytest.approx(0.98 - 0.75 / 2)
    assert chance == pytest.approx(0.98 - 0.75)


def test_the_score_falls_as_the_loss_rises() -> None:
    scores = task_sigmoid.evaluate({"loss": np.linspace(0.6, 1.5, 30)}, task_sigmoid.typical)

    assert (np.diff(scores) < 0).all()


def test_the_curve_is_written_in_one_way_only() -> None:
    """With the steepness of the other sign the same curve has other coefficients, so it must be positive."""
    losses = {"loss": np.linspace(0.6, 1.5, 7)}
    one = task_sigmoid.evaluate(losses, {"a": -0.75, "k": 12.0, "L_0": 1.0, "b": 0.98})
    other = task_sigmoid.evaluate(losses, {"a": 0.75, "k": -12.0, "L_0": 1.0, "b": 0.23})

    np.testing.assert_allclose(one, other)
    assert task_sigmoid.coefficients[1].positive


def test_the_error_is_a_power_law_in_perplexity() -> None:
    perplexity = np.array([10.0, 20.0, 60.0])

    error = task_exponential.evaluate({"loss": np.log(perplexity)}, task_exponential.typical)

    # Gadre et al. 2024: Err = epsilon - k PP^-gamma.
    np.testing.assert_allclose(error, 0.850 - 2.08 * perplexity**-0.756)


def test_the_error_ends_at_chance_at_a_high_loss() -> None:
    assert float(task_exponential.evaluate({"loss": 100.0}, task_exponential.typical)) == pytest.approx(0.850)


def test_a_saturating_score_is_a_power_law_far_below_its_middle() -> None:
    published = {"a": 0.5, "k": 0.4, "x_0": 1e24, "b": 0.25}

    low, high = saturating.evaluate({"x": [1e10, 1e12]}, published) - 0.25

    assert np.log(high / low) / np.log(100) == pytest.approx(0.4, rel=1e-4)


def test_a_saturating_score_stops_at_its_upper_end() -> None:
    published = {"a": 0.5, "k": 0.4, "x_0": 1e5, "b": 0.25}

    assert float(saturating.evaluate({"x": 1e60}, published)) == pytest.approx(0.75)
