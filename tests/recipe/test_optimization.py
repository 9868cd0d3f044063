"""Optimizers, schedules, parametrization and the dial as a recipe states them."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w

from allometry.architectures import Transformer
from allometry.errors import RecipeError
from allometry.recipe import (
    AdamW,
    Bpe,
    Constant,
    Cosine,
    Data,
    Linear,
    Muon,
    MuP,
    Recipe,
    Schedule,
    Sgd,
    StandardLibrary,
    Wsd,
    at_rate,
)

RECIPE = Recipe(
    architecture=Transformer(vocab=512, context=32, width=64, layers=2, heads=4),
    optimizer=AdamW(learning_rate=0.01),
    schedule=Wsd(),
    data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=512)),
    tokens=6400,
    batch_tokens=64,
)
MUON = Muon(learning_rate=0.02, others=AdamW(learning_rate=0.005, weight_decay=0.0))


def read(**tables: Any) -> Recipe:
    """The recipe with some of its tables written anew."""
    return Recipe.from_toml(tomli_w.dumps(tomllib.loads(RECIPE.to_toml()) | tables))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": Sgd(learning_rate=0.1, nesterov=True, clip=math.inf)},
        {"optimizer": MUON},
        {"optimizer": AdamW(learning_rate=0.1, weight_decay_convention="independent")},
        {"schedule": Linear(warmup_fraction=0.1)},
        {"parametrization": MuP(base_width=16, base_head_width=8)},
    ],
    ids=str,
)
def test_every_choice_survives_toml_and_makes_another_run(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, **changes)

    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.run_id != RECIPE.run_id


def test_an_optimizer_without_a_kind_is_adamw() -> None:
    assert read(optimizer={"learning_rate": 0.01}) == RECIPE


def test_no_clipping_is_one_choice_however_it_is_written() -> None:
    assert AdamW(learning_rate=0.1, clip=0) == AdamW(learning_rate=0.1, clip=math.inf)


def test_the_others_of_muon_follow_its_rate() -> None:
    moved = at_rate(MUON, 0.04)

    assert moved == replace(MUON, learning_rate=0.04, others=AdamW(learning_rate=0.01, weight_decay=0.0))
    assert at_rate(Sgd(learning_rate=1.0, momentum=0.5), 2.0) == Sgd(learning_rate=2.0, momentum=0.5)


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        ({"kind": "adam", "learning_rate": 0.1}, r"\[optimizer\]? has no kind 'adam'. Did you mean 'adamw'"),
        ({"kind": "sgd"}, r"\[optimizer\] lacks 'learning_rate'"),
        ({"kind": "sgd", "learning_rate": math.inf}, "finite"),
        ({"kind": "sgd", "learning_rate": 0.1, "momentum": 1.0}, "less than 1"),
        ({"kind": "sgd", "learning_rate": 0.1, "momentum": 0.0, "nesterov": True}, "momentum is 0; set one"),
        ({"kind": "muon", "learning_rate": 0.1}, r"\[optimizer\] lacks 'others'"),
        (
            {"kind": "muon", "learning_rate": 0.1, "others": {"learning_rate": 1, "clip": 9}},
            "others.clip is 9",
        ),
        ({"learning_rate": 0.1, "weight_decay_convention": "coupled"}, "times_learning_rate"),
        ({"learning_rate": 0.1, "clip": -1.0}, "greater than or equal to 0"),
    ],
)
def test_an_optimizer_that_makes_no_sense_is_refused(optimizer: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        read(optimizer=optimizer)


@pytest.mark.parametrize("kind", [Constant, Cosine, Linear, Wsd])
def test_a_warmup_is_stated_once(kind: type[Constant | Cosine | Linear | Wsd]) -> None:
    with pytest.raises(RecipeError, match="The warmup is stated twice, as warmup_tokens = 64 and as"):
        kind(warmup_tokens=64, warmup_fraction=0.1)


def test_a_share_of_the_run_is_rounded_to_steps() -> None:
    assert replace(RECIPE, schedule=Cosine(warmup_fraction=0.126)).warmup_steps == 13  # of 100
    assert replace(RECIPE, schedule=Cosine(warmup_tokens=1000)).warmup_steps == 15  # of 64 tokens each
    assert RECIPE.warmup_steps == 0


def test_the_trunk_has_the_warmup_of_its_run() -> None:
    recipe = replace(RECIPE, schedule=Wsd(warmup_fraction=0.1, decay_fraction=0.4))

    assert recipe.trunk().steps == 60
    assert recipe.trunk().warmup_steps == recipe.warmup_steps == 10


@pytest.mark.parametrize(
    ("schedule", "most"),
    [
        (Wsd(warmup_fraction=0.76), 75),
        (Constant(warmup_tokens=101 * 64), 100),
        (Linear(warmup_tokens=6464), 100),
    ],
)
def test_a_warmup_longer_than_what_comes_before_the_decay_is_refused(schedule: Schedule, most: int) -> None:
    with pytest.raises(
        RecipeError, match=f"the run has {most} before its decay begins; give a shorter warmup"
    ):
        replace(RECIPE, schedule=schedule)


def test_a_head_width_without_heads_is_refused() -> None:
    recurrent = {"kind": "recurrent", "vocab": 512, "context": 32, "depth": 1}

    with pytest.raises(RecipeError, match="architecture has no attention heads; leave it out"):
        read(architecture=recurrent, parametrization={"kind": "mup", "base_width": 8, "base_head_width": 8})


def test_a_dial_in_toml_is_the_shape_it_stands_for() -> None:
    written = read(architecture={"kind": "transformer", "vocab": 512, "context": 32, "depth": 2})

    assert written.run_id == RECIPE.run_id
    assert "depth" not in written.to_toml()


def test_a_mistake_beside_a_dial_is_named_as_without_one() -> None:
    with pytest.raises(
        RecipeError, match=r"\[architecture\] has no key 'mlp_rato'. Did you mean 'mlp_ratio'"
    ):
        read(architecture={"vocab": 512, "context": 32, "size": "100k", "mlp_rato": 3})
