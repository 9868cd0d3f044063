"""Mixtures: what Ye et al. 2024 (arXiv:2403.16952) state and found, and what cannot be told apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.fitting import fit
from allometry.laws import mixture, read_law
from allometry.runs.run import Runs

TABLE = Path(__file__).parents[3] / "shared" / "data" / "mixing_2domain.csv"


def shares(domains: int, mixtures: int) -> np.ndarray:
    """Mixtures all over the simplex, of shape (domains, mixtures)."""
    return np.random.default_rng(0).dirichlet(np.ones(domains), mixtures).T


def test_the_logarithm_of_the_reducible_loss_is_linear_in_the_proportion() -> None:
    loss = mixture.evaluate({"proportion": np.linspace(0, 1, 5)}, mixture.typical)

    np.testing.assert_allclose(np.diff(np.log(loss - mixture.typical["c"])), mixture.typical["t"] / 4)


def test_all_data_of_the_domain_left_out_gives_floor_plus_k() -> None:
    law = read_law("mixture(web, code, books)")

    loss = law.evaluate({"proportion_web": 0.0, "proportion_code": 0.0}, law.typical)

    assert float(loss) == pytest.approx(law.typical["c"] + law.typical["k"])


def test_leaving_out_another_domain_gives_the_same_predictions() -> None:
    web, code, books = shares(3, 20)
    one, other = read_law("mixture(web, code, books)"), read_law("mixture(books, code, web)")
    published = {"c": 1.5, "k": 0.8, "t_web": -2.0, "t_code": 0.5}
    moved = {"c": 1.5, "k": 0.8 * np.exp(-2.0), "t_books": 2.0, "t_code": 2.5}

    np.testing.assert_allclose(
        other.evaluate({"proportion_books": books, "proportion_code": code}, moved),
        one.evaluate({"proportion_web": web, "proportion_code": code}, published),
    )


def test_mixtures_that_sum_to_one_identify_every_coefficient() -> None:
    law = read_law("mixture(a, b, c, d)")
    named = dict(zip(law.reads, shares(4, 30), strict=False))
    runs = Runs(pd.DataFrame({**named, "loss": law.evaluate(named, law.typical)}))

    assert fit(law, runs).coefficients == pytest.approx(law.typical, rel=1e-6)


def test_a_member_is_found_by_its_own_name() -> None:
    law = read_law("mixture( web,code )")

    assert law.reads == ("proportion_web",)
    assert read_law(law.name).formula == law.formula


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mixture(web)", "two or more"),
        ("mixture(web, code, web)", "different"),
        ("mixture(web, Pile-CC)", "'Pile-CC' cannot name"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_law(text)


def github(table: pd.DataFrame, size: str, step: int) -> Runs:
    rows = table[
        (table["model_size"] == size) & (table["step"] == step) & (table["valid_domain"] == "Github")
    ]
    return Runs(rows.rename(columns={"proportion_Github": "proportion"})[["proportion", "loss"]])


@pytest.mark.public_data
@pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}")
def test_the_authors_exponential_is_found_in_their_runs() -> None:
    runs = github(pd.read_csv(TABLE), "70M", 10_000)

    found = fit(mixture, runs, objective="least_squares", on="raw").coefficients

    # The notebook prints t = -2.4381, ln k = -0.5978 after choosing c by a scan of correlations.
    assert found["t"] == pytest.approx(-2.4381, rel=0.03)
    assert np.log(found["k"]) == pytest.approx(-0.5978, abs=0.03)


@pytest.mark.public_data
@pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}")
@pytest.mark.parametrize("size", ["70M", "160M"])
def test_the_exponential_explains_the_authors_final_losses(size: str) -> None:
    runs = github(pd.read_csv(TABLE), size, 30_000)

    found = fit(mixture, runs, objective="least_squares", on="raw")

    assert 1 - found.objective_value / np.var(runs.table["loss"]) / len(runs.table) > 0.997
