"""Mixtures of experts: numbers that the papers print beside their coefficients."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from allometry.laws import granular_experts, routed_experts, sparse_experts


def test_one_expert_is_the_dense_law_of_the_same_paper() -> None:
    sizes = np.array([1e8, 1e9])

    routed = routed_experts.evaluate({"params": sizes, "experts": 1}, routed_experts.typical)

    dense = (3.568e13 / sizes) ** 0.078  # Clark et al. 2022
    np.testing.assert_allclose(routed, dense, rtol=0.02)  # two fits, each rounded to three decimals


def test_128_experts_of_five_million_are_worth_a_dense_model_of_55_million() -> None:
    routed = routed_experts.evaluate({"params": 5e6, "experts": 128}, routed_experts.typical)
    dense = routed_experts.evaluate({"params": 55e6, "experts": 1}, routed_experts.typical)

    assert float(routed) == pytest.approx(float(dense), rel=0.02)  # Clark et al. 2022


def test_routing_gains_nothing_beyond_the_published_size() -> None:
    cutoff = 937e9  # Clark et al. 2022, S-BASE; its coefficients as printed give 1e12
    at: dict[str, ArrayLike] = {"params": [cutoff / 100, cutoff], "experts": 1}
    once = routed_experts.evaluate(at, routed_experts.typical)

    gain = 1 - routed_experts.evaluate(at | {"experts": 128}, routed_experts.typical) / once

    assert gain[0] > 0.05
    assert gain[1] == pytest.approx(0, abs=0.002)


def test_experts_saturate() -> None:
    counts = np.array([1e6, 1e9])

    many = routed_experts.evaluate({"params": 1e9, "experts": counts}, routed_experts.typical)

    assert many[1] == pytest.approx(many[0], rel=1e-4)


@pytest.mark.parametrize(
    ("active", "tokens", "granularity", "loss"),
    [
        (100e6, 4.37e9, 8, 3.133),
        (1e9, 28.94e9, 16, 2.491),
        (7e9, 137.60e9, 32, 2.076),
        (1e12, 7.94e12, 64, 1.367),
    ],
)
def test_the_losses_of_krajewskis_table_of_optima_follow_from_its_coefficients(
    active: float, tokens: float, granularity: float, loss: float
) -> None:
    # Of 12 width² parameters a block, 8 are the dense layer of which there are 64.
    total = active * (4 + 8 * 64) / 12

    found = granular_experts.evaluate(
        {"params_total": total, "tokens": tokens, "granularity": granularity}, granular_experts.typical
    )

    assert float(found) == pytest.approx(
        loss, rel=0.01
    )  # the coefficients are printed to two or three digits


def test_finer_experts_lower_the_loss_towards_a_limit() -> None:
    sizes: dict[str, ArrayLike] = {
        "params_total": 1e10,
        "tokens": 1e11,
        "granularity": np.geomspace(1, 1e12, 13),
    }
    loss = granular_experts.evaluate(sizes, granular_experts.typical)

    assert (np.diff(loss) < 0).all()
    limit = granular_experts.evaluate(sizes, granular_experts.typical | {"g": 1e-30})[0]
    assert loss[-1] == pytest.approx(limit, rel=1e-6)


def test_idle_experts_cost_less_the_larger_the_model() -> None:
    sizes: dict[str, ArrayLike] = {"params_total": np.geomspace(1e8, 1e13, 11), "tokens": 1e11}
    dense = sparse_experts.evaluate(sizes | {"sparsity": 0.0}, sparse_experts.typical)
    sparse = sparse_experts.evaluate(sizes | {"sparsity": 0.95}, sparse_experts.typical)

    assert (np.diff(sparse - dense) < 0).all()
    assert (sparse - dense)[0] > 0 > (sparse - dense)[-1]  # so that the best sparsity grows with size
