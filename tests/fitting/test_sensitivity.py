"""What another floor, objective, convention or run would say, against refits made by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting import Fit, fit, sensitivity
from allometry.fitting.search import refit
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

SAME_VALLEY = 1e-5  # relative: the same optimum reached from another start
FAR = {"params": 1e9, "tokens": 2e10}


@pytest.fixture(scope="module")
def runs(ladder: MakeRuns, changed: MakeRuns) -> Runs:
    made = ladder(0.003, seed=5)
    params, tokens = made.column("params"), made.column("tokens")
    return changed(
        made,
        params_total=params,
        params_embedding=params**0.8,
        params_matmul=0.9 * params + 1e6,
        flops=6.5 * params**1.02 * tokens,
    )


@pytest.fixture(scope="module")
def found(runs: Runs) -> Fit:
    return fit("chinchilla", runs)


def said(by_hand: Fit, place: dict[str, float] = FAR) -> float:
    return float(by_hand.law.evaluate(place, by_hand.coefficients))


def test_each_floor_forecasts_as_a_fit_that_holds_it(found: Fit, runs: Runs) -> None:
    table = sensitivity.by_floor(found, FAR, points=5)

    for row in (0, 2):
        held = fit("chinchilla", runs, hold={"E": float(table["E"].iloc[row])}, starts=8)
        assert table["forecast"].iloc[row] == pytest.approx(said(held), rel=SAME_VALLEY)
        assert table["objective_value"].iloc[row] == pytest.approx(held.objective_value, rel=SAME_VALLEY)
    assert table["rise"].min() == pytest.approx(0, abs=1e-9)
    assert table["E"].iloc[table["rise"].argmin()] == pytest.approx(found.coefficients["E"])
    assert table["E"].iloc[0] == 0


@pytest.mark.parametrize(("noise", "seed", "row"), [(0.003, 5, 30), (0.02, 5, 16), (0.05, 7, 8)])
def test_many_floors_end_as_low_as_each_alone(
    ladder: MakeRuns, noise: float, seed: int, row: int
) -> None:  # the last two lie beside another valley, into which the line between others leads
    rough = fit("chinchilla", ladder(noise, seed=seed))

    table = sensitivity.by_floor(rough, FAR, points=33)

    alone = refit(rough, hold={"E": float(table["E"].iloc[row])}, starts=16)
    assert table["objective_value"].iloc[row] == pytest.approx(alone.objective_value, rel=SAME_VALLEY)


def test_a_floor_that_is_held_has_no_other(ladder: MakeRuns) -> None:
    held = fit("chinchilla", ladder(0.003), hold={"E": 1.8}, starts=4)

    with pytest.raises(InputError, match="'E' is not open in this fit of 'chinchilla'"):
        sensitivity.by_floor(held)


def test_each_objective_forecasts_as_a_fit_that_minimises_it(found: Fit, runs: Runs) -> None:
    table = sensitivity.by_objective(found, FAR).set_index("objective")

    lad, squares = (fit("chinchilla", runs, objective=name) for name in ("lad", "least_squares"))
    narrow = fit("chinchilla", runs, delta=1e-4)
    assert list(table.index) == ["huber 0.001", "least_squares", "huber 0.01", "huber 0.0001", "lad"]
    expected = [said(one) for one in (found, narrow, lad, squares)]
    rows = ["huber 0.001", "huber 0.0001", "lad", "least_squares"]
    np.testing.assert_allclose(table["forecast"][rows], expected, rtol=SAME_VALLEY)


def test_no_objective_ends_higher_than_a_search_of_its_own(ladder: MakeRuns) -> None:
    rough = fit("kaplan", ladder(0.1, seed=3))

    table = sensitivity.by_objective(rough).set_index("objective")

    objectives: tuple[tuple[Literal["huber", "lad"], float], ...] = (("huber", 1e-4), ("lad", 1e-3))
    for name, delta in objectives:
        own = refit(rough, objective=name, delta=delta, starts=4)
        row = table.loc["lad" if name == "lad" else f"{name} {delta:g}", list(rough.law.names)]
        reached = replace(
            own, coefficients=dict(zip(rough.law.names, row.to_numpy(dtype=float), strict=True))
        ).residuals()
        assert own.goal.total(reached, own.data.weights) <= own.objective_value * (1 + SAME_VALLEY)


def test_each_count_of_parameters_fits_as_its_own_column_does(found: Fit, runs: Runs) -> None:
    table = sensitivity.by_convention(found, FAR).set_index("convention")

    matmul = fit("chinchilla", runs, inputs={"params": "params_matmul"}, starts=8)
    assert list(table.index) == ["params, tokens as fitted", "params_matmul", "non_embedding"]
    np.testing.assert_allclose(
        table.loc["params_matmul", list(found.law.names)].astype(float),
        list(matmul.coefficients.values()),
        rtol=1e-4,  # coefficients along the valley, not what they say
    )
    # The same run in the other count: the largest has 3e7 parameters, and 2.8e7 in matrix products.
    there = {"params": 1e9 * 2.8e7 / 3e7, "tokens": 2e10}
    assert table["forecast"]["params_matmul"] == pytest.approx(said(matmul, there), rel=SAME_VALLEY)


def test_stated_compute_is_fitted_again_as_six_n_d(runs: Runs, changed: MakeRuns) -> None:
    stated = fit("power_law_with_floor", runs, inputs={"x": "flops"})
    table = sensitivity.by_convention(stated).set_index("convention")

    six = 6 * runs.column("params") * runs.column("tokens")
    again = fit("power_law_with_floor", changed(runs, flops=six), inputs={"x": "flops"})
    assert table["alpha"]["6ND"] == pytest.approx(again.coefficients["alpha"], rel=SAME_VALLEY)


def test_the_row_of_a_run_is_the_fit_without_it(found: Fit, runs: Runs) -> None:
    table = sensitivity.influence(found, FAR)

    assert list(table["run"]) == [f"row {row + 1}" for row in range(20)]
    for row in (0, 13):
        without = fit("chinchilla", Runs(runs.table.drop(index=row)), starts=8)
        assert table["forecast"][row] == pytest.approx(said(without), rel=SAME_VALLEY)


def test_of_a_large_table_the_runs_that_pull_most_are_left_out(
    ladder: MakeRuns, changed: MakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = ladder(0.003).column("loss").copy()
    loss[[0, 19]] *= 1.1
    found = fit("chinchilla", changed(ladder(), loss=loss), objective="least_squares")
    every = sensitivity.influence(found)
    monkeypatch.setattr(sensitivity, "_ELEMENTS", 20 * 20)
    monkeypatch.setattr(sensitivity, "_AT_ONCE", 3 * 20)
    pd.testing.assert_frame_equal(sensitivity.influence(found), every)  # in blocks of three

    strongest = sensitivity._most_pulling(found, 4)

    moved = np.abs(every["forecast"] / said(found, sensitivity.ahead(found)) - 1)
    assert int(moved.argmax()) in strongest
    assert len(strongest) == 4


def test_the_worst_runs_are_left_out_one_after_the_other(found: Fit, runs: Runs) -> None:
    table = sensitivity.without_worst(found, FAR, most=2)

    worst = np.argsort(-np.abs(found.residuals()))[:2]
    without = fit("chinchilla", Runs(runs.table.drop(index=list(worst))), starts=8)
    assert list(table["left_out"]) == [0, 1, 2]
    assert table["forecast"][0] == pytest.approx(said(found), rel=SAME_VALLEY)
    assert table["forecast"][2] == pytest.approx(said(without), rel=SAME_VALLEY)


def test_the_worst_runs_are_judged_by_their_weights(runs: Runs) -> None:
    weights = np.ones(20)
    weights[4] = 1e-6
    off = runs.table["loss"].where(runs.table.index != 4, 1.5 * runs.table["loss"])
    found = fit("chinchilla", Runs(runs.table.assign(loss=off)), weights=weights, objective="least_squares")

    first = sensitivity.without_worst(found, FAR, most=1)["forecast"]

    worst = int(np.argmax(np.abs(found.residuals()) * np.sqrt(weights)))
    assert worst != 4
    keep = runs.table.index != worst
    without = fit(
        "chinchilla",
        Runs(runs.table.assign(loss=off)[keep]),
        weights=weights[keep],
        objective="least_squares",
    )
    assert first[1] == pytest.approx(said(without), rel=SAME_VALLEY)


BOTH = {"params": 10**0.5, "tokens": 10**0.5}


@pytest.mark.parametrize(
    ("inputs", "factors"),
    [
        ({"params": "params", "tokens": "tokens"}, BOTH),
        ({"x": "flops"}, {"x": 10}),
        ({"x": "params"}, {"x": 10}),
        ({"params": "params", "tokens": "tokens", "flops": "flops"}, {**BOTH, "flops": 10}),
        (
            {"params": "params", "tokens": "tokens", "unique_tokens": "unique_tokens"},
            {**BOTH, "unique_tokens": 10**0.5},
        ),
        ({"params": "params_active", "year": "year"}, {"params": 10, "year": 1}),
    ],
)
def test_ten_times_ahead_is_ten_times_the_compute_of_the_largest_run(
    inputs: dict[str, str], factors: dict[str, float], found: Fit
) -> None:
    rows = np.array([1.0, 5.0, 3.0] + [2.0] * 17)
    read = replace(found, inputs=inputs, data=replace(found.data, inputs=dict.fromkeys(inputs, rows)))

    assert sensitivity.ahead(read) == pytest.approx({name: 5 * factors[name] for name in inputs})
