"""Causal attention in blocks, against PyTorch's attention with the mask written out."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from allometry.architectures import MultiHead, Transformer
from allometry.architectures.modules.causal import attend_in_blocks, pays_in_blocks

EXACT = 1e-12


def masked_attention(q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
    seen = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril()
    with sdpa_kernel(SDPBackend.MATH):
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale)


def with_slopes(
    attend: Callable[[Tensor, Tensor, Tensor, float | None], Tensor], length: int, scale: float | None
) -> list[Tensor]:
    """What comes out, and the slopes of a weighted sum of it by queries, keys and values."""
    draw = torch.Generator().manual_seed(length)
    qkv = torch.randn(2, length, 3, 4, 8, generator=draw, dtype=torch.float64, requires_grad=True)
    q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
    mixed = attend(q, k, v, scale)
    weights = torch.randn(mixed.shape, generator=draw, dtype=torch.float64)
    return [mixed, *torch.autograd.grad((mixed * weights).sum(), qkv)]


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("length", [65, 128, 200, 256])
def test_blocks_mix_and_learn_as_one_masked_product_does(length: int, scale: float | None) -> None:
    found = with_slopes(attend_in_blocks, length, scale)

    torch.testing.assert_close(found, with_slopes(masked_attention, length, scale), rtol=EXACT, atol=EXACT)


def test_a_long_context_takes_blocks_and_gives_the_logits_of_one_product() -> None:
    shape = Transformer(vocab=64, context=160, width=16, layers=2, heads=2)
    model = shape.build()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    ids = torch.randint(64, (2, 160), generator=torch.Generator().manual_seed(0))
    with sdpa_kernel(SDPBackend.MATH):
        plain = model(ids)

    in_blocks = model(ids)

    assert not torch.equal(in_blocks, plain)  # another order of sums: blocks were taken
    torch.testing.assert_close(in_blocks, plain, rtol=1e-4, atol=1e-4)


def test_heads_that_share_keys_are_left_to_the_kernel_that_knows_of_it() -> None:
    shape = Transformer(
        vocab=64, context=128, width=16, layers=1, heads=4, attention=MultiHead(kv_heads=2), positions="none"
    )

    assert shape.build()(torch.zeros(1, 128, dtype=torch.long)).shape == (1, 128, 64)


def test_one_call_where_the_kernel_is_switched_off_or_precision_is_chosen_elsewhere() -> None:
    q, k = torch.zeros(2, 1, 2, 128, 8)

    assert pays_in_blocks(q, k)
    with sdpa_kernel(SDPBackend.MATH):
        assert not pays_in_blocks(q, k)
    with torch.autocast("cpu", torch.bfloat16):
        assert not pays_in_blocks(q, k)
    assert not pays_in_blocks(q, k.bfloat16())
    assert not pays_in_blocks(q, k[:, :1])
