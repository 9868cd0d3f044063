"""The chunked loss is PyTorch's, to the precision of the numbers."""

import pytest
import torch

from allometry.lab.losses import head_loss, head_losses, rows_at_once

ROUNDING = 1e-13  # float64, sums of a few hundred terms


VOCAB = 2048
CHUNK = rows_at_once(VOCAB, torch.device("cpu"))


@pytest.mark.parametrize("rows", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_value_and_gradients_equal_those_of_plain_cross_entropy(rows: int) -> None:
    draw = torch.Generator().manual_seed(rows)
    x = torch.randn(1, rows, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    head = torch.randn(VOCAB, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(VOCAB, (1, rows), generator=draw)

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


def test_models_side_by_side_cost_what_each_costs_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2 * CHUNK + 7, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    heads = torch.randn(3, VOCAB, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(VOCAB, x.shape[:2], generator=draw)
    outer = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64)

    together = head_losses(x, heads, targets)
    by_model = zip(x.unsqueeze(1), heads, targets.unsqueeze(1), strict=True)
    alone = torch.stack([head_loss(*one) for one in by_model])

    torch.testing.assert_close(together, alone, rtol=ROUNDING, atol=0)
    ours, theirs = (torch.autograd.grad(losses, (x, heads), outer) for losses in (together, alone))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=ROUNDING)


def test_large_logits_do_not_overflow() -> None:
    x = torch.full((1, 2, 1), 1e4)
    head = torch.tensor([[1.0], [-1.0]])

    assert head_loss(x, head, torch.tensor([[0, 0]])).item() == 0.0
    assert head_loss(x, head, torch.tensor([[1, 1]])).item() == 2e4


def test_activations_of_lower_precision_cost_what_they_cost_in_full_to_their_rounding() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, generator=draw).bfloat16().requires_grad_()
    head = torch.randn(7, 4, generator=draw).bfloat16().float().requires_grad_()
    targets = torch.randint(7, (2, 3), generator=draw)

    with torch.autocast("cpu", torch.bfloat16):
        loss = head_loss(x, head, targets)
    full = head_loss(x.float(), head, targets)

    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, full, rtol=2**-8, atol=0)  # half a unit in bfloat16's eighth bit
    (ours,), (exact,) = (torch.autograd.grad(value, (head,)) for value in (loss, full))
    torch.testing.assert_close(ours, exact, rtol=0.05, atol=2**-8)


def test_a_target_of_no_probability_costs_its_logit_and_not_infinity() -> None:
    x = torch.tensor([[[200.0]]])
    head = torch.tensor([[1.0], [0.0]])

    assert head_loss(x, head, torch.tensor([[1]])).item() == 200.0
