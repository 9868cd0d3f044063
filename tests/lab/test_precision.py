"""A run in few bits learns, and says what it computed in; a device that would be slower says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from allometry.errors import InputError
from allometry.lab import precision
from allometry.lab.checkpoints import load_checkpoint
from allometry.lab.loop import Sitting, train
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model
from allometry.lab.precision import Arithmetic, LossScale, choose_arithmetic
from allometry.lab.steps import Batch, Stepper, gradients
from allometry.recipe import Precision, Recipe
from allometry.recipe.precision import Compute
from allometry.runs.study import Study

CPU = torch.device("cpu")


def with_speed(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    """Pretend a device on which few bits are so many times as fast as fp32."""
    rates = {"fp32": 1e12, "bf16": ratio * 1e12, "fp16": ratio * 1e12}
    monkeypatch.setattr(precision, "matmul_peak", lambda _, compute="fp32": rates[compute])


@pytest.mark.parametrize(("ratio", "compute"), [(0.2, "fp32"), (1.1, "fp32"), (8.0, "bf16")])
def test_auto_takes_few_bits_only_where_a_probe_finds_them_faster(
    monkeypatch: pytest.MonkeyPatch, ratio: float, compute: str
) -> None:
    with_speed(monkeypatch, ratio)

    assert choose_arithmetic(Precision(compute="auto"), CPU).compute == compute


@pytest.mark.parametrize("compute", ["bf16", "fp16"])
def test_few_bits_that_are_slower_are_allowed_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, compute: Compute
) -> None:
    with_speed(monkeypatch, 0.2)

    with pytest.warns(UserWarning, match=rf"{compute} is 5\.0 times slower than fp32 on this cpu"):
        assert choose_arithmetic(Precision(compute=compute), CPU).compute == compute


def test_few_bits_that_are_faster_need_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speed(monkeypatch, 2.0)

    assert choose_arithmetic(Precision(compute="bf16"), CPU).compute == "bf16"


def test_a_device_that_cannot_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(device: torch.device, compute: Compute = "fp32") -> float:
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(precision, "matmul_peak", cannot)

    with pytest.raises(InputError, match="This cpu cannot multiply matrices in fp16"):
        choose_arithmetic(Precision(compute="fp16"), CPU)


@pytest.mark.parametrize(
    ("arithmetic", "bits"),
    [
        (Arithmetic(), (32, 32)),
        (Arithmetic(compute="bf16"), (16, 16)),
        (Arithmetic(weight_bits=3), (3, 32)),
        (Arithmetic(compute="fp16", weight_bits=4), (4, 16)),
    ],
    ids=str,
)
def test_the_bits_of_weights_and_activations_are_columns(
    arithmetic: Arithmetic, bits: tuple[int, int]
) -> None:
    facts = arithmetic.facts()

    assert (facts["weight_bits"], facts["activation_bits"], facts["cache_bits"]) == (*bits, bits[1])


@pytest.mark.parametrize("compute", ["bf16", "fp16"])
def test_gradients_in_few_bits_are_near_the_exact_ones(tiny: Recipe, compute: Compute) -> None:
    model = build_model(tiny)
    batch = Batch.of_windows(torch.randint(300, (4, 17), generator=torch.Generator().manual_seed(0)))
    found = {}
    for arithmetic in (Arithmetic(), Arithmetic(compute=compute)):
        model.zero_grad()
        loss = gradients(model, batch, arithmetic=arithmetic)
        found[arithmetic.compute] = (loss, model.head.weight.grad)

    (exact, exact_gradient), (loss, gradient) = found["fp32"], found[compute]
    assert exact_gradient is not None
    assert gradient is not None
    assert loss.dtype == gradient.dtype == torch.float32
    assert float(loss) == pytest.approx(float(exact), rel=1e-3)
    assert float((gradient - exact_gradient).norm() / exact_gradient.norm()) < 2e-2
    assert not torch.equal(gradient, exact_gradient)


@pytest.mark.parametrize(
    "choice",
    [
        Precision(compute="bf16"),
        Precision(compute="fp16"),
        Precision(weight_bits=8),
        Precision(weight_bits=3),
    ],
    ids=str,
)
def test_a_run_in_few_bits_learns_and_is_resumed_to_the_last_bit(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: Precision
) -> None:
    with_speed(monkeypatch, 1.0)
    recipe = replace(tiny, precision=choice)
    straight, broken = (Study.create(tmp_path / name, "") for name in ("straight", "broken"))

    run = train(recipe, study=straight)
    train(recipe, study=broken, sitting=Sitting(should_stop=lambda: True))
    train(recipe, study=broken)

    places = [study.run_folder(recipe.run_id) for study in (straight, broken)]
    first, second = (load_checkpoint(place / "checkpoints", recipe.steps).tensors for place in places)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert run.values["loss"] < 5.0 < 5.7  # ln(300)
    assert run.values["weight_bits"] == (choice.weight_bits or 16)


def test_a_loss_scale_halves_at_an_overflow_and_doubles_after_two_thousand_clean_steps() -> None:
    scale = LossScale(scale=1024.0)
    scale.note(overflow=True)
    halved = scale.scale
    for _ in range(1999):
        scale.note(overflow=False)

    assert (halved, scale.scale) == (512.0, 512.0)
    scale.note(overflow=False)
    assert scale.scale == 1024.0


def test_a_step_that_overflows_is_not_taken(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(tiny)
    stepper = Stepper(
        tiny,
        model,
        build_optimizer(model, tiny.optimizer),
        arithmetic=Arithmetic(compute="fp16"),
        loss_scale=LossScale(scale=2.0**40),
    )
    before = [weight.detach().clone() for weight in model.parameters()]
    batch = Batch.of_windows(torch.arange(34).reshape(2, 17))

    stepper.take(5, batch)

    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert stepper.loss_scale == LossScale(scale=2.0**39)


def test_a_loss_scale_changes_no_step(tiny: Recipe) -> None:
    norms = []
    for scale in (None, LossScale(scale=2.0**10)):
        model = build_model(tiny)
        stepper = Stepper(tiny, model, build_optimizer(model, tiny.optimizer), loss_scale=scale)
        stepper.take(5, Batch.of_windows(torch.arange(34).reshape(2, 17)))
        assert stepper.gradient_norm is not None
        norms.append(float(stepper.gradient_norm))

    assert norms[0] == norms[1]  # a power of two costs no bit


def test_a_loss_scale_is_part_of_the_state(tiny: Recipe) -> None:
    model = build_model(tiny)
    first, second = (
        Stepper(tiny, model, build_optimizer(model, tiny.optimizer), loss_scale=LossScale()) for _ in range(2)
    )
    first.loss_scale = LossScale(scale=4.0, clean=17)

    second.take_up(first.notes())

    assert second.loss_scale == LossScale(scale=4.0, clean=17)
