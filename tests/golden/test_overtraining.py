"""Over-trained models: Gadre et al. 2024, arXiv:2403.08540, whose law shares one exponent."""

from typing import Any

import pytest

from allometry.fitting import fit

pytestmark = pytest.mark.public_data

DIGIT = 5e-5  # half of the last digit published
E_DIGIT = {"c4": 5e-4, "rw": 5e-5}
# The paper fits four sizes at 20 tokens per parameter and the smallest also at 320, on the raw loss.
FITTED = """
    (round(token_multiplier) = 20 AND model NOT LIKE 'open_lm%')
    OR (round(token_multiplier) = 320 AND model = 'd=96_l=8_h=4')
"""


@pytest.mark.parametrize(("data", "floor", "exponent"), [("c4", 1.508, 0.2425), ("rw", 1.7345, 0.2544)])
def test_five_small_runs_give_the_published_floor_and_exponent(
    published: Any, data: str, floor: float, exponent: float
) -> None:
    runs = published("gadre2024").where(f"dataset = '{data}_original'")

    found = fit(
        "chinchilla_tied", runs.where(FITTED, because="as in the paper"), objective="least_squares", on="raw"
    )

    assert len(found.data) == 5
    assert found.coefficients["E"] == pytest.approx(floor, abs=E_DIGIT[data])
    # Published for parameters and tokens; compute is their product, so its exponent is half of it.
    assert 2 * found.coefficients["eta"] == pytest.approx(exponent, abs=DIGIT)
