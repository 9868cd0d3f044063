"""Every architecture trains, survives its TOML, and resumes to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from allometry.architectures import AnyArchitecture, MixtureOfExperts, MultiHead, Recurrent, StateSpace
from allometry.errors import RecipeError
from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.loop import Sitting, train
from allometry.recipe import Recipe
from allometry.runs.study import Study

SHAPES: dict[str, AnyArchitecture] = {
    "lstm": Recurrent(vocab=300, context=16, width=16, layers=1),
    "gru": Recurrent(vocab=300, context=16, width=16, layers=1, cell="gru"),
    "state_space": StateSpace(vocab=300, context=16, width=16, layers=1, state_width=8, chunk=8),
    "moe": MixtureOfExperts(
        vocab=300,
        context=16,
        width=16,
        layers=2,
        heads=2,
        attention=MultiHead(kv_heads=1),
        experts=4,
        top_k=2,
        granularity=2,
        shared_experts=1,
        dense_layers=1,
        balance_step=0.001,
    ),
}


@pytest.fixture(params=SHAPES)
def recipe(request: pytest.FixtureRequest, tiny: Recipe) -> Recipe:
    return replace(tiny, architecture=SHAPES[request.param])


def test_a_recipe_survives_its_toml(recipe: Recipe) -> None:
    again = Recipe.from_toml(recipe.to_toml())

    assert again == recipe
    assert again.run_id == recipe.run_id


def test_a_short_run_falls_and_has_the_counts_of_its_shape(recipe: Recipe, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "study", 'name = "tiny"')

    run = train(recipe, study=study)

    lines = (study.run_folder(run.run_id) / "history.jsonl").read_text().splitlines()
    curve = [json.loads(line)["loss"] for line in lines]
    assert run.status == "done", run.reason
    assert curve[-1] < curve[0] - 0.3
    assert run.values["loss"] < curve[0] - 0.3
    assert run.values["flops"] == 6 * recipe.architecture.params("matmul") * recipe.tokens
    assert run.values["params_active"] == recipe.architecture.params("active")
    assert recipe.architecture.dimensions().items() <= run.values.items()


def test_a_run_stopped_half_way_comes_out_the_same_to_the_last_bit(recipe: Recipe, tmp_path: Path) -> None:
    straight, stopped = (Study.create(tmp_path / name, "") for name in ("straight", "stopped"))

    train(recipe, study=straight)
    train(recipe, study=stopped, sitting=Sitting(should_stop=lambda: True))
    train(recipe, study=stopped)

    first, second = (
        load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", recipe.steps).tensors
        for study in (straight, stopped)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_preferences_of_experts_move_with_every_step_and_are_saved(tiny: Recipe, tmp_path: Path) -> None:
    recipe = replace(tiny, architecture=SHAPES["moe"])
    study = Study.create(tmp_path / "study", "")

    train(recipe, study=study)

    saved = load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", recipe.steps).tensors
    preferences_E = saved["model.blocks.1.mlp.router.preferences_E"]
    assert preferences_E.any()
    torch.testing.assert_close(preferences_E / 0.001, (preferences_E / 0.001).round())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('kind = "recurent"', r"\[architecture\] has no kind 'recurent'\. Did you mean 'recurrent'\?"),
        ('kind = "recurrent"\ncel = "gru"', r"\[architecture\] has no key 'cel'\. Did you mean 'cell'\?"),
        (
            'kind = "recurrent"\nheads = 2',
            r"has no key 'heads'\. Kind 'recurrent' has: cell, context, kind, layers",
        ),
        (
            'kind = "state_space"\nkernal = 2',
            r"\[architecture\] has no key 'kernal'\. Did you mean 'kernel'\?",
        ),
        ('kind = "moe"\nheads = 2\nexpert = 2\ntop_k = 1', r"has no key 'expert'\. Did you mean 'experts'\?"),
        ('kind = "moe"\nheads = 2\nexperts = 4', r"\[architecture\] lacks 'top_k', which has no default\."),
        ('kind = "moe"\nheads = 2\nexperts = 4\ntop_k = 5', r"top_k = 5 of 4 experts"),
        ("heads = 2\nlayrs = 2", r"\[architecture\] has no key 'layrs'\. Did you mean 'layers'\?"),
    ],
)
def test_a_wrong_key_or_kind_is_named_with_the_nearest(table: str, sentence: str, tiny: Recipe) -> None:
    before, after = tiny.to_toml().split("[architecture]")
    _, after = after.split("\n[optimizer]")
    text = f"{before}[architecture]\nvocab = 300\ncontext = 16\nwidth = 16\nlayers = 1\n{table}\n"

    with pytest.raises(RecipeError, match=sentence) as refusal:
        Recipe.from_toml(f"{text}[optimizer]{after}")

    assert "recurrent" not in str(refusal.value) or "kind" in str(refusal.value)  # no tag in a key's path
