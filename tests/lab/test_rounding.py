"""Weights in few bits, against the definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from allometry.architectures.modules.language import LanguageModel
from allometry.architectures.modules.roles import roles_of
from allometry.lab.parametrization import build_model
from allometry.lab.rounding import in_few_bits, round_weights, rounded
from allometry.recipe import Recipe


@pytest.fixture
def matrix() -> Tensor:
    return torch.randn(7, 40, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bits", range(2, 9))
def test_each_channel_has_its_own_symmetric_grid_of_so_many_levels(matrix: Tensor, bits: int) -> None:
    top = 2 ** (bits - 1) - 1
    step = matrix.abs().amax(dim=1, keepdim=True) / top

    levels = rounded(matrix, bits) / step

    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert levels.abs().amax(dim=1).tolist() == pytest.approx([top] * 7)


@pytest.mark.parametrize("bits", range(2, 9))
def test_no_value_moves_further_than_half_a_step(matrix: Tensor, bits: int) -> None:
    step = matrix.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)

    assert ((rounded(matrix, bits) - matrix).abs() <= step / 2 * (1 + 1e-5)).all()


def test_rounding_twice_is_rounding_once(matrix: Tensor) -> None:
    once = rounded(matrix, 4)

    torch.testing.assert_close(rounded(once, 4), once)


def test_a_channel_of_zeros_stays_one() -> None:
    assert rounded(torch.zeros(2, 3), 3).tolist() == [[0.0] * 3] * 2


def test_experts_are_rounded_one_by_one(matrix: Tensor) -> None:
    experts = torch.stack([matrix, 100 * matrix])

    torch.testing.assert_close(rounded(experts, 3)[1], 100 * rounded(matrix, 3))


@pytest.fixture
def model(tiny: Recipe) -> LanguageModel:
    model = build_model(tiny)
    for weight in model.parameters():  # residual outputs start at zero, where nothing shows
        nn.init.normal_(weight)
    return model


def values(model: LanguageModel) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def test_inside_the_block_hidden_matrices_are_rounded_and_nothing_else(model: LanguageModel) -> None:
    exact = values(model)

    with in_few_bits(model, 3):
        inside = values(model)

    for name, role in roles_of(model).items():
        expected = rounded(exact[name], 3) if role.kind == "hidden" else exact[name]
        assert torch.equal(inside[name], expected), name
        assert torch.equal(values(model)[name], exact[name]), name


def test_exact_values_come_back_after_an_error_too(model: LanguageModel) -> None:
    exact = values(model)

    with pytest.raises(ZeroDivisionError), in_few_bits(model, 2):
        raise ZeroDivisionError

    assert all(torch.equal(values(model)[name], exact[name]) for name in exact)


def test_gradients_from_inside_are_those_at_the_rounded_weights(model: LanguageModel) -> None:
    tokens = torch.arange(8).unsqueeze(0)
    with in_few_bits(model, 2):
        model(tokens).square().mean().backward()
    through = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    model.zero_grad()
    round_weights(model, 2)
    model(tokens).square().mean().backward()

    for name, weight in model.named_parameters():
        torch.testing.assert_close(through[name], weight.grad)
