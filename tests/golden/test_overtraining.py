"""Over-trained models: Gadre et al. 2024, arXiv:2403.08540, whose law shares one exponent."""

from typing import Any

import pytest

from allometry.fitting import fit

pytestmark = pytest.mark.public_data

DIGIT = 5e-5  # half of the last digit published
E_DIGIT = {"c4": 5e-4, "rw": 5e-5}
ERROR_DIGITS = {"epsilon": 5e-4, "k": 5e-3, "gamma": 5e-4}
# The paper fits four sizes at 20 tokens per parameter and the smallest also at 320, on the raw loss.
FOR_LOSS = """
    (round(token_multiplier) = 20 AND model NOT LIKE 'open_lm%')
    OR (round(token_multiplier) = 320 AND model = 'd=96_l=8_h=4')
"""
# For the errors of tasks it adds a model of 1.4e9 parameters.
FOR_ERROR = f"{FOR_LOSS} OR (round(token_multiplier) = 20 AND model = 'open_lm_1b')"


@pytest.mark.parametrize(("data", "floor", "exponent"), [("c4", 1.508, 0.2425), ("rw", 1.7345, 0.2544)])
def test_five_small_runs_give_the_published_floor_and_exponent(
    published: Any, data: str, floor: float, exponent: float
) -> None:
    runs = published("gadre2024").where(f"dataset = '{data}_original'")

    found = fit(
        "chinchilla_tied",
        runs.where(FOR_LOSS, because="as in the paper"),
        objective="least_squares",
        on="raw",
    )

    assert len(found.data) == 5
    assert found.coefficients["E"] == pytest.approx(floor, abs=E_DIGIT[data])
    # Published for parameters and tokens; compute is their product, so its exponent is half of it.
    assert 2 * found.coefficients["eta"] == pytest.approx(exponent, abs=DIGIT)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ("c4", {"epsilon": 0.850, "k": 2.08, "gamma": 0.756}),
        ("rw", {"epsilon": 0.865, "k": 2.21, "gamma": 0.707}),
    ],
)
def test_six_runs_give_the_published_law_of_the_mean_error_on_17_tasks(
    published: Any, data: str, answer: dict[str, float]
) -> None:
    runs = published("gadre2024").where(f"dataset = '{data}_original'")

    found = fit(
        "task_exponential",
        runs.where(FOR_ERROR, because="as in the paper"),
        objective="least_squares",
        on="raw",
        output="error_avg17",
    )

    assert len(found.data) == 6
    for name, value in answer.items():
        assert found.coefficients[name] == pytest.approx(value, abs=ERROR_DIGITS[name]), name
