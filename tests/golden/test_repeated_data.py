"""Training on repeated data: Muennighoff et al. 2023, arXiv:2305.16264.

The constants of the paper (R_D* 15.39, R_N* 5.31) are not recovered from its public runs by a plain refit,
because the rows they came from are not known. What can be checked is the forecast of the larger runs.
"""

from typing import Any

import numpy as np
import pytest

from allometry.fitting import fit
from allometry.laws import Law, read_law

pytestmark = pytest.mark.public_data

DIGIT = 5e-4  # half of the last digit of the figures that were stated with the table


def forecast_error(runs: Any, law: Law) -> float:
    """Mean relative error on the 15% of runs of most compute, fitted to the others."""
    border = np.quantile(runs.column("flops"), 0.85)
    found = fit(law, runs.where(f"flops <= {border} AND loss < 5", because="the lower 85% of compute"))
    ahead = runs.where(f"flops > {border}")
    forecast = found.law.evaluate({name: ahead.column(name) for name in law.reads}, found.coefficients)
    return float(np.mean(np.abs(forecast / ahead.column("loss") - 1)))


def test_a_law_blind_to_repeats_misses_the_larger_runs_by_a_tenth(published: Any) -> None:
    runs = published("muennighoff2023")

    assert forecast_error(runs, read_law("chinchilla")) == pytest.approx(0.103, abs=DIGIT)


@pytest.mark.slow  # seven coefficients and a costly formula
def test_the_law_of_repeats_misses_them_by_a_third_of_that(published: Any) -> None:
    runs = published("muennighoff2023")

    assert forecast_error(runs, read_law("data_constrained")) == pytest.approx(0.035, abs=DIGIT)
