"""The chunked loss is PyTorch's, to the precision of the numbers."""

import pytest
import torch

from allometry.lab.losses import _CHUNK, head_loss

ROUNDING = 1e-13  # float64, sums of a few hundred terms


@pytest.mark.parametrize("rows", [1, 2, _CHUNK - 1, _CHUNK, _CHUNK + 1, 2 * _CHUNK, 3 * _CHUNK + 7])
def test_value_and_gradients_equal_those_of_plain_cross_entropy(rows: int) -> None:
    draw = torch.Generator().manual_seed(rows)
    x = torch.randn(1, rows, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    head = torch.randn(11, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(11, (1, rows), generator=draw)

    loss = head_loss(x, head, targets)
    plain = torch.nn.functional.cross_entropy((x @ head.T).flatten(0, 1), targets.flatten())

    torch.testing.assert_close(loss, plain, rtol=ROUNDING, atol=0)
    ours, theirs = (torch.autograd.grad(3 * value, (x, head)) for value in (loss, plain))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=ROUNDING)


def test_gradients_equal_finite_differences() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    head = torch.randn(7, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(7, (2, 3), generator=draw)

    assert torch.autograd.gradcheck(lambda x, head: head_loss(x, head, targets), (x, head))


def test_large_logits_do_not_overflow() -> None:
    x = torch.full((1, 2, 1), 1e4)
    head = torch.tensor([[1.0], [-1.0]])

    assert head_loss(x, head, torch.tensor([[0, 0]])).item() == 0.0
    assert head_loss(x, head, torch.tensor([[1, 1]])).item() == 2e4
