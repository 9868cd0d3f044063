"""What a target takes: the floors of the law, the limit of the data, and how sure they are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from allometry.errors import FitError, InputError
from allometry.planning.allocation import allocate
from allometry.planning.basis import Basis, basis_of
from allometry.planning.published import published_fit
from allometry.planning.requirements import require, requirements

LAW = published_fit("besiroglu_2024").coefficients


def with_floors(floors: list[float]) -> Basis:
    """Besiroglu's law with these floors as draws."""
    basis = basis_of("besiroglu_2024")
    sets = {name: np.full(1 + len(floors), value[0]) for name, value in basis.coefficients.items()}
    return replace(basis, coefficients={**sets, "E": np.array([sets["E"][0], *floors])}, no_draws="")


def test_the_least_size_reaches_the_target_with_endless_data_and_no_smaller_one_does() -> None:
    least = require("besiroglu_2024", loss=2.1).floors

    by_size = LAW["E"] + LAW["A"] / least.params.value ** LAW["alpha"]
    by_data = LAW["E"] + LAW["B"] / least.tokens.value ** LAW["beta"]
    assert by_size == pytest.approx(2.1, rel=1e-12)
    assert by_data == pytest.approx(2.1, rel=1e-12)


def test_the_plan_for_a_loss_and_the_plan_for_its_compute_are_one() -> None:
    target = allocate("hoffmann_2022", loss=2.05)

    budget = allocate("hoffmann_2022", flops=target.flops)

    assert budget.params.value == pytest.approx(target.params.value, rel=1e-8)
    assert budget.loss.value == pytest.approx(2.05, rel=1e-10)


def test_repeats_without_end_are_worth_the_stock_times_one_plus_their_constant() -> None:
    needs = require("muennighoff_2023", loss=2.4, unique_tokens=1e10)

    c = published_fit("muennighoff_2023").coefficients
    usable = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / c["alpha"]) * 1e10 ** (
        c["beta"] / c["alpha"]
    )
    size, data = usable * (1 + c["RN"]), 1e10 * (1 + c["RD"])  # Muennighoff et al. 2023, equations 5 and 7
    least = c["E"] + c["A"] / size ** c["alpha"] + c["B"] / data ** c["beta"]
    assert needs.data_floor is not None
    assert needs.data_floor.value == pytest.approx(least, rel=1e-10)


def test_the_probability_is_the_share_of_draws_whose_floor_is_below_the_target() -> None:
    law = with_floors([1.7, 1.8, 1.95, 2.2])

    assert requirements(law, 2.0, None, 0.9).reachable == 0.75


def test_a_published_law_without_intervals_has_no_probability() -> None:
    assert math.isnan(require("hoffmann_2022", loss=2.0).reachable)


def test_a_loss_under_the_floor_is_refused_by_the_floor() -> None:
    with pytest.raises(InputError, match=r"floor of .* is at 1\.817"):
        require("besiroglu_2024", loss=1.8)


def test_a_loss_that_the_data_does_not_allow_is_refused_with_what_it_allows() -> None:
    with pytest.raises(InputError, match="cannot be reached with 1B unique tokens: the least they allow"):
        allocate("besiroglu_2024", loss=2.0, unique_tokens=1e9)


def test_a_law_without_a_floor_has_no_requirements() -> None:
    with pytest.raises(FitError, match="no floor plus a power"):
        require("kaplan_2020", loss=2.0)
