"""What must hold for any ladder of runs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.errors import FitError
from allometry.fitting import fit
from allometry.laws import chinchilla
from allometry.runs.run import Runs

# Huber with delta 1e-3 is smooth only within it: the end of the search is known to this much.
SAME_COEFFICIENT = 1e-5
SAME_PREDICTION = 1e-9

truths = st.fixed_dictionaries(
    {
        "E": st.floats(0.5, 2.5),
        "A": st.floats(100, 900),
        "B": st.floats(300, 3000),
        "alpha": st.floats(0.25, 0.5),
        "beta": st.floats(0.25, 0.5),
    }
)
seeds = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None)


def ladder(truth: dict[str, float], seed: int) -> pd.DataFrame:
    params, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(2e6, 5e7, 5), np.geomspace(5, 80, 4)))
    inputs = {"params": params, "tokens": params * ratio}
    noise = 0.003 * np.random.default_rng(seed).standard_normal(len(params))
    return pd.DataFrame({**inputs, "loss": chinchilla.evaluate(inputs, truth) * np.exp(noise)})


@few
@given(truths, seeds)
def test_more_data_and_more_parameters_never_predict_more_loss(truth: dict[str, float], seed: int) -> None:
    found = fit(chinchilla, Runs(ladder(truth, seed))).coefficients
    grid = np.geomspace(1e6, 1e12, 50)

    assert (np.diff(chinchilla.evaluate({"params": 1e9, "tokens": grid}, found)) <= 0).all()
    assert (np.diff(chinchilla.evaluate({"params": grid, "tokens": 1e9}, found)) <= 0).all()


@few
@given(truths, seeds, st.floats(1e-3, 1e3))
def test_changing_the_token_unit_rescales_b_only(truth: dict[str, float], seed: int, unit: float) -> None:
    table = ladder(truth, seed)
    before = fit(chinchilla, Runs(table)).coefficients
    after = fit(chinchilla, Runs(table.assign(tokens=table["tokens"] * unit))).coefficients

    rescaled = {**before, "B": before["B"] * unit ** before["beta"]}
    assert after == pytest.approx(rescaled, rel=SAME_COEFFICIENT, abs=SAME_COEFFICIENT)


@few
@given(truths, seeds)
def test_the_order_of_runs_changes_nothing(truth: dict[str, float], seed: int) -> None:
    table = ladder(truth, seed)
    shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    first, second = (fit(chinchilla, Runs(rows)) for rows in (table, shuffled))

    assert second.objective_value == pytest.approx(first.objective_value, rel=SAME_PREDICTION)
    assert second.coefficients == pytest.approx(
        first.coefficients, rel=SAME_COEFFICIENT, abs=SAME_COEFFICIENT
    )


@few
@given(truths, seeds, st.integers(1, 5))
def test_fewer_runs_than_the_law_needs_are_always_refused(
    truth: dict[str, float], seed: int, runs: int
) -> None:
    with pytest.raises(FitError, match="give at least 6"):
        fit(chinchilla, Runs(ladder(truth, seed).head(runs)))
