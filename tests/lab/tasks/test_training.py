"""A model learns a task: only answers are learned and scored, and held-out problems are new."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from allometry.architectures import Transformer
from allometry.errors import RecipeError
from allometry.lab.data import Batches
from allometry.lab.feeding import open_feed
from allometry.lab.loop import train
from allometry.lab.parametrization import build_model
from allometry.lab.replicas import replica_groups
from allometry.lab.sharing import Pass
from allometry.lab.steps import next_token
from allometry.lab.tasks.problems import make_problems
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Constant, Data, Recipe, Symbols, TaskProblems
from allometry.recipe.tasks import Addition, Copy

SOURCE = TaskProblems(task=Copy(length=3, symbols=5), tokens=70_000)
RECIPE = Recipe(
    architecture=Transformer(vocab=SOURCE.vocab, context=14, width=24, layers=2, heads=2),
    optimizer=AdamW(learning_rate=0.01),
    schedule=Constant(warmup_tokens=14 * 32 * 5),
    data=Data(corpus=SOURCE, tokenizer=Symbols(vocab=SOURCE.vocab), held_out=0.2, held_out_tokens=5_000),
    tokens=14 * 32 * 120,
    batch_tokens=14 * 32,
)


def test_only_the_tokens_of_answers_are_targets() -> None:
    data = prepare_tokens(RECIPE.data)
    batches = Batches(data.train, context=14, batch_tokens=28, seed=0)

    batch = open_feed(batches, context=14, device=torch.device("cpu"), places=data.scored_places(14)).batch(0)

    # prompt of three and "=", answer of three, twice a window; a target stands one place earlier
    scored = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    assert (batch.targets_BT.numpy() >= 0).tolist() == [scored.tolist()] * 2
    assert batch.scored_N is not None
    assert batch.scored_N.tolist() == np.flatnonzero(np.tile(scored, 2)).tolist()
    inputs, targets = batch.inputs_BT.numpy(), batch.targets_BT.numpy()
    np.testing.assert_array_equal(targets[:, 3:6], inputs[:, 0:3])  # a copy of the prompt


def test_a_model_that_learned_to_copy_scores_near_one_on_problems_it_has_not_seen(one_thread: None) -> None:
    run = train(RECIPE)

    assert run.status == "done", run.reason
    assert run.values["task"] == "copy"
    assert run.values["loss"] < 0.3 < np.log(5)
    assert run.values["score"] > 0.7
    assert run.values["error"] == pytest.approx(1 - run.values["score"])
    assert run.values["token_probability"] > 0.7
    assert run.values["multiple_choice"] >= run.values["score"]
    assert run.values["held_out_tokens"] < 5_000 / 2  # answers only


def test_held_out_text_holds_held_out_problems_only() -> None:
    data = prepare_tokens(RECIPE.data)
    prompts = data.held_out.reshape(-1, SOURCE.block)[:, :4]

    train_prompts = make_problems(SOURCE.task, 4000, seed=9, held_out=0.2).prompts

    assert not {tuple(one) for one in prompts.tolist()} & {tuple(one) for one in train_prompts.tolist()}


def test_a_context_that_cuts_problems_is_refused_with_the_nearest_that_does_not() -> None:
    with pytest.raises(RecipeError, match=r"has 7 tokens, and a context of 16 cuts .* does not is 14"):
        replace(RECIPE, architecture=replace(RECIPE.architecture, context=16), batch_tokens=16, tokens=1600)


def test_another_task_is_another_run() -> None:
    other = TaskProblems(task=Addition(digits=2), tokens=70_000)

    assert other.vocab == 12
    assert other.block == 9


def test_a_pass_of_several_processes_scores_answers_only() -> None:
    data = prepare_tokens(RECIPE.data)
    batches = Batches(data.train, context=14, batch_tokens=28, seed=0)
    feed = open_feed(batches, context=14, device=torch.device("cpu"), places=data.scored_places(14))
    model = build_model(RECIPE)
    batch = feed.batch(0)

    _, shared = Pass(model, next_token)(batch.inputs_BT, batch.targets_BT, batch.scored_N)

    assert shared == next_token(model, batch).cross_entropy


def test_runs_on_a_task_are_not_stacked() -> None:
    assert [len(group) for group in replica_groups([RECIPE, replace(RECIPE, seed=1)])] == [1, 1]
