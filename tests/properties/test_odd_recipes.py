"""A recipe with something odd in it is a clear sentence or a recipe; never a traceback, never a wait."""

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from allometry.errors import AllometryError
from allometry.recipe import Recipe

BASE = """
tokens = 6400
batch_tokens = 64
seed = 3

[architecture]
kind = "transformer"
vocab = 300
context = 32
width = 16
layers = 2
heads = 2

[optimizer]
kind = "adamw"
learning_rate = 0.01
weight_decay = 0.1
betas = [0.9, 0.98]

[schedule]
kind = "wsd"
warmup_tokens = 640
decay_fraction = 0.25

[data]
held_out = 0.05
held_out_tokens = 640
tokenizer = { kind = "bpe", vocab = 300 }

[data.corpus]
kind = "files"
paths = ["text/*.txt"]
"""
ODD: list[Any] = [
    *(0, -1, 1, 3, 2**16 + 1, 2**32 + 1, 2**62, 10**30, 0.5, -0.0, 1e308, 5e-324),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        True,
        False,
        "",
        " ",
        "adamw",
        "../..",
        "\0",
        "é" * 50,
        "x" * 5000,
    ),
    *([], [1], ["a", 2], [[]], {}, {"kind": "adamw"}, {"kind": "nothing"}, {"kind": 3}, {"a": {"b": 1}}),
]


def places(table: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every table and every value of a recipe."""
    found = []
    for key, value in table.items():
        found.append((*path, key))
        found += places(value, (*path, key)) if isinstance(value, dict) else []
    return found


PLACES = places(tomllib.loads(BASE))


def changed(place: tuple[str, ...], value: Any) -> str:
    """The recipe with another value at a place; without it if the value is None."""
    recipe = tomllib.loads(BASE)
    table = recipe
    for key in place[:-1]:
        table = table[key]
    if value is None:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    return tomli_w.dumps(recipe)


def read(text: str) -> Recipe | str:
    """The recipe, or what is wrong with it."""
    try:
        return Recipe.from_toml(text, "r.toml")
    except AllometryError as error:
        return str(error)


def assert_clear(outcome: Recipe | str) -> None:
    if isinstance(outcome, Recipe):
        assert Recipe.from_toml(outcome.to_toml()).run_id == outcome.run_id
        return
    for sentence in outcome.split("\n"):
        assert sentence.startswith("r.toml")
        assert sentence.endswith((".", "?"))
        assert len(sentence) < 400
        for jargon in ("pydantic", "ValidationError", "Traceback", "NoneType", "<class"):
            assert jargon not in sentence


@given(place=st.sampled_from(PLACES), value=st.sampled_from(ODD))
@settings(max_examples=400, deadline=None)
@example(place=("architecture", "vocab"), value=2**33)
@example(place=("architecture", "heads"), value=2**62)
@example(place=("data", "corpus", "paths"), value=["\0"])
def test_an_odd_value_is_a_recipe_or_a_clear_refusal(place: tuple[str, ...], value: Any) -> None:
    assert_clear(read(changed(place, value)))


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_recipe_that_lacks_something_is_a_recipe_or_a_clear_refusal(place: tuple[str, ...]) -> None:
    assert_clear(read(changed(place, None)))


@given(place=st.sampled_from(PLACES), key=st.text(min_size=1, max_size=30), value=st.sampled_from(ODD))
@settings(max_examples=200, deadline=None)
def test_an_unknown_key_is_named(place: tuple[str, ...], key: str, value: Any) -> None:
    assert_clear(read(changed((*place[:-1], key), value)))


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_text_that_is_no_recipe_is_a_clear_refusal(text: str) -> None:
    assert isinstance(read(text), str)
    assert_clear(read(text))
