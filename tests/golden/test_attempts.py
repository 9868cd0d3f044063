"""Repeated attempts: Pythia on MATH (Brown et al. 2024; Schaeffer et al. 2025), and o1-mini on AIME."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import gammaln

from allometry.fitting import fit
from allometry.laws import Coefficient, law
from allometry.laws.mathematics import log
from allometry.runs.run import Runs

pytestmark = pytest.mark.public_data

DIGIT = 5e-4  # half of the last digit published
ATTEMPTS = np.unique(np.geomspace(1, 10_000, 25).round())


def pass_at(k: NDArray[np.float64], n: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of problems that k of n attempts solve, c being right: unbiased (Chen et al. 2021)."""

    def log_choose(of: Any, take: Any) -> Any:
        return gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1)

    wrong, k = n - c, k[:, None]
    missed = np.exp(log_choose(wrong, np.minimum(k, wrong)) - log_choose(n, k))
    return np.asarray(np.where(wrong < k, 1.0, 1 - missed).mean(axis=1))


@pytest.mark.parametrize(
    ("size", "exponent"), [("70M", 0.191), ("410M", 0.286), ("1B", 0.311), ("12B", 0.370)]
)
def test_what_attempts_leave_unsolved_falls_with_the_published_power(
    published: Any, size: str, exponent: float
) -> None:
    counts = published("monkeys_pythia_math").where(f"model = 'Pythia {size}'")
    solved = pass_at(ATTEMPTS, counts.column("n"), counts.column("c"))
    curve = Runs(pd.DataFrame({"attempts": ATTEMPTS, "unsolved": -np.log(solved)}))

    found = fit("power_law", curve, objective="least_squares", inputs={"x": "attempts"}, output="unsolved")

    assert found.coefficients["alpha"] == pytest.approx(exponent, abs=DIGIT)


@law(
    reads=("x",),
    predicts="accuracy",
    on="raw",
    source="Zhang 2024, o1_inference_scaling_laws",
    coefficients=(
        Coefficient(name="a", meaning="accuracy at one token", unit="1", low=-1.0, high=1.0, positive=False),
        Coefficient(name="b", meaning="gain a doubling", unit="1", low=-0.2, high=0.2, positive=False),
    ),
)
def steady_gain(x: Any, *, a: Any, b: Any) -> Any:
    """Accuracy grows by the same amount with each doubling of tokens."""
    return a + b * log(x) / log(2)


def test_o1_mini_gains_six_points_with_each_doubling_of_its_tokens(published: Any) -> None:
    asked = published("o1_mini_aime").where("method = 'majority_vote'", because="it goes up to 2^16")

    found = fit(steady_gain, asked, objective="least_squares", inputs={"x": "avg_tokens_used"})

    assert 100 * found.coefficients["b"] == pytest.approx(6, abs=0.5)  # published as a whole number of points
