"""Derivatives written by hand are those of the function."""

from __future__ import annotations

import pytest
import torch

from allometry.architectures.modules.positions import Rotary
from allometry.architectures.modules.squared_relu import squared_relu


def test_the_squared_relu_has_its_own_derivative() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)

    assert torch.autograd.gradcheck(squared_relu, (x,))


@pytest.mark.parametrize(("turning", "head_width", "heads"), [(4, 4, 1), (4, 4, 3), (2, 6, 2)])
def test_rotary_positions_have_their_own_derivative(turning: int, head_width: int, heads: int) -> None:
    rotary = Rotary(width=turning, context=5, base=10).double()
    draw = torch.Generator().manual_seed(0)
    x_BHTd = torch.randn(2, heads, 4, head_width, dtype=torch.float64, generator=draw, requires_grad=True)

    assert torch.autograd.gradcheck(rotary, (x_BHTd,))


def test_rotary_positions_turn_pairs_as_complex_numbers_turn() -> None:
    rotary = Rotary(width=4, context=6, base=10).double()
    x_BHTd = torch.randn(2, 3, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    angles_Td = torch.outer(torch.arange(6.0), 10 ** (-torch.arange(2) / 2)).double()
    turned = torch.complex(x_BHTd[..., :2], x_BHTd[..., 2:4]) * torch.polar(
        torch.ones_like(angles_Td), angles_Td
    )
    expected = torch.cat((turned.real, turned.imag, x_BHTd[..., 4:]), dim=-1)

    torch.testing.assert_close(rotary(x_BHTd), expected, rtol=0, atol=1e-6)  # the tables are float32
