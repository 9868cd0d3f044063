"""The laws read any column: fine-tuning data, reinforcement-learning compute."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.transfer import transferred_data
from allometry.errors import InputError
from allometry.fitting import Fit, fit
from allometry.laws import saturating, transfer
from allometry.runs.run import Runs

TRUTH = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}  # Hernandez et al. 2021, table 1


@pytest.fixture(scope="module")
def scratch() -> Fit:
    """Loss by data from scratch: 1 + 100 / D^0.3."""
    tokens = np.geomspace(1e6, 1e10, 6)
    table = pd.DataFrame({"tokens": tokens, "loss": 1 + 100 / tokens**0.3})
    return fit("power_law_with_floor", Runs(table), inputs={"x": "tokens"})


def test_data_transferred_is_what_scratch_would_have_needed_beyond_the_fine_tuning(scratch: Fit) -> None:
    used, worth = np.array([1e6, 1e7]), np.array([5e8, 8e8])
    tuned = Runs(pd.DataFrame({"finetune_tokens": used, "loss": 1 + 100 / (used + worth) ** 0.3}))

    found = transferred_data(scratch, tuned).column("transferred_tokens")

    np.testing.assert_allclose(found, worth, rtol=1e-4)


def test_a_loss_below_the_floor_from_scratch_has_no_worth(scratch: Fit) -> None:
    found = transferred_data(scratch, Runs(pd.DataFrame({"finetune_tokens": [1e6], "loss": [0.9]})))

    assert np.isnan(found.column("transferred_tokens")).all()


def test_a_law_of_two_inputs_is_no_law_of_data() -> None:
    sizes, tokens = np.repeat([1e7, 1e8, 1e9], 3), np.tile([1e9, 1e10, 1e11], 3)
    loss = 2 + 100 / sizes**0.3 + 100 / tokens**0.3
    both = fit("chinchilla", Runs(pd.DataFrame({"params": sizes, "tokens": tokens, "loss": loss})))

    with pytest.raises(InputError, match="a law of data alone"):
        transferred_data(both, Runs(pd.DataFrame({"finetune_tokens": [1e6], "loss": [2.5]})))


def test_the_law_of_transfer_is_found_in_characters_of_fine_tuning() -> None:
    sizes, used = np.repeat([1e7, 1e8, 1e9], 3), np.tile([1e5, 1e6, 1e7], 3)
    worth = transfer.evaluate({"params": sizes, "finetune_tokens": used}, TRUTH)
    runs = Runs(pd.DataFrame({"params": sizes, "characters": used, "transferred_tokens": worth}))

    found = fit("transfer", runs, inputs={"finetune_tokens": "characters"})

    assert found.coefficients == pytest.approx(TRUTH, rel=1e-4)


def test_a_score_along_reinforcement_compute_ends_where_it_was_made_to() -> None:
    truth = {"a": 0.4, "k": 1.0, "x_0": 1e21, "b": 0.2}
    flops = np.geomspace(1e19, 1e23, 9)
    runs = Runs(pd.DataFrame({"rl_flops": flops, "score": saturating.evaluate({"x": flops}, truth)}))

    found = fit("saturating", runs, inputs={"x": "rl_flops"}, objective="least_squares")

    assert found.coefficients == pytest.approx(truth, rel=1e-3)
