"""Learning rates and batches: what the papers state of their own laws."""

import numpy as np
import pytest

from allometry.laws import batch_rule, batch_tradeoff, critical_batch, learning_rate_rule, power_law


def test_at_a_fixed_ratio_of_tokens_the_best_rate_falls_with_size() -> None:
    sizes = np.array([1e8, 1e9])

    rates = learning_rate_rule.evaluate({"params": sizes, "tokens": 20 * sizes}, learning_rate_rule.typical)

    assert rates[1] / rates[0] == pytest.approx(10 ** (0.307 - 0.713))  # Step Law's exponents


def test_more_data_raises_the_best_rate_and_the_best_batch() -> None:
    tokens = np.array([1e10, 1e11, 1e12])
    rates = learning_rate_rule.evaluate({"params": 1e9, "tokens": tokens}, learning_rate_rule.typical)
    batches = batch_rule.evaluate({"tokens": tokens}, batch_rule.typical)

    assert (np.diff(rates) > 0).all()
    assert (np.diff(batches) > 0).all()


def test_the_rules_in_compute_give_what_deepseek_trained_67e9_parameters_with() -> None:
    flops = 6 * 67e9 * 2e12  # DeepSeek-AI 2024, arXiv:2401.02954, table 2: 4608 sequences of 4096, 3.2e-4

    batch = batch_rule.evaluate({"tokens": flops}, {"c": 0.2920, "b": 0.3271})
    rate = power_law.evaluate({"x": flops}, {"A": 0.3118, "alpha": 0.1250})

    assert float(batch) == pytest.approx(4608 * 4096, rel=0.05)
    assert float(rate) == pytest.approx(3.2e-4, rel=0.05)


def test_the_critical_batch_falls_with_the_4_8th_power_of_the_loss() -> None:
    batches = critical_batch.evaluate({"loss": [2.0, 4.0]}, critical_batch.typical)

    # Kaplan et al. 2020, section 6.1: "B proportional to L^-4.8".
    assert np.log2(batches[1] / batches[0]) == pytest.approx(-4.8, abs=0.05)


def test_the_critical_batch_of_the_largest_published_models_is_one_to_two_million_tokens() -> None:
    batches = critical_batch.evaluate({"loss": [3.0, 2.65]}, critical_batch.typical)

    assert (batches > 1e6).all()
    assert (batches < 2e6).all()


def test_steps_and_tokens_lie_on_the_published_hyperbola() -> None:
    batch = np.geomspace(1e4, 1e8, 9)
    least = batch_tradeoff.typical

    steps = batch_tradeoff.evaluate({"batch_tokens": batch}, least)

    # McCandlish et al. 2018: (S/S_min - 1)(E/E_min - 1) = 1, with E = B S.
    product = (steps / least["S_min"] - 1) * (batch * steps / least["D_min"] - 1)
    np.testing.assert_allclose(product, 1)


def test_the_critical_batch_takes_twice_the_fewest_steps_and_twice_the_fewest_tokens() -> None:
    least = batch_tradeoff.typical
    critical = least["D_min"] / least["S_min"]

    steps = float(batch_tradeoff.evaluate({"batch_tokens": critical}, least))

    assert steps == 2 * least["S_min"]
    assert steps * critical == 2 * least["D_min"]
