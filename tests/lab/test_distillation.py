"""The teacher's term against torch's own divergence, and a student that profits from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from allometry.architectures.modules.language import LanguageModel
from allometry.lab.distillation import Distillation, divergence
from allometry.lab.parametrization import build_model
from allometry.lab.steps import NOT_SCORED, Batch, gradients, next_token
from allometry.recipe import Recipe


@pytest.fixture
def student(tiny: Recipe) -> LanguageModel:
    return build_model(tiny)


@pytest.fixture
def teacher(tiny: Recipe) -> LanguageModel:
    model = build_model(replace(tiny, seed=1))
    torch.nn.init.normal_(model.head.weight)  # an opinion
    return model.requires_grad_(False)


@pytest.fixture
def batch() -> Batch:
    return Batch.of_windows(torch.randint(300, (4, 17), generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_teachers_term_is_torchs_divergence_times_the_squared_temperature(temperature: float) -> None:
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    shares = (logits[0] / temperature).softmax(-1)
    log_guess = (logits[1] / temperature).log_softmax(-1)

    by_torch = temperature**2 * functional.kl_div(log_guess, shares, reduction="sum") / 5

    assert float(divergence(logits[0], logits[1], temperature)) == pytest.approx(float(by_torch), rel=1e-5)


def test_the_gradients_of_soft_and_hard_targets_stay_in_proportion_at_high_temperature() -> None:
    """Hinton et al. 2015, eq. 4: in the limit the teacher's term pulls logits by their difference / V."""
    teacher = torch.tensor([[0.3, -0.1, -0.2]])
    student = torch.zeros(1, 3, requires_grad=True)

    divergence(teacher, student, temperature=1e3).backward()  # type: ignore[no-untyped-call]

    assert student.grad is not None
    torch.testing.assert_close(student.grad, -teacher / 3, rtol=1e-2, atol=1e-6)


def test_what_is_minimised_is_the_stated_mixture(
    student: LanguageModel, teacher: LanguageModel, batch: Batch
) -> None:
    hard = next_token(student, batch).minimised
    soft = divergence(teacher(batch.inputs_BT).flatten(0, 1), student(batch.inputs_BT).flatten(0, 1), 2.0)

    loss = Distillation(teacher, temperature=2.0, share=0.3)(student, batch)

    torch.testing.assert_close(loss.minimised, 0.7 * hard + 0.3 * soft)
    torch.testing.assert_close(loss.cross_entropy, hard.detach())


def test_a_student_that_agrees_with_its_teacher_is_not_moved(teacher: LanguageModel, batch: Batch) -> None:
    student = teacher.requires_grad_(True)

    gradients(student, batch, objective=Distillation(teacher, temperature=3.0, share=1.0))

    pulls = [weight.grad.abs().max() for weight in student.parameters() if weight.grad is not None]
    assert float(torch.stack(pulls).max()) < 1e-5


def test_a_teacher_is_asked_only_where_targets_are_scored(
    student: LanguageModel, teacher: LanguageModel, batch: Batch
) -> None:
    targets = batch.targets_BT.clone()
    targets[1:] = NOT_SCORED
    objective = Distillation(teacher, temperature=1.0, share=0.5)

    masked = objective(student, Batch.of_targets(batch.inputs_BT, targets, torch.device("cpu")))
    first = objective(student, Batch(batch.inputs_BT[:1], batch.targets_BT[:1]))

    torch.testing.assert_close(masked.minimised, first.minimised)
