"""Runs that share a pass come out as if each had been alone, to rounding."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.loop import Sitting, train
from allometry.lab.parametrization import build_model
from allometry.lab.replicas import replica_groups, train_replicas
from allometry.lab.stacking import Stack, can_stack
from allometry.lab.steps import Batch, gradients
from allometry.recipe import AdamW, Constant, Precision, Recipe
from allometry.runs.study import Study

ROUNDING = 1e-3  # of a tensor's norm: AdamW divides by the gradient's size, so a small one's rounding counts


@pytest.fixture(scope="module")
def different(tiny: Recipe) -> list[Recipe]:
    """All that replicas may differ in: seed, rate, clip, schedule and length."""
    return [
        tiny,
        replace(tiny, seed=1, optimizer=AdamW(learning_rate=0.003, clip=0.1)),
        replace(tiny, schedule=Constant(), tokens=24 * 64),
    ]


def weights(study: Study, recipe: Recipe) -> dict[str, torch.Tensor]:
    tensors = load_checkpoint(study.run_folder(recipe.run_id) / "checkpoints", recipe.steps).tensors
    return {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}


def curve(study: Study, recipe: Recipe) -> list[float]:
    lines = (study.run_folder(recipe.run_id) / "history.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_replicas_equal_the_runs_made_alone(different: list[Recipe], tmp_path: Path) -> None:
    together, alone = (Study.create(tmp_path / name, "") for name in ("together", "alone"))

    runs = train_replicas(different, study=together)

    for recipe, run in zip(different, runs, strict=True):
        expected = train(recipe, study=alone)
        assert (run.run_id, run.status) == (recipe.run_id, "done")
        assert run.values["loss"] == pytest.approx(expected.values["loss"], rel=1e-4)
        assert curve(together, recipe) == pytest.approx(curve(alone, recipe), rel=1e-4)
        for name, weight in weights(alone, recipe).items():
            assert (weights(together, recipe)[name] - weight).norm() < ROUNDING * weight.norm()


def test_a_replica_that_diverges_leaves_the_others_as_they_are(tiny: Recipe, tmp_path: Path) -> None:
    wild = replace(tiny, optimizer=AdamW(learning_rate=300.0, clip=1e9))
    together, alone = (Study.create(tmp_path / name, "") for name in ("together", "alone"))

    sane, lost, other = train_replicas([tiny, wild, replace(tiny, seed=1)], study=together)

    assert (sane.status, lost.status, other.status) == ("done", "diverged", "done")
    assert sane.values["loss"] == pytest.approx(train(tiny, study=alone).values["loss"], rel=1e-4)


def test_replicas_that_were_stopped_go_on_alone(different: list[Recipe], tmp_path: Path) -> None:
    study, straight = (Study.create(tmp_path / name, "") for name in ("study", "straight"))

    stopped = train_replicas(different, study=study, sitting=Sitting(should_stop=lambda: True))
    resumed = train(different[1], study=study)

    assert [run.status for run in stopped] == ["stopped"] * 3
    expected = train(different[1], study=straight)
    assert resumed.values["loss"] == pytest.approx(expected.values["loss"], rel=1e-4)


def test_replicas_whose_pass_does_not_fit_the_memory_go_on_alone(
    different: list[Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting, passes = Stack.gradients, count()

    def cramped(stack: Stack, *batches: Any, **settings: Any) -> Any:
        if next(passes) >= 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fitting(stack, *batches, **settings)

    monkeypatch.setattr(Stack, "gradients", cramped)

    runs = train_replicas(different, study=Study.create(tmp_path, ""))

    assert [run.status for run in runs] == ["done"] * 3
    assert next(passes) == 11  # not asked again
    assert runs[2].values["loss"] == pytest.approx(train(different[2]).values["loss"], rel=1e-4)


def test_runs_that_ended_are_not_trained_again(tiny: Recipe, tmp_path: Path) -> None:
    study = Study.create(tmp_path, "")
    before = train(tiny, study=study)

    after, _ = train_replicas([tiny, replace(tiny, seed=1)], study=study)

    assert after == before


def test_replicas_share_out_the_time_of_their_passes(tiny: Recipe) -> None:
    begun = time.perf_counter()
    runs = train_replicas([replace(tiny, seed=seed) for seed in (2, 3, 4)])

    assert 0 < sum(run.values["seconds"] for run in runs) < time.perf_counter() - begun


def test_recipes_that_cannot_share_a_pass_are_apart(tiny: Recipe) -> None:
    others = [
        replace(tiny, batch_tokens=32),
        replace(tiny, precision=Precision(compute="bf16")),
        replace(tiny, architecture=replace(tiny.architecture, layers=2)),
    ]

    assert replica_groups([tiny, *others]) == [[tiny], *([other] for other in others)]


def test_replicas_share_passes_in_bf16_too(tiny: Recipe, tmp_path: Path) -> None:
    recipes = [replace(tiny, precision=Precision(compute="bf16"), seed=seed) for seed in (0, 1)]
    together, alone = (Study.create(tmp_path / name, "") for name in ("together", "alone"))
    assert replica_groups(recipes) == [recipes]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that bf16 is slower here, where it is
        runs = train_replicas(recipes, study=together)
        expected = [train(recipe, study=alone) for recipe in recipes]

    for run, other in zip(runs, expected, strict=True):
        assert run.values["compute"] == "bf16"
        assert run.values["loss"] == pytest.approx(other.values["loss"], rel=2**-8)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"norm": "rms", "activation": "swiglu"}, True),
        ({"norm": "layer_with_bias", "biases": ("qkv", "attention_out", "mlp")}, True),
        ({"tied": True}, True),
        ({"positions": "learned"}, False),
    ],
)
def test_every_kind_of_leaf_gives_the_gradients_of_its_own_model(
    tiny: Recipe, change: dict[str, Any], expected: bool
) -> None:
    shape = replace(tiny.architecture, **change)
    models = [build_model(replace(tiny, architecture=shape, seed=seed)) for seed in (0, 1)]
    assert can_stack(models[0]) is expected
    if not expected:
        return
    draw = torch.Generator().manual_seed(0)
    batches = [Batch.of_windows(torch.randint(300, (3, 17), generator=draw)) for _ in models]
    for model in models:
        for weight in model.parameters():
            weight.data.add_(0.1 * torch.randn(weight.shape, generator=draw))  # no matrix is zero

    shared = Stack.of(models).gradients(batches)

    for model, batch, made in zip(models, batches, shared, strict=True):
        model.zero_grad()
        expected_loss = gradients(model, batch)
        torch.testing.assert_close(made.loss, expected_loss, rtol=1e-6, atol=0)
        found = {id(weight): gradient for weight, gradient in made.gradients}
        assert len(found) == len(list(model.parameters()))
        for weight in model.parameters():
            assert weight.grad is not None
            torch.testing.assert_close(found[id(weight)], weight.grad, rtol=1e-4, atol=1e-6)
