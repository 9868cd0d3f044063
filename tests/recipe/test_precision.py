"""In how many bits a run computes is part of what it is."""

import tomllib
from dataclasses import replace

import pytest
import tomli_w

from allometry.errors import RecipeError
from allometry.recipe import Precision, Recipe, spelled_out


def with_precision(recipe: Recipe, value: object) -> str:
    return tomli_w.dumps(tomllib.loads(recipe.to_toml()) | {"precision": value})


def test_a_word_is_short_for_a_table(tiny: Recipe) -> None:
    short = Recipe.from_toml(with_precision(tiny, "bf16"))
    long = Recipe.from_toml(with_precision(tiny, {"compute": "bf16"}))

    assert short == long == replace(tiny, precision=Precision(compute="bf16"))
    assert Recipe.from_toml(short.to_toml()).run_id == short.run_id != tiny.run_id


def test_full_precision_is_no_part_of_the_identity(tiny: Recipe) -> None:
    assert "precision" not in spelled_out(tiny, defaults=False)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("fp8", "'compute' is 'fp8': input should be 'fp32', 'bf16', 'fp16' or 'auto'"),
        ({"weight_bits": 1}, "'weight_bits' is 1: input should be greater than or equal to 2"),
        ({"weight_bits": 16}, "'weight_bits' is 16: input should be less than or equal to 8"),
        ({"weight_bit": 4}, "no key 'weight_bit'. Did you mean 'weight_bits'?"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_sentence(tiny: Recipe, value: object, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(with_precision(tiny, value), "r.toml")

    assert str(caught.value).startswith("r.toml: [precision]")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
