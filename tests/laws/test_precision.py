"""Few bits: many of them change nothing, few act as fewer parameters."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from allometry.laws import chinchilla, precision, precision_post

SIZES: dict[str, ArrayLike] = {"params": np.array([3e7, 1e8, 1e9]), "tokens": np.array([1e9, 2e10, 2e10])}
SAME = {name: precision.typical[name] for name in chinchilla.names}
AMPLE = 200.0  # bits


def test_with_many_bits_it_is_chinchillas_law() -> None:
    trained = precision.evaluate(
        SIZES | {"weight_bits": AMPLE, "activation_bits": AMPLE, "cache_bits": AMPLE}, precision.typical
    )
    served = precision_post.evaluate(SIZES | {"quantized_bits": AMPLE}, precision_post.typical)

    np.testing.assert_allclose(trained, chinchilla.evaluate(SIZES, SAME), rtol=1e-12)
    np.testing.assert_allclose(served, chinchilla.evaluate(SIZES, SAME), rtol=1e-12)


@pytest.mark.parametrize(
    ("few", "gamma"), [("weight_bits", "gamma_w"), ("activation_bits", "gamma_a"), ("cache_bits", "gamma_kv")]
)
def test_four_bits_act_as_fewer_parameters(few: str, gamma: str) -> None:
    bits: dict[str, ArrayLike] = {
        "weight_bits": AMPLE,
        "activation_bits": AMPLE,
        "cache_bits": AMPLE,
        few: 4.0,
    }
    effective = SIZES["params"] * (1 - np.exp(-4 / precision.typical[gamma]))  # Kumar et al. 2024, eq. 4

    np.testing.assert_allclose(
        precision.evaluate(SIZES | bits, precision.typical),
        chinchilla.evaluate(SIZES | {"params": effective}, SAME),
        rtol=1e-12,
    )


def test_a_model_to_be_quantized_has_a_most_useful_amount_of_data() -> None:
    law, params, bits = precision_post.typical, 1e8, 3.0
    tokens = np.geomspace(1e9, 1e13, 8001)

    loss = precision_post.evaluate({"params": params, "tokens": tokens, "quantized_bits": bits}, law)

    # Kumar et al. 2024, appendix E: where the derivative in tokens is zero.
    harm = law["gamma_D"] * law["C"] * params ** -law["gamma_N"] * np.exp(-bits / law["gamma_post"])
    critical = (law["beta"] * law["B"] / harm) ** (1 / (law["gamma_D"] + law["beta"]))
    assert tokens[loss.argmin()] == pytest.approx(critical, rel=2e-3)  # grid step
