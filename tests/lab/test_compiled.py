"""Compiled kernels and a GPU: the same run to rounding, and nothing that waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from allometry.lab.feeding import open_feed
from allometry.lab.loop import Sitting, train
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model
from allometry.lab.precision import Arithmetic
from allometry.lab.steps import Stepper
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import Precision, Recipe


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_run_equals_a_plain_one_to_rounding(tiny: Recipe) -> None:
    plain, compiled = train(tiny), train(tiny, sitting=Sitting(compiled=True))

    assert compiled.values["loss"] == pytest.approx(plain.values["loss"], abs=1e-3)
    assert (plain.values["compiled"], compiled.values["compiled"]) == (False, True)


@pytest.fixture
def waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.parametrize("compute", ["fp32", "bf16"])
def test_no_step_on_a_gpu_waits_for_it(tiny: Recipe, compute: str, request: pytest.FixtureRequest) -> None:
    device = torch.device("cuda")
    batches = prepare_tokens(tiny.data).batches(context=16, batch_tokens=64, seed=0)
    feed = open_feed(batches, context=16, device=device)
    model = build_model(tiny).to(device)
    arithmetic = Arithmetic(compute=compute, device="cuda")  # type: ignore[arg-type]
    stepper = Stepper(tiny, model, build_optimizer(model, tiny.optimizer), arithmetic=arithmetic)
    stepper.take(0, feed.batch(0))  # libraries are loaded, and memory is claimed

    request.getfixturevalue("waiting_is_an_error")
    losses = [stepper.take(step, feed.batch(step)) for step in (1, 2, 3)]
    torch.cuda.set_sync_debug_mode("default")

    assert torch.isfinite(torch.stack(losses)).all()


@pytest.mark.gpu
@pytest.mark.parametrize("compute", ["fp32", "bf16", "fp16"])
def test_a_run_on_a_gpu_ends_near_the_run_on_the_cpu(tiny: Recipe, compute: str) -> None:
    recipe = replace(tiny, precision=Precision(compute=compute))  # type: ignore[arg-type]

    run = train(recipe, device="cuda")

    assert run.values["loss"] == pytest.approx(train(tiny).values["loss"], abs=0.02)
    assert run.values["peak_memory_how"] == "measured: tensors on the device"


@pytest.mark.gpu
def test_a_run_on_a_gpu_is_repeated_to_the_last_bit(tiny: Recipe) -> None:
    assert train(tiny, device="cuda").values["loss"] == train(tiny, device="cuda").values["loss"]
