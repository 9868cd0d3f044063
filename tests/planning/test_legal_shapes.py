"""A plan as a run that can be trained, and as text for a trainer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.planning.allocation import allocate
from allometry.planning.exports import as_flags, as_recipe, write_recipe
from allometry.planning.legal_shapes import legal_run
from allometry.planning.result import Plan
from allometry.recipe import Recipe, StandardLibrary


@cache
def plan(flops: float = 1e21) -> Plan:
    return allocate("besiroglu_2024", flops=flops)


@pytest.mark.parametrize("flops", [1e17, 1e19, 1e21, 1e24])
def test_the_nearest_shape_is_within_a_tenth_of_the_plan_and_keeps_its_compute(flops: float) -> None:
    run = legal_run(plan(flops))

    assert run.params == run.architecture.params("total")
    assert run.params == pytest.approx(plan(flops).params.value, rel=0.1)
    assert 6.0 * run.params * run.tokens == pytest.approx(flops, rel=1e-3)
    assert run.tokens == run.steps * run.batch_tokens
    assert run.batch_tokens % run.architecture.context == 0


def test_size_is_matched_by_what_the_plan_counts() -> None:
    body = replace(plan(), conventions={"params_convention": "non-embedding"})

    run = legal_run(body)

    assert run.params == run.architecture.params("non_embedding")
    assert run.params == pytest.approx(plan().params.value, rel=0.1)


def test_a_plan_that_does_not_say_what_it_counts_is_matched_by_the_total_and_says_so() -> None:
    run = legal_run(replace(plan(), conventions={}))

    assert run.convention == "total"
    assert "does not say what its parameters count" in run.notes[0]


def test_batch_and_rate_are_those_of_the_step_law() -> None:
    run = legal_run(plan(1e20))

    size, data = run.architecture.params("non_embedding"), run.tokens
    assert run.learning_rate == pytest.approx(1.79 * size**-0.713 * data**0.307, rel=1e-3)  # Li et al. 2025
    assert 0.7 < run.batch_tokens / (0.58 * data**0.571) < 1.42  # a power of two of sequences


def test_a_rate_beyond_the_rules_runs_is_said_to_be() -> None:
    inside, beyond = legal_run(plan(1e20)), legal_run(plan(1e24))

    assert "do not reach" not in inside.notes[-1]
    assert "do not reach to so many params and tokens" in beyond.notes[-1]


def test_a_given_batch_and_rate_stand_and_need_no_rule() -> None:
    run = legal_run(plan(), batch_tokens=2048 * 500, learning_rate=1e-4)

    assert (run.batch_tokens, run.learning_rate, run.notes) == (1_024_000, 1e-4, ())


def test_a_batch_that_cuts_a_sequence_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="take 4096"):
        legal_run(plan(), batch_tokens=4000)


def test_a_vocabulary_larger_than_the_plan_is_refused() -> None:
    with pytest.raises(InputError, match="vocabulary"):
        legal_run(plan(1e16), vocab=500_000)


def test_the_recipe_holds_the_run_and_survives_a_round_trip() -> None:
    run = legal_run(plan())

    recipe = Recipe.from_toml(as_recipe(run).to_toml())

    assert recipe.architecture == run.architecture
    assert (recipe.tokens, recipe.steps) == (run.tokens, run.steps)
    assert recipe.optimizer.learning_rate == run.learning_rate


def test_a_base_recipe_gives_all_that_the_plan_does_not_decide(base: Recipe) -> None:
    run = legal_run(plan(1e15), vocab=base.architecture.vocab, context=base.architecture.context)

    recipe = as_recipe(run, base)

    assert (recipe.data, recipe.schedule, recipe.seed) == (base.data, base.schedule, base.seed)
    assert recipe.architecture == run.architecture


@pytest.fixture
def base() -> Recipe:
    from allometry.architectures import Transformer
    from allometry.recipe import AdamW, Bpe, Data, Wsd

    return Recipe(
        architecture=Transformer(vocab=1024, context=128, width=32, layers=2, heads=2),
        optimizer=AdamW(learning_rate=0.01, weight_decay=0.02),
        schedule=Wsd(),
        data=Data(corpus=StandardLibrary(bytes=4_000_000), tokenizer=Bpe(vocab=1024)),
        tokens=262_144,
        batch_tokens=1024,
        seed=7,
    )


def test_flags_are_the_users_own_template_filled_in() -> None:
    run = legal_run(plan())
    layers, width = (int(run.architecture.dimensions()[name]) for name in ("layers", "width"))

    flags = as_flags(run, "--n-layer {layers} --n-embd {width} --steps {steps} --bs {batch_sequences}")

    steps, sequences = run.tokens // run.batch_tokens, run.batch_tokens // 2048
    assert flags == f"--n-layer {layers} --n-embd {width} --steps {steps} --bs {sequences}"


@pytest.mark.parametrize(
    ("template", "sentence"), [("{layer}", "Did you mean 'layers'"), ("{layers", "Double a brace")]
)
def test_a_template_that_cannot_be_filled_gets_a_sentence(template: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        as_flags(legal_run(plan()), template)


def test_a_recipe_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    assert "put your text" in write_recipe(legal_run(plan()), path)

    with pytest.raises(InputError, match="is there already"):
        write_recipe(legal_run(plan()), path)


def test_a_batch_larger_than_the_whole_run_is_one_step() -> None:
    run = legal_run(allocate("besiroglu_2024", flops=1e16), batch_tokens=2048 * 10**6, context=2048)

    assert (run.steps, run.tokens) == (1, 2048 * 10**6)


def test_the_source_of_a_rate_is_named_where_only_the_batch_was_given() -> None:
    plan = allocate("besiroglu_2024", flops=1e21)

    assert "Li et al. 2025" in legal_run(plan, batch_tokens=2**20).summary()
    assert "Li et al. 2025" not in legal_run(plan, batch_tokens=2**20, learning_rate=1e-3).summary()
