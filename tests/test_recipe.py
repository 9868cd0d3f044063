"""A recipe is a value: it cannot be wrong, survives TOML, and is known by its content."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from allometry.architectures import Transformer
from allometry.errors import RecipeError
from allometry.recipe import (
    AdamW,
    Bpe,
    Constant,
    Cosine,
    Data,
    Recipe,
    StandardLibrary,
    TextFiles,
    Wsd,
    spelled_out,
)

SHAPE = Transformer(vocab=512, context=32, width=16, layers=2, heads=2)
RECIPE = Recipe(
    architecture=SHAPE,
    optimizer=AdamW(learning_rate=0.01),
    schedule=Wsd(warmup_tokens=640, decay_fraction=0.25),
    data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=512)),
    tokens=6400,
    batch_tokens=64,
)
RATES = st.floats(min_value=1e-8, max_value=10.0)

CHANGES: dict[str, Callable[[Recipe, Any], Recipe]] = {
    "seed": lambda r, v: replace(r, seed=v),
    "tokens": lambda r, v: replace(r, tokens=6400 * v),
    "width": lambda r, v: replace(r, architecture=replace(r.architecture, width=4 * v)),
    "layers": lambda r, v: replace(r, architecture=replace(r.architecture, layers=v)),
    "rotary_base": lambda r, v: replace(r, architecture=replace(r.architecture, rotary_base=v)),
    "warmup": lambda r, v: replace(r, schedule=replace(r.schedule, warmup_tokens=v), tokens=64 * 10**6),
    "bytes": lambda r, v: replace(r, data=replace(r.data, corpus=StandardLibrary(bytes=v))),
    "files": lambda r, v: replace(r, data=replace(r.data, corpus=TextFiles(paths=(f"{v}.txt",)))),
    "held_out_tokens": lambda r, v: replace(r, data=replace(r.data, held_out_tokens=v)),
    "parent": lambda r, v: replace(r, parent=f"{v:012x}"),
}


def as_toml(**changes: Any) -> str:
    """The recipe as TOML with some dotted keys, dots written as two underscores, changed."""
    values = tomllib.loads(RECIPE.to_toml())
    for path, value in changes.items():
        table = values
        *tables, key = path.split("__")
        for name in tables:
            table = table[name]
        table[key] = value
    return tomli_w.dumps(values)


@pytest.mark.parametrize("schedule", [Wsd(), Constant(warmup_tokens=3), Cosine(final_fraction=0.0)])
@pytest.mark.parametrize("corpus", [StandardLibrary(bytes=10), TextFiles(paths=("a/*.txt", 'b "c".md'))])
def test_a_recipe_survives_toml(
    schedule: Wsd | Constant | Cosine, corpus: StandardLibrary | TextFiles
) -> None:
    recipe = replace(RECIPE, schedule=schedule, data=replace(RECIPE.data, corpus=corpus))

    again = Recipe.from_toml(recipe.to_toml())

    assert again == recipe
    assert again.run_id == recipe.run_id


@given(rate=RATES, decay=RATES, clip=RATES)
def test_every_float_survives_toml_to_the_last_bit(rate: float, decay: float, clip: float) -> None:
    recipe = replace(RECIPE, optimizer=AdamW(learning_rate=rate, weight_decay=decay, clip=clip))

    assert Recipe.from_toml(recipe.to_toml()).run_id == recipe.run_id


@pytest.mark.parametrize("name", list(CHANGES))
@given(values=st.lists(st.integers(min_value=1, max_value=10**6), min_size=2, max_size=2, unique=True))
def test_recipes_that_differ_in_one_field_differ_in_identity(name: str, values: list[int]) -> None:
    first, second = (CHANGES[name](RECIPE, value) for value in values)

    assert first.run_id != second.run_id


UNUSUAL: dict[str, Callable[[Recipe], Recipe]] = {  # one field a change, each away from its default
    "seed": lambda r: replace(r, seed=3),
    "parent": lambda r: replace(r, parent="0123456789ab"),
    "mlp_ratio": lambda r: replace(r, architecture=replace(SHAPE, mlp_ratio=3)),
    "weight_decay": lambda r: replace(r, optimizer=replace(r.optimizer, weight_decay=0.2)),
    "betas": lambda r: replace(r, optimizer=AdamW(learning_rate=0.01, betas=(0.8, 0.9))),
    "decay_fraction": lambda r: replace(r, schedule=Wsd(warmup_tokens=640, decay_fraction=0.5)),
    "held_out": lambda r: replace(r, data=replace(r.data, held_out=0.1)),
    "text_key": lambda r: replace(r, data=replace(r.data, corpus=TextFiles(paths=("a",), text_key="b"))),
}


@pytest.mark.parametrize("name", list(UNUSUAL))
def test_a_choice_that_differs_from_its_default_is_part_of_the_identity(name: str) -> None:
    content = spelled_out(UNUSUAL[name](RECIPE), defaults=False)

    assert f"'{name}':" in str(content)
    assert UNUSUAL[name](RECIPE).run_id != RECIPE.run_id


def test_a_choice_left_at_its_default_is_no_part_of_the_identity() -> None:
    content = spelled_out(RECIPE, defaults=False)

    assert "seed" not in content
    assert content["optimizer"] == {"learning_rate": 0.01, "kind": "adamw"}


def test_equal_content_has_an_equal_identity_however_it_is_written() -> None:
    written = Recipe.from_toml(as_toml(optimizer__learning_rate=1, tokens=6400.0))
    made = replace(RECIPE, optimizer=AdamW(learning_rate=1.0))

    assert written.run_id == made.run_id


def test_defaults_spelled_out_are_the_same_recipe() -> None:
    short = tomllib.loads(RECIPE.to_toml())
    del short["seed"], short["optimizer"]["betas"], short["architecture"]["mlp_ratio"]

    assert Recipe.from_toml(tomli_w.dumps(short)).run_id == RECIPE.run_id


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("optimiser", "has no key 'optimiser'. Did you mean 'optimizer'?"),
        ("optimizer__learning_rat", "[optimizer] has no key 'learning_rat'. Did you mean 'learning_rate'?"),
        ("architecture__widht", "[architecture] has no key 'widht'. Did you mean 'width'?"),
        ("schedule__decay_fracton", "[schedule] has no key 'decay_fracton'. Did you mean 'decay_fraction'?"),
        ("data__corpus__byte", "[data.corpus] has no key 'byte'. Did you mean 'bytes'?"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(key: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(as_toml(**{key: 1}), "r.toml")

    assert str(caught.value) == f"r.toml{': ' if says.startswith('[') else ' '}{says}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tokens": 6401}, "tokens must be a multiple of batch_tokens (64), not 6401; the nearest is 6400."),
        ({"tokens": 10}, "the nearest is 64."),
        ({"batch_tokens": 100, "tokens": 1000}, "batch_tokens must be a multiple of context (32), not 100"),
        ({"architecture__vocab": 600}, "The tokenizer has 512 tokens and the architecture 600"),
        ({"architecture__heads": 3}, "heads must split the width 16"),
        ({"optimizer__learning_rate": -1.0}, "[optimizer]: 'learning_rate' is -1.0"),
        ({"optimizer__learning_rate": "fast"}, "'learning_rate' is 'fast'"),
        ({"optimizer__betas": [0.9, 1.5]}, "[optimizer]: 'betas[1]' is 1.5"),
        ({"optimizer__kind": "adam"}, "'adam'"),
        ({"schedule__kind": "wds"}, "wds"),
        ({"schedule__decay_fraction": 0.0}, "'decay_fraction' is 0.0"),
        ({"seed": -1}, "'seed' is -1"),
        ({"data__held_out": 1.0}, "'held_out' is 1.0"),
        ({"data__tokenizer__vocab": 256}, "'vocab' is 256"),
        ({"schedule": {"kind": "cosine"}, "parent": "0123456789ab"}, "Only a wsd schedule branches"),
    ],
)
def test_what_is_wrong_is_one_sentence(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(as_toml(**changes), "r.toml")

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("r.toml")


def test_a_missing_key_is_named() -> None:
    short = tomllib.loads(RECIPE.to_toml())
    del short["optimizer"]["learning_rate"]

    with pytest.raises(RecipeError, match=r"r: \[optimizer\] lacks 'learning_rate', which has no default"):
        Recipe.from_toml(tomli_w.dumps(short), "r")


def test_text_that_is_not_toml_says_where() -> None:
    with pytest.raises(RecipeError, match=r"r\.toml is not valid TOML: .*line 1"):
        Recipe.from_toml("tokens == 3", "r.toml")


def test_a_wrong_value_is_refused_in_python_too() -> None:
    with pytest.raises(RecipeError, match="'learning_rate' is 0"):
        AdamW(learning_rate=0.0)
    with pytest.raises(RecipeError, match=r"no key 'learning_rte'\. Did you mean 'learning_rate'"):
        AdamW(learning_rte=0.1)  # type: ignore[call-arg]


@given(steps=st.integers(2, 10_000), fraction=st.floats(1e-6, 1.0))
def test_the_decay_takes_its_share_of_the_steps_and_at_least_one(steps: int, fraction: float) -> None:
    recipe = replace(RECIPE, tokens=steps * 64, schedule=Wsd(decay_fraction=fraction))

    decay = recipe.steps - recipe.trunk_steps

    assert 1 <= decay <= steps
    assert abs(decay - fraction * steps) <= 1


def test_a_trunk_is_the_part_before_the_decay_at_a_constant_rate() -> None:
    trunk = RECIPE.trunk()

    assert (RECIPE.steps, trunk.steps) == (100, 75)
    assert trunk.schedule == Constant(warmup_tokens=640)
    assert replace(trunk, tokens=RECIPE.tokens, schedule=RECIPE.schedule) == RECIPE


def test_what_has_no_trunk_says_so() -> None:
    with pytest.raises(RecipeError, match="Only a wsd schedule has a trunk, not cosine"):
        replace(RECIPE, schedule=Cosine()).trunk()
    with pytest.raises(RecipeError, match="decays from the start and has no trunk"):
        replace(RECIPE, schedule=Wsd(decay_fraction=1.0)).trunk()


def test_training_compute_is_six_per_matmul_parameter_and_token() -> None:
    matrices = 12 * 2 * 16**2 + 512 * 16  # Kaplan et al. 2020, table 1, and the head

    assert RECIPE.flops() == 6 * matrices * 6400
