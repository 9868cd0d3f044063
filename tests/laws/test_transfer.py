"""Transfer: the paper's own extrapolations from its coefficients."""

import pytest

from allometry.laws import transfer

TEXT = {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}  # Hernandez et al. 2021, Table 1
TEXT_AND_CODE = {"k": 2.1e5, "alpha": 0.096, "beta": 0.38}
GPT3 = 175e9


@pytest.mark.parametrize(("mix", "worth", "factor"), [(TEXT, 3.7e8, 2.8), (TEXT_AND_CODE, 4.1e9, 1.7)])
def test_what_pre_training_of_gpt3s_size_is_worth_in_python(
    mix: dict[str, float], worth: float, factor: float
) -> None:
    one, many = transfer.evaluate({"params": GPT3, "finetune_tokens": [1, 300]}, mix)

    assert one == pytest.approx(worth, rel=0.05)  # section 6.2, in characters
    assert many / one == pytest.approx(factor, abs=0.05)


def test_ten_times_the_size_is_worth_a_hundred_times_the_data() -> None:
    larger = transfer.evaluate({"params": 1e9, "finetune_tokens": 1e5}, TEXT)
    longer = transfer.evaluate({"params": 1e8, "finetune_tokens": 1e7}, TEXT)

    assert float(larger) == pytest.approx(float(longer), rel=0.05)  # section 1.1: beta is about 2 alpha
