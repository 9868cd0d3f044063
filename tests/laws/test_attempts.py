"""Coverage by repeated attempts, against its exact value where success rates have a known distribution."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln

from allometry.fitting import fit
from allometry.laws import coverage
from allometry.runs.run import Runs


def test_one_attempt_solves_the_share_that_a_says() -> None:
    assert float(coverage.evaluate({"attempts": 1.0}, {"a": -np.log(0.159), "b": 0.4})) == pytest.approx(
        0.159
    )


def test_the_log_of_coverage_is_a_straight_line_in_log_log() -> None:
    solved = coverage.evaluate({"attempts": [1.0, 10.0, 100.0]}, coverage.typical)

    np.testing.assert_allclose(np.diff(np.log10(-np.log(solved))), -coverage.typical["b"])


def test_the_exponent_is_how_thickly_hard_problems_lie() -> None:
    """Schaeffer et al. 2025: if success rates near zero have density p^(b-1), -ln pass@k falls as k^-b."""
    attempts, b = np.geomspace(1e3, 1e6, 12), 0.4
    unsolved = np.exp(betaln(b, 3.0 + attempts) - betaln(b, 3.0))  # exact for rates of Beta(b, 3)

    runs = Runs(pd.DataFrame({"attempts": attempts, "coverage": 1 - unsolved}))

    assert fit(coverage, runs, objective="least_squares", on="logit").coefficients["b"] == pytest.approx(
        b, rel=0.05
    )
