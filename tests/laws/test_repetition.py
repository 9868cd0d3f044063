"""Repeated data: the authors' own check values, one epoch, and many."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from allometry.laws import Law, additive_overfitting, chinchilla, data_constrained


@pytest.mark.parametrize(
    ("params", "tokens", "loss"),
    [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)],
)
def test_the_losses_that_the_authors_code_prints_are_reproduced(
    params: float, tokens: float, loss: float
) -> None:
    # huggingface/datablations, README, "Parametric Fit"; there, A, B and E are given as logarithms.
    published = data_constrained.typical | {
        "E": np.exp(0.6254804),
        "A": np.exp(6.255414),
        "B": np.exp(7.3049974),
    }

    found = data_constrained.evaluate({"params": params, "tokens": tokens, "unique_tokens": 25e9}, published)

    assert float(found) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("law", [data_constrained, additive_overfitting], ids=lambda law: str(law.name))
@pytest.mark.parametrize("unique", [2e10, 5e12])
def test_without_repeats_it_is_chinchillas_law(law: Law, unique: float) -> None:
    sizes: dict[str, ArrayLike] = {"params": np.array([1e7, 1e8, 5e8]), "tokens": 2e10}
    same = {name: law.typical[name] for name in chinchilla.names}

    np.testing.assert_allclose(
        law.evaluate({**sizes, "unique_tokens": unique}, law.typical),
        chinchilla.evaluate(sizes, same),
        rtol=1e-12,
    )


def test_data_repeated_for_ever_is_worth_a_limited_amount_of_fresh_data() -> None:
    same = {name: data_constrained.typical[name] for name in chinchilla.names}

    forever = data_constrained.evaluate(
        {"params": 1e8, "tokens": 1e15, "unique_tokens": 1e10}, data_constrained.typical
    )

    assert forever == pytest.approx(chinchilla.evaluate({"params": 1e8, "tokens": 16.387756e10}, same))


def test_more_epochs_never_raise_the_loss_of_the_data_constrained_law() -> None:
    epochs: dict[str, ArrayLike] = {
        "params": 5e9,
        "tokens": np.geomspace(1e9, 1e12, 50),
        "unique_tokens": 1e9,
    }

    assert (np.diff(data_constrained.evaluate(epochs, data_constrained.typical)) <= 0).all()


def test_the_overfitting_law_has_a_best_number_of_epochs() -> None:
    params, unique = 1e9, 2e9
    law = additive_overfitting.typical
    epochs = np.geomspace(1, 100, 4001)

    loss = additive_overfitting.evaluate(
        {"params": params, "tokens": epochs * unique, "unique_tokens": unique}, law
    )

    # Where the derivative in epochs is zero, with delta = kappa = 1.
    gain = law["beta"] * law["B"] * unique ** (1 - law["beta"]) / (law["P"] * params)
    assert epochs[loss.argmin()] == pytest.approx(gain ** (1 / (1 + law["beta"])), rel=2e-3)  # grid step


def test_larger_models_are_harmed_more_by_the_same_repeats() -> None:
    sizes: dict[str, ArrayLike] = {"params": np.array([1e8, 1e9]), "tokens": 3e10, "unique_tokens": 1e9}
    penalised = additive_overfitting.evaluate(sizes, additive_overfitting.typical)
    free = additive_overfitting.evaluate(sizes, additive_overfitting.typical | {"P": 1e-30})

    small, large = penalised - free

    assert large / small == pytest.approx(10)
