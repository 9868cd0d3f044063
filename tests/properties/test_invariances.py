"""What changes nothing about a family of models must change nothing about its fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allometry.fitting import fit
from allometry.laws import chinchilla
from allometry.runs.run import Runs

# Huber with delta 1e-3 is smooth only within it: the end of the search is known to this much.
SAME_COEFFICIENT = 1e-5
SAME_OBJECTIVE = 1e-9

seeds = st.integers(0, 10_000)
few = settings(max_examples=2, deadline=None, derandomize=True, database=None)


def ladder(seed: int) -> pd.DataFrame:
    """Twenty runs of a family whose coefficients the seed decides, with noise of half a percent."""
    rng = np.random.default_rng(seed)
    truth = {"E": rng.uniform(0.5, 2.5), "A": rng.uniform(100, 900), "B": rng.uniform(300, 3000)}
    truth |= {"alpha": rng.uniform(0.25, 0.5), "beta": rng.uniform(0.25, 0.5)}
    params, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(2e6, 5e7, 5), np.geomspace(5, 80, 4)))
    inputs = {"params": params, "tokens": params * ratio}
    noise = np.exp(0.005 * rng.standard_normal(len(params)))
    return pd.DataFrame({**inputs, "loss": chinchilla.evaluate(inputs, truth) * noise})


@few
@given(seeds, st.sampled_from([1e-6, 1e-3, 1e6]))
def test_counting_parameters_in_another_unit_rescales_a_only(seed: int, unit: float) -> None:
    table = ladder(seed)

    before = fit(chinchilla, Runs(table)).coefficients
    after = fit(chinchilla, Runs(table.assign(params=table["params"] * unit))).coefficients

    rescaled = {**before, "A": before["A"] * unit ** before["alpha"]}
    assert after == pytest.approx(rescaled, rel=SAME_COEFFICIENT, abs=SAME_COEFFICIENT)


@few
@given(seeds, st.sampled_from([1 / np.log(2), 1e-3, 1e3]))
def test_a_loss_in_another_unit_rescales_its_floor_and_its_two_terms_alike(seed: int, unit: float) -> None:
    table = ladder(seed)

    before = fit(chinchilla, Runs(table)).coefficients
    after = fit(chinchilla, Runs(table.assign(loss=table["loss"] * unit))).coefficients

    rescaled = {name: before[name] * unit for name in ("E", "A", "B")}
    assert after == pytest.approx({**before, **rescaled}, rel=SAME_COEFFICIENT, abs=SAME_COEFFICIENT * unit)


@few
@given(seeds, st.sampled_from(["huber", "least_squares"]))
def test_every_run_twice_is_every_run_with_twice_the_weight(seed: int, objective: str) -> None:
    table = ladder(seed)
    twice = pd.concat([table, table])

    copied = fit(chinchilla, Runs(twice), objective=objective)  # type: ignore[arg-type]  # drawn by name
    weighted = fit(chinchilla, Runs(table), weights=np.full(len(table), 2.0), objective=objective)  # type: ignore[arg-type]

    assert copied.objective_value == pytest.approx(weighted.objective_value, rel=SAME_OBJECTIVE)
    assert copied.coefficients == pytest.approx(weighted.coefficients, rel=SAME_COEFFICIENT)


@few
@given(seeds, st.sampled_from([1e-12, 1e-3, 1e12]))
def test_weights_in_another_unit_change_the_objective_and_nothing_else(seed: int, unit: float) -> None:
    table = ladder(seed)
    weights = np.random.default_rng(seed).uniform(0.2, 5.0, len(table))

    before = fit(chinchilla, Runs(table), weights=weights)
    after = fit(chinchilla, Runs(table), weights=weights * unit)

    assert after.objective_value == pytest.approx(before.objective_value * unit, rel=SAME_OBJECTIVE)
    assert after.coefficients == pytest.approx(before.coefficients, rel=SAME_COEFFICIENT)
    assert after.status == before.status
