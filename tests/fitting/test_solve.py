"""What enters a fit, what is refused, and that it is the optimum."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from allometry.errors import FitError, InputError, MissingColumn, TableError
from allometry.fitting import Fit, FitStatus, bootstrap, compare, envelope, fit, iso_flop, multiplier
from allometry.fitting.frontier.approaches import three_approaches
from allometry.fitting.objectives import OBJECTIVES, Objective, ObjectiveName
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

SAME_OPTIMUM = 1e-6  # relative: what a general optimiser reaches on these objectives


def test_noise_leaves_the_best_fit_better_than_the_truth(ladder: MakeRuns) -> None:
    runs = ladder(noise=0.01)
    found = fit("chinchilla", runs)
    residuals = np.log(ladder().column("loss")) - np.log(runs.column("loss"))

    assert found.status is FitStatus.CONVERGED
    assert found.objective_value < Objective().total(residuals, np.ones(len(runs)))


@pytest.mark.parametrize("objective", ["huber", "least_squares", "lower_envelope"])
def test_a_general_optimiser_finds_nothing_lower(objective: ObjectiveName, ladder: MakeRuns) -> None:
    runs = ladder(noise=0.01, seed=3)
    found = fit("chinchilla", runs, objective=objective)

    def total(values: np.ndarray) -> float:
        natural = dict(zip(found.law.names, [*np.exp(values[:3]), *values[3:]], strict=True))
        law = found.law.evaluate(found.data.inputs, natural)
        return float(found.goal.total(np.log(law / found.data.output), found.data.weights))

    c = found.coefficients
    begin = np.array([np.log(c["E"]), np.log(c["A"]), np.log(c["B"]), c["alpha"], c["beta"]])
    other = minimize(total, begin * 1.002, method="Nelder-Mead", options={"maxfev": 4000, "fatol": 1e-14})
    assert total(begin) == pytest.approx(found.objective_value)
    assert found.objective_value <= other.fun * (1 + SAME_OPTIMUM)


def test_the_objective_is_a_sum_so_twice_the_runs_double_it(ladder: MakeRuns) -> None:
    runs = ladder(noise=0.01)
    twice = Runs(pd.concat([runs.table, runs.table], ignore_index=True))

    assert fit("chinchilla", twice).objective_value == pytest.approx(
        2 * fit("chinchilla", runs).objective_value
    )


def test_weights_are_inverse_variances_so_a_heavy_run_is_followed(ladder: MakeRuns) -> None:
    runs = ladder(noise=0.02, seed=1)
    weights = np.ones(len(runs))
    weights[7] = 1e4

    heavy, plain = fit("chinchilla", runs, weights=weights), fit("chinchilla", runs)

    assert abs(heavy.residuals()[7]) < 0.1 * abs(plain.residuals()[7])


def test_the_lower_envelope_leaves_a_tenth_of_the_runs_below_it(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(noise=0.02, sizes=20, horizons=10), objective="lower_envelope")

    assert np.mean(found.residuals() < 0) == pytest.approx(0.1, abs=0.03)  # 5 coefficients of 200 runs


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_derivatives_of_a_penalty_equal_its_differences(name: ObjectiveName) -> None:
    objective, r, step = Objective(name=name), np.array([-0.1, -6e-4, 2e-4, 0.03]), 1e-8
    if name == "lad":  # its smoothed stages are what has a slope everywhere
        objective = objective.stages()[0]

    slope = (objective.penalty(r + step) - objective.penalty(r - step)) / (2 * step)
    bend = (objective.slope(r + step) - objective.slope(r - step)) / (2 * step)

    np.testing.assert_allclose(objective.slope(r), slope, rtol=1e-6)
    np.testing.assert_allclose(objective.curvature(r), bend, rtol=1e-6, atol=1e-9)


def test_held_coefficients_stay_bit_for_bit_and_the_others_follow(
    ladder: MakeRuns, truth: dict[str, float]
) -> None:
    found = fit("chinchilla", ladder(), hold={"E": truth["E"], "A": 479.1})

    assert (found.coefficients["E"], found.coefficients["A"]) == (truth["E"], 479.1)
    assert found.coefficients["beta"] == pytest.approx(truth["beta"], rel=1e-2)


def test_a_floor_that_the_runs_do_not_show_ends_at_zero_and_says_so(
    ladder: MakeRuns, changed: MakeRuns
) -> None:
    runs = ladder()
    flops = runs.column("params") * runs.column("tokens")
    found = fit(
        "power_law_with_floor", changed(runs, flops=flops, loss=50 * flops**-0.08), inputs={"x": "flops"}
    )

    assert found.coefficients["E"] == pytest.approx(0, abs=1e-6)
    assert found.coefficients["alpha"] == pytest.approx(0.08, rel=1e-5)


def test_only_finished_runs_enter_and_those_left_out_are_counted(ladder: MakeRuns, changed: MakeRuns) -> None:
    status = ["diverged", *["done"] * 19]
    decayed = [True, False, False, *[True] * 17]

    found = fit("chinchilla", changed(ladder(), status=status, decayed=decayed))

    assert len(found.data) == 17
    assert [(f.query, f.dropped) for f in found.filters] == [("status = 'done'", 1), ("decayed", 2)]


def test_a_run_of_unknown_state_enters(ladder: MakeRuns, changed: MakeRuns) -> None:
    assert len(fit("chinchilla", changed(ladder(), status=[None] * 20, decayed=[np.nan] * 20)).data) == 20


def test_too_few_runs_are_refused_with_the_way_out(ladder: MakeRuns) -> None:
    few = Runs(ladder().table.head(3))

    with pytest.raises(FitError, match="leaves 5 coefficients open and 3 runs were given; give at least 6"):
        fit("chinchilla", few)


@pytest.mark.parametrize("compute", ["flops", "params"])
def test_tokens_in_proportion_to_params_are_refused_with_a_way_out_that_works(
    compute: str, ladder: MakeRuns, changed: MakeRuns
) -> None:
    runs = ladder()
    tied = changed(runs, tokens=20 * runs.column("params"))
    tied = changed(tied, flops=120 * tied.column("params") ** 2) if compute == "flops" else tied

    with pytest.raises(
        FitError, match=rf"20 tokens per parameter.*power_law_with_floor --inputs x={compute}"
    ):
        fit("chinchilla", tied)
    assert len(fit("power_law_with_floor", tied, inputs={"x": compute}).data) == 20


def test_an_input_that_is_not_mapped_is_looked_for_among_the_columns_there_are() -> None:
    runs = Runs(pd.DataFrame({"task": ["a", "b"], "dataset_size": [1e3, 1e4], "loss": [3.0, 2.8]}))

    with pytest.raises(MissingColumn, match="--inputs x=dataset_size"):
        fit("power_law", runs)


def test_a_table_of_compute_alone_is_sent_to_a_law_of_compute() -> None:
    runs = Runs(pd.DataFrame({"flops": [1e18, 1e19], "loss": [3.0, 2.8]}))

    with pytest.raises(MissingColumn, match=r"'params'.*power_law_with_floor.*\"x\": \"flops\""):
        fit("chinchilla", runs)


@pytest.mark.parametrize("levels", [1, 2])
def test_an_input_with_too_few_values_for_its_coefficients_is_refused(
    levels: int, ladder: MakeRuns, changed: MakeRuns
) -> None:
    tokens = np.resize([1e9, 4e9][:levels], 20)

    with pytest.raises(FitError, match=f"cannot tell .*beta.*'tokens' takes {levels} different"):
        fit("chinchilla", changed(ladder(), tokens=tokens))


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
def test_a_value_no_law_can_use_is_refused_by_row_and_column(
    value: float, ladder: MakeRuns, changed: MakeRuns
) -> None:
    loss = ladder().column("loss").copy()
    loss[4] = value

    with pytest.raises(TableError, match=r"'loss' is .* in row 5"):
        fit("chinchilla", changed(ladder(), loss=loss))


def test_an_input_that_is_not_mapped_is_asked_for(ladder: MakeRuns) -> None:
    with pytest.raises(MissingColumn, match=r'needs a column \'x\'.*inputs=\{"x": "params"\}'):
        fit("power_law", ladder())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hold": {"gamma": 1.0}}, "no coefficient 'gamma'"),
        ({"hold": {"A": -1.0}}, "above zero"),
        ({"hold": {"E": -1.0}}, "allows 'E' from 0 to"),
        ({"hold": {"E": "1.7 nats"}}, "held at a number, not at '1.7 nats'"),
        ({"hold": {"E": float("nan")}}, "held at a number, not at nan"),
        ({"starts": 0}, "'starts' is a whole number from 1, not 0"),
        ({"seed": -1}, "'seed' is a whole number from 0, not -1"),
        ({"inputs": {"x": "flops"}}, "reads params, tokens, not 'x'"),
        ({"objective": "hubert"}, "no objective 'hubert'"),
        ({"on": "linear"}, "not on 'linear'"),
        ({"delta": 0.0}, "delta must be above 0"),
        ({"weights": [1.0]}, "one weight a run"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], words: str, ladder: MakeRuns) -> None:
    with pytest.raises(InputError, match=words):
        fit("chinchilla", ladder(), **arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "verb",
    [
        lambda table: fit("chinchilla", table),
        lambda table: compare("chinchilla", table, hold_out="largest_flops"),
        lambda table: multiplier(table, by="recipe"),
        iso_flop,
        envelope,
        three_approaches,
    ],
)
def test_a_bare_table_is_sent_to_read_runs(verb: Callable[[object], object], ladder: MakeRuns) -> None:
    with pytest.raises(InputError, match=r"read_runs.*not a DataFrame"):
        verb(ladder().table)


def test_a_forecast_asked_for_in_words_is_refused(drawn: Fit) -> None:
    with pytest.raises(InputError, match="'params' must be a number above zero to predict from, not '7B'"):
        drawn.predict(params="7B", tokens=1e12)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("arguments", "words"), [({"workers": 0}, "'workers' is a whole"), ({"seed": -1}, "'seed' is a whole")]
)
def test_a_wrong_argument_of_a_bootstrap_is_named(drawn: Fit, arguments: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        bootstrap(drawn, draws=2, **arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_a_column_is_offered_once(drawn: Fit) -> None:
    with pytest.raises(InputError) as refused:
        bootstrap(drawn, draws=2, resampling="pairs", strata="budget")

    assert str(refused.value).count("params,") == 1
