"""Inputs that are a function of the others, and runs that cannot carry a law: found, refused, or said."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError
from allometry.fitting import fit
from allometry.fitting.dependence import dependence
from allometry.laws.products import product
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

PARAMS = np.array([1e6, 2e6, 4e6, 8e6, 1e6, 2e6, 4e6, 8e6, 1e6, 8e6])
TOKENS = np.array([1e8, 1e8, 1e8, 1e8, 5e8, 5e8, 5e8, 5e8, 3e9, 3e9])


def test_compute_of_six_n_d_depends_on_size_and_data() -> None:
    found = dependence({"params": PARAMS, "tokens": TOKENS, "flops": 6 * PARAMS * TOKENS})

    assert found is not None
    assert found.formula == "flops = 6 · params · tokens"
    assert found.scale == pytest.approx(6)
    assert dict(found.powers) == pytest.approx({"params": 1, "tokens": 1})


def test_the_power_of_another_input_is_found_and_shown() -> None:
    found = dependence({"params": PARAMS, "width": 4 * PARAMS**0.5})

    assert found is not None
    assert found.formula == "width = 4 · params^0.5"


@pytest.mark.parametrize(("wiggle", "depends"), [(0.005, True), (0.05, False)])
def test_an_input_within_one_percent_of_a_product_depends_on_it(wiggle: float, depends: bool) -> None:
    off = np.exp(wiggle * np.resize([1.0, -1.0, 1.0], 10))

    found = dependence({"params": PARAMS, "tokens": TOKENS, "flops": 6 * PARAMS * TOKENS * off})

    assert (found is not None) == depends


def test_an_input_that_does_not_vary_is_not_a_product_of_others() -> None:
    assert dependence({"params": PARAMS, "bits": np.full(10, 16.0)}) is None


def test_as_few_runs_as_inputs_show_no_dependence() -> None:
    few = {"params": PARAMS[:3], "tokens": TOKENS[[0, 4, 8]], "flops": np.array([1e15, 7e15, 3e16])}

    assert dependence(few) is None


@pytest.mark.parametrize("law", ["product", product])
def test_a_product_with_six_n_d_fits_what_shows_and_says_so(law: object) -> None:
    flops = 6 * PARAMS * TOKENS
    loss = 300 * PARAMS**-0.05 * TOKENS**-0.07 * flops**-0.02
    runs = Runs(pd.DataFrame({"params": PARAMS, "tokens": TOKENS, "flops": flops, "loss": loss}))

    found = fit(law, runs)  # type: ignore[arg-type]

    assert found.held == {"gamma": 0.0}
    assert found.open == ("k", "alpha", "beta")
    # Only alpha + gamma and beta + gamma show, and 6^gamma goes into k.
    assert found.coefficients["alpha"] == pytest.approx(-0.07)
    assert found.coefficients["beta"] == pytest.approx(-0.09)
    assert found.coefficients["k"] == pytest.approx(300 * 6**-0.02)
    said = {finding.code: finding for finding in found.findings}
    assert "flops = 6 · params · tokens" in said["dependent_input"].sentence
    assert "pinned" not in said
    assert "dependent_input" in found.summary() or "flops = 6" in found.summary()


def test_a_product_with_compute_of_its_own_keeps_its_power() -> None:
    flops = 6 * PARAMS * TOKENS * np.resize([1.0, 1.3, 1.1, 1.7], 10)
    loss = 300 * PARAMS**-0.05 * TOKENS**-0.07 * flops**-0.02

    found = fit(
        "product", Runs(pd.DataFrame({"params": PARAMS, "tokens": TOKENS, "flops": flops, "loss": loss}))
    )

    assert found.coefficients["gamma"] == pytest.approx(-0.02)
    assert not found.held


def test_three_points_for_three_coefficients_are_refused_with_the_way_out() -> None:
    three = Runs(pd.DataFrame({"x": [1e18, 1e19, 1e20], "loss": [3.522, 3.154, 2.848]}))

    with pytest.raises(
        FitError, match=r"leaves 3 coefficients open and 3 runs were given; give at least 4"
    ) as it:
        fit("power_law_with_floor", three)

    assert 'hold={"E": ...}' in str(it.value)
    assert fit("power_law_with_floor", three, hold={"E": 1.5}).open == ("A", "alpha")


def test_twenty_tokens_a_parameter_throughout_are_refused_with_the_law_of_compute() -> None:
    params = np.geomspace(1e7, 1e9, 12)
    loss = 1.7 + 400 * params**-0.34 + 400 * (20 * params) ** -0.28
    table = pd.DataFrame({"params": params, "tokens": 20 * params, "flops": 120 * params**2, "loss": loss})

    with pytest.raises(FitError, match="All 12 runs have 20 tokens per parameter") as it:
        fit("chinchilla", Runs(table))

    assert 'fit("power_law_with_floor", runs, inputs={"x": "flops"})' in str(it.value)
    offered = fit("power_law_with_floor", Runs(table), inputs={"x": "flops"})
    assert offered.residuals() == pytest.approx(np.zeros(12), abs=2e-3)  # two powers are nearly one


def test_one_size_throughout_is_refused_with_its_column(ladder: MakeRuns, changed: MakeRuns) -> None:
    with pytest.raises(FitError, match=r"cannot tell .* apart: 'params' takes 1,") as it:
        fit("chinchilla", changed(ladder(0.002), params=1e7))

    assert "hold a coefficient fixed" in str(it.value)
