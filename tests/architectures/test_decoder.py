"""What a decoder refuses, and how its choices stand in a recipe."""

from dataclasses import replace
from typing import Any

import pytest

from allometry.architectures import Latent, MultiHead, Transformer
from allometry.errors import InputError
from allometry.recipe import AdamW, Bpe, Data, Recipe, StandardLibrary, Wsd

SHAPE = Transformer(vocab=512, context=16, width=32, layers=2, heads=4)
LATENT = Latent(kv_rank=8, plain_width=4, rotary_width=4, value_width=8)
RECIPE = Recipe(
    architecture=SHAPE,
    optimizer=AdamW(learning_rate=0.01),
    schedule=Wsd(),
    data=Data(corpus=StandardLibrary(bytes=100_000), tokenizer=Bpe(vocab=512)),
    tokens=640,
    batch_tokens=64,
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"attention": MultiHead(kv_heads=3)}, r"divide the heads \(4\) and 3 does not; take one of 1, 2, 4"),
        ({"heads": 3, "positions": "learned"}, "equal parts and 3 does not; take one of 1, 2, 4, 8, 16, 32"),
        ({"rotary_fraction": 0.3}, "0.3 of the 8 of a head is 2.4; it must be a multiple of 2"),
        ({"rotary_fraction": 0.0}, "above 0 and at most 1, not 0.0"),
        ({"attention": MultiHead(head_width=5)}, "of the 5 of a head is 5; it must be a multiple of 2"),
        ({"attention": replace(LATENT, rotary_width=3)}, "of the 3 of a head is 3"),
        ({"rotary_fraction": 0.5, "positions": "alibi"}, "says nothing about positions = 'alibi'; leave it"),
        ({"attention": LATENT, "positions": "learned"}, "goes with positions = 'rotary'"),
        ({"attention": LATENT, "biases": ("qkv",)}, "leave 'qkv' out of biases"),
        ({"attention": MultiHead(sinks=True), "positions": "alibi"}, "take other positions, or leave out"),
        ({"mlp_width": 64, "mlp_ratio": 3}, "both set the hidden units; leave one out"),
        ({"mlp_ratio": 0}, "mlp_ratio must be a number above 0 and at most 1000, not 0"),
        ({"mlp_ratio": float("nan")}, "not nan"),
        ({"mlp_ratio": 1e300}, "not 1e\\+300"),
        ({"branches": "parallel_one_norm", "norm_at": "post"}, "take 'parallel', or norm_at = 'pre'"),
        ({"norm": "rsm"}, "norm = 'rsm' is not known. Did you mean 'rms'"),
        ({"biases": ("kqv",)}, "biases = 'kqv' is not known. Did you mean 'qkv'"),
        ({"positions": "rope"}, "Take one of rotary, learned, alibi, none"),
    ],
)
def test_a_choice_that_does_not_apply_is_refused_in_a_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(SHAPE, **changes)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"window": 0}, "window must be a whole number of at least 1, not 0"),
        ({"kv_heads": True}, "kv_heads must be a whole number of at least 1, not True"),
        ({"global_every": 2}, "there is none; set window, or leave out global_every"),
        ({"qk_norm": "heads"}, "Did you mean 'head'"),
    ],
)
def test_attention_refuses_what_cannot_be(choices: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        MultiHead(**choices)


@pytest.mark.parametrize(
    "changes",
    [
        {"attention": MultiHead(kv_heads=2, window=4, global_every=3, qk_norm="head", sinks=True)},
        {"attention": replace(LATENT, query_rank=7), "norm": "rms", "norm_at": "post"},
        {"positions": "learned", "tied": True, "biases": ("mlp", "qkv"), "activation": "geglu"},
        {"mlp_ratio": 2.5, "embedding_norm": True, "branches": "parallel", "rotary_fraction": 0.5},
    ],
)
def test_every_choice_survives_toml_and_names_the_run(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, architecture=replace(SHAPE, **changes))

    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.run_id != RECIPE.run_id


def test_one_model_has_one_identity_however_it_is_written() -> None:
    ways = [
        replace(SHAPE, biases=("mlp", "qkv"), mlp_ratio=3),
        replace(SHAPE, biases=("qkv", "mlp", "mlp"), mlp_ratio=3.0),
    ]

    assert len({replace(RECIPE, architecture=way).run_id for way in ways}) == 1


def test_attention_of_no_kind_is_multi_head() -> None:
    text = RECIPE.to_toml().replace('kind = "multi_head"', "kv_heads = 2")

    assert Recipe.from_toml(text).architecture == replace(SHAPE, attention=MultiHead(kv_heads=2))


def test_sizes_keep_the_choices() -> None:
    shape = replace(SHAPE, attention=MultiHead(kv_heads=2), mlp_ratio=8 / 3, norm="rms")

    larger = replace(shape, width=96, layers=3, heads=6)

    assert (larger.attention, larger.norm, larger.inner_width) == (MultiHead(kv_heads=2), "rms", 256)


def test_a_broken_hidden_size_is_rounded_up_to_a_multiple_of_eight() -> None:
    assert [replace(SHAPE, mlp_ratio=8 / 3, width=width).inner_width for width in (64, 96, 128)] == [
        176,  # of 170.7
        256,
        344,  # of 341.3
    ]
