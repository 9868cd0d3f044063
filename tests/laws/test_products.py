"""Products of powers: the same as linear regression of logarithms."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from allometry.errors import InputError
from allometry.fitting import fit
from allometry.laws import product, read_law
from allometry.runs.run import Runs


@pytest.fixture
def runs() -> Runs:
    random = np.random.default_rng(0)
    inputs = {name: np.exp(random.uniform(0, 5, 40)) for name in ("params", "tokens", "flops")}
    score = 3 * inputs["params"] ** 0.4 * inputs["tokens"] ** -0.2 * inputs["flops"] ** 0.1
    return Runs(pd.DataFrame({**inputs, "loss": score * np.exp(random.normal(0, 0.05, 40))}))


def test_a_product_fitted_by_least_squares_is_a_linear_regression_of_logarithms(runs: Runs) -> None:
    table = np.log(runs.table[["params", "tokens", "flops", "loss"]].to_numpy())
    design = np.column_stack([np.ones(len(table)), table[:, :3]])
    expected = np.linalg.lstsq(design, table[:, 3])[0]

    found = fit("product", runs, objective="least_squares").coefficients

    assert np.log(found["k"]) == pytest.approx(expected[0], abs=1e-9)
    assert [found[name] for name in ("alpha", "beta", "gamma")] == pytest.approx(expected[1:], abs=1e-9)


def test_doubling_one_input_multiplies_the_value_by_two_to_its_power() -> None:
    sizes: dict[str, ArrayLike] = {"params": 1e9, "tokens": [1e10, 2e10], "flops": 1e20}
    powers = {"k": 7.0, "alpha": 0.3, "beta": -0.25, "gamma": 0.1}

    once, twice = product.evaluate(sizes, powers)

    assert twice / once == pytest.approx(2**-0.25)


def test_any_columns_make_a_product_and_a_floor_is_added_to_it() -> None:
    member = read_law("product(params, learning_rate, floor)")

    value = member.evaluate(
        {"params": 4.0, "learning_rate": 9.0}, {"E": 1.0, "k": 2.0, "alpha": 0.5, "a_learning_rate": -0.5}
    )

    assert member.reads == ("params", "learning_rate")
    assert float(value) == pytest.approx(1 + 2 * 2 / 3)


def test_a_member_goes_by_a_name_that_finds_it_again() -> None:
    member = read_law("product(tokens,floor)")

    assert read_law(member.name) == member
    assert member.name == "product(tokens, floor)"


@pytest.mark.parametrize("words", ["floor", "params, params", ""])
def test_a_product_of_no_columns_or_of_one_twice_is_refused(words: str) -> None:
    with pytest.raises(InputError, match=r"like product\(params, tokens\)"):
        read_law(f"product({words})")


def test_a_column_that_no_formula_can_name_is_refused() -> None:
    with pytest.raises(InputError, match="rename the column"):
        read_law("product(params, d model)")
