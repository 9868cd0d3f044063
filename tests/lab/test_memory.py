"""A model that no memory here could hold is refused before it is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from allometry.architectures import Transformer
from allometry.errors import InputError
from allometry.lab import memory
from allometry.lab.loop import train
from allometry.lab.memory import device_memory, training_bytes
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model
from allometry.lab.steps import Batch, Stepper
from allometry.recipe import AdamW, Muon, Optimizer, Recipe, Sgd
from allometry.runs.study import Study

OPTIMIZERS: tuple[Optimizer, ...] = (
    AdamW(learning_rate=0.01),
    Sgd(learning_rate=0.01),
    Sgd(learning_rate=0.01, momentum=0.0),
    Muon(learning_rate=0.01, others=AdamW(learning_rate=0.01)),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["AdamW", "SGD", "SGD without momentum", "Muon"])
def test_the_least_that_is_kept_is_no_more_than_what_is(tiny: Recipe, optimizer: Optimizer) -> None:
    recipe = replace(tiny, optimizer=optimizer)
    model = build_model(recipe)
    stepper = Stepper(recipe, model, build_optimizer(model, optimizer))
    stepper.take(0, Batch.of_windows(torch.randint(300, (4, 17), generator=torch.Generator().manual_seed(0))))

    kept = [*model.parameters(), *(weight.grad for weight in model.parameters() if weight.grad is not None)]
    kept += [value for state in stepper.optimizer.state.values() for value in state.values()]
    there = sum(tensor.nbytes for tensor in kept if tensor.numel() > 1)

    assert 0.5 * there < training_bytes(recipe) <= there


def test_a_model_larger_than_the_memory_is_refused_before_it_is_built_or_the_text_is_read(
    tiny: Recipe, tmp_path: Path
) -> None:
    shape = Transformer(vocab=300, context=16, width=2**20, layers=1, heads=2**14)
    study = Study.create(tmp_path, "")

    with pytest.raises(InputError, match=r"13\.2T parameters cannot be trained on this cpu.*smaller model"):
        train(replace(tiny, architecture=shape), study=study)


def test_gradients_and_state_that_processes_share_need_not_fit_one_of_them(tiny: Recipe) -> None:
    assert training_bytes(tiny, processes=3) == pytest.approx(training_bytes(tiny) / 2)


def test_a_container_has_no_more_memory_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated, unlimited = tmp_path / "memory.max", tmp_path / "unlimited"
    stated.write_text("1000000\n")
    unlimited.write_text("max\n")
    monkeypatch.setattr(memory, "_LIMITS", (stated, unlimited, tmp_path / "absent"))

    assert device_memory(torch.device("cpu")) == 1e6
