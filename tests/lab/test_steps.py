"""A step is the same however its batch is cut up, and only what is scored counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel
from allometry.errors import InputError
from allometry.lab import steps
from allometry.lab.losses import head_loss
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model
from allometry.lab.steps import NOT_SCORED, Batch, Loss, Stepper, gradients, next_token
from allometry.recipe import Recipe

CPU = torch.device("cpu")


@pytest.fixture
def model(tiny: Recipe) -> LanguageModel:
    return build_model(tiny)


@pytest.fixture
def windows() -> Tensor:
    return torch.randint(300, (6, 17), generator=torch.Generator().manual_seed(0))


def gradient(model: LanguageModel, batch: Batch, **settings: object) -> Tensor:
    model.zero_grad()
    gradients(model, batch, **settings)  # type: ignore[arg-type]
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


@pytest.mark.parametrize("parts", [2, 3, 4, 6, 9])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    model: LanguageModel, windows: Tensor, parts: int
) -> None:
    batch = Batch.of_windows(windows)

    whole, cut = gradient(model, batch), gradient(model, batch, parts=parts)

    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-7)
    assert float(gradients(model, batch, parts=parts)) == pytest.approx(float(gradients(model, batch)))


def prompted(windows: Tensor) -> Batch:
    """The first row has 4 scored targets, the others 1 each."""
    targets = windows[:, 1:].clone()
    targets[0, :-4] = NOT_SCORED
    targets[1:, :-1] = NOT_SCORED
    return Batch.of_targets(windows[:, :-1], targets, CPU)


def test_targets_that_are_not_scored_cost_nothing(model: LanguageModel, windows: Tensor) -> None:
    batch = prompted(windows)
    logits = model(batch.inputs_BT).detach().flatten(0, 1)
    by_torch = functional.cross_entropy(logits, batch.targets_BT.flatten(), ignore_index=NOT_SCORED)

    loss = gradients(model, batch)

    assert batch.scored == 9
    assert float(loss) == pytest.approx(float(by_torch), rel=1e-6)


def test_parts_count_by_what_is_scored_in_them(model: LanguageModel, windows: Tensor) -> None:
    batch = prompted(windows)

    torch.testing.assert_close(gradient(model, batch, parts=3), gradient(model, batch), rtol=1e-4, atol=1e-7)


def test_a_part_without_a_scored_target_adds_nothing(model: LanguageModel, windows: Tensor) -> None:
    targets = windows[:, 1:].clone()
    targets[2:] = NOT_SCORED
    batch = Batch.of_targets(windows[:, :-1], targets, CPU)

    torch.testing.assert_close(
        gradient(model, batch, parts=6), gradient(model, Batch.of_windows(windows[:2])), rtol=1e-4, atol=1e-7
    )


def test_a_models_own_loss_is_minimised_and_not_shown(
    model: LanguageModel, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch.of_windows(windows)
    plain = next_token(model, batch)
    monkeypatch.setattr(model, "auxiliary_loss", lambda: torch.tensor(0.25))

    with_balance = next_token(model, batch)

    assert with_balance.minimised.item() == pytest.approx(plain.minimised.item() + 0.25)
    assert float(with_balance.cross_entropy) == float(plain.cross_entropy)


def test_a_scale_multiplies_gradients_and_not_the_loss(model: LanguageModel, windows: Tensor) -> None:
    batch = Batch.of_windows(windows)

    assert torch.equal(gradient(model, batch, scale=8.0), 8 * gradient(model, batch))
    assert float(gradients(model, batch, scale=8.0)) == float(gradients(model, batch))


def full_cpu() -> RuntimeError:
    """What PyTorch itself says when the CPU's memory is full: more is asked for than there is anywhere."""
    with pytest.raises(RuntimeError) as said:
        torch.empty(2**60, dtype=torch.uint8)
    return said.value


class Memory:
    """Holds so many sequences at once, as the memory of a device would."""

    def __init__(self, sequences: int, error: RuntimeError | None = None) -> None:
        self.sequences = sequences
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")
        self.passes: list[int] = []

    def head_loss(self, x_BTD: Tensor, head_VD: Tensor, targets_BT: Tensor) -> Tensor:
        self.passes.append(len(x_BTD))
        if len(x_BTD) > self.sequences:
            raise self.error
        return head_loss(x_BTD, head_VD, targets_BT)


def stepper(recipe: Recipe) -> Stepper:
    model = build_model(recipe)
    return Stepper(recipe, model, build_optimizer(model, recipe.optimizer))


def weights(stepper: Stepper) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in stepper.model.parameters()])


@pytest.mark.parametrize("error", [None, full_cpu()], ids=["accelerator", "CPU"])
def test_out_of_memory_halves_the_passes_and_keeps_the_batch(
    tiny: Recipe, windows: Tensor, monkeypatch: pytest.MonkeyPatch, error: RuntimeError | None
) -> None:
    batch = Batch.of_windows(windows)
    roomy, cramped, memory = stepper(tiny), stepper(tiny), Memory(sequences=2, error=error)
    expected = roomy.take(5, batch)
    roomy.take(6, batch)
    monkeypatch.setattr(steps, "head_loss", memory.head_loss)

    loss = cramped.take(5, batch)
    cramped.take(6, batch)

    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    torch.testing.assert_close(weights(cramped), weights(roomy), rtol=1e-3, atol=1e-5)
    assert cramped.parts == 4
    assert memory.passes == [6, 3, 2, 2, 2, 2, 2, 2]  # two attempts that failed, then what fits, for good


def test_what_a_failed_attempt_left_in_the_gradient_is_gone(
    tiny: Recipe, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch.of_windows(windows)
    roomy, unlucky = stepper(tiny), stepper(tiny)
    roomy.take(5, batch)
    unlucky.parts = 2
    passes = iter([True, False])  # the second of two passes fails, when the first has left its gradient

    def failing_once(*inputs: Tensor) -> Tensor:
        if not next(passes, True):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return head_loss(*inputs)

    monkeypatch.setattr(steps, "head_loss", failing_once)
    unlucky.take(5, batch)

    assert unlucky.gradient_norm is not None
    assert roomy.gradient_norm is not None
    assert float(unlucky.gradient_norm) == pytest.approx(float(roomy.gradient_norm), rel=1e-5)


def test_another_error_of_pytorch_is_not_taken_for_a_full_memory(
    tiny: Recipe, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "head_loss", Memory(0, RuntimeError("shapes do not match")).head_loss)

    with pytest.raises(RuntimeError, match="shapes do not match"):
        stepper(tiny).take(0, Batch.of_windows(windows))


def test_a_sequence_that_does_not_fit_by_itself_is_one_sentence(
    tiny: Recipe, windows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "head_loss", Memory(sequences=0).head_loss)

    with pytest.raises(InputError, match="single sequence of 16 tokens does not fit the memory of cpu; take"):
        stepper(tiny).take(0, Batch.of_windows(windows))


def test_passes_are_part_of_the_state(tiny: Recipe) -> None:
    first, second = stepper(tiny), stepper(tiny)
    first.parts = 4

    second.take_up(first.notes())

    assert second.parts == 4


def test_another_objective_takes_the_place_of_the_next_token(tiny: Recipe, windows: Tensor) -> None:
    def nothing(model: LanguageModel, batch: Batch) -> Loss:
        loss = next_token(model, batch)
        return replace(loss, minimised=0.0 * loss.minimised)

    idle = stepper(tiny)
    idle.objective = nothing
    idle.take(5, Batch.of_windows(windows))

    assert idle.gradient_norm is not None
    assert float(idle.gradient_norm) == 0.0
