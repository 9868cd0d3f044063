"""The best rate is where the losses say it is, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, MissingColumn
from allometry.fitting.learning_rates import best_rates, describe_rates, mean_losses, rate_drift
from allometry.runs.run import Runs

RATES = (0.001, 0.002, 0.004, 0.008, 0.016)


def basin(width: int, best: float, rates: tuple[float, ...] = RATES) -> pd.DataFrame:
    """Losses on a parabola in the log of the rate."""
    losses = [3 + 0.2 * math.log(rate / best) ** 2 for rate in rates]
    return pd.DataFrame({"width": width, "learning_rate": rates, "loss": losses, "status": "done"})


def test_the_minimum_of_a_parabola_is_found_between_the_rates_tried() -> None:
    best = best_rates(Runs(pd.concat([basin(16, 0.005), basin(64, 0.0025)])))

    assert list(best["width"]) == [16, 64]
    assert list(best["learning_rate"]) == pytest.approx([0.005, 0.0025])
    assert best[["low", "high"]].values.tolist() == [[0.002, 0.008], [0.001, 0.004]]
    assert rate_drift(best) == pytest.approx(-0.5)  # half the rate at four times the width


@pytest.mark.parametrize(("best", "low", "high"), [(1e-4, math.nan, 0.002), (1.0, 0.008, math.nan)])
def test_a_minimum_at_an_end_of_the_rates_is_no_minimum(best: float, low: float, high: float) -> None:
    (found,) = best_rates(Runs(basin(16, best))).to_dict("records")

    assert found["edge"]
    assert found["learning_rate"] in (RATES[0], RATES[-1])
    np.testing.assert_equal([found["low"], found["high"]], [low, high])


def test_how_the_best_rate_moves_is_said_where_every_minimum_was_seen() -> None:
    runs = Runs(pd.concat([basin(16, 0.004), basin(64, 0.001 * 2)]))

    assert describe_rates(best_rates(runs)).endswith("The best rate goes as width^-0.50.")


def test_a_rate_at_which_one_seed_diverged_is_no_candidate_but_was_tried() -> None:
    table = pd.concat([basin(16, 0.02), basin(16, 0.02)], ignore_index=True)
    table.loc[len(table) - 1, "loss"] = math.nan
    table.loc[len(table) - 1, "status"] = "diverged"
    table.loc[len(table) - 6, "loss"] = 1.0  # the other seed at that rate did very well

    (found,) = best_rates(Runs(table)).to_dict("records")

    assert not found["edge"]
    assert (found["learning_rate"], found["high"]) == (0.008, 0.016)


def test_seeds_are_averaged() -> None:
    table = pd.concat([basin(16, 0.004), basin(16, 0.004).assign(loss=lambda t: t["loss"] + 0.5)])

    assert list(mean_losses(Runs(table))["loss"]) == pytest.approx(list(basin(16, 0.004)["loss"] + 0.25))


def test_runs_that_say_nothing_are_refused() -> None:
    with pytest.raises(MissingColumn, match="no 'width'"):
        best_rates(Runs(basin(16, 0.004).drop(columns="width")))
    with pytest.raises(FitError, match="No run of width 16 has a loss at any learning rate; try lower ones"):
        best_rates(Runs(basin(16, 0.004).assign(status="diverged")))
    with pytest.raises(FitError, match="needs two widths or more, not 1"):
        rate_drift(best_rates(Runs(basin(16, 0.004))))
