"""The learning rate and batch of Li et al. 2025 (arXiv:2503.04715), judged by the loss they give away."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.laws import LAWS

pytestmark = pytest.mark.public_data

RATE, BATCH = LAWS["learning_rate_rule"], LAWS["batch_rule"]


def regret(grid: pd.DataFrame, size: float, tokens: float) -> float:
    """How much more loss the run nearest to the rules has than the best one of its grid, as a share."""
    rate = RATE.evaluate({"params": size, "tokens": tokens}, RATE.typical)
    batch = BATCH.evaluate({"tokens": tokens}, BATCH.typical)
    distance = np.hypot(np.log(grid["learning_rate"] / rate), np.log(grid["batch_tokens"] / batch))
    return float(grid["loss"][distance.idxmin()] / grid["loss"].min() - 1)


def test_the_published_rules_give_away_a_tenth_of_a_percent(published: Any) -> None:
    grids = published("step_law").table.groupby(["params", "tokens"])
    regrets = [regret(grid, size, tokens) for (size, tokens), grid in grids]

    assert RATE.typical == {"c": 1.79, "a": 0.713, "b": 0.307}
    assert BATCH.typical == {"c": 0.58, "b": 0.571}
    assert len(regrets) == 17
    assert 100 * np.mean(regrets) == pytest.approx(0.096, abs=5e-4)
    assert 100 * np.max(regrets) == pytest.approx(0.31, abs=5e-3)
