"""Latent attention against its definition, one head and one query at a time."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from allometry.architectures import Latent, Transformer
from allometry.architectures.modules.latent_attention import LatentAttention

KIND = Latent(kv_rank=6, plain_width=3, rotary_width=4, value_width=5)
SHAPE = Transformer(vocab=64, context=7, width=16, layers=1, heads=2, norm="rms", attention=KIND)


def attention(shape: Transformer) -> LatentAttention:
    made = shape.build().get_submodule("blocks.0.attention")
    assert isinstance(made, LatentAttention)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.4, generator=torch.Generator().manual_seed(1))
    return made


def turned(x: Tensor, place: int, base: float = 1000) -> Tensor:
    """Four dimensions as two complex numbers, each turned by the place at its own speed."""
    pairs = torch.complex(x[:2], x[2:])
    angles = torch.tensor([place * base**0.0, place * base**-0.5])
    spun = pairs * torch.exp(1j * angles)
    return torch.cat((spun.real, spun.imag))


def by_definition(made: LatentAttention, cache: list[Tensor], x_TD: Tensor) -> Tensor:
    """Equations 9 to 19 of DeepSeek-AI 2024, from what is cached per token: a short vector, a turned key."""
    place, heads = len(cache) - 1, []
    query = made.query(x_TD[place]).unflatten(0, (2, 7))
    for head in range(2):
        q = torch.cat((query[head, :3], turned(query[head, 3:], place)))
        reads = [made.kv_up(kept[:6]).unflatten(0, (2, 8))[head] for kept in cache]
        keys = [torch.cat((read[:3], kept[6:])) for read, kept in zip(reads, cache, strict=True)]
        shares = torch.stack([q @ key / math.sqrt(7) for key in keys]).softmax(0)
        heads.append(sum(share * read[3:] for share, read in zip(shares, reads, strict=True)))
    out: Tensor = made.out(torch.cat(heads))
    return out


@pytest.mark.parametrize("query_rank", [None, 5])
def test_a_short_vector_and_a_shared_turned_key_per_token_are_enough(query_rank: int | None) -> None:
    made = attention(replace(SHAPE, attention=replace(KIND, query_rank=query_rank)))
    x_TD = torch.randn(7, 16, generator=torch.Generator().manual_seed(0))
    cache: list[Tensor] = []

    found = made(x_TD.unsqueeze(0))[0]

    for place in range(7):
        down = made.kv_down(x_TD[place])
        cache.append(torch.cat((made.kv_norm(down[:6]), turned(down[6:], place))))
        torch.testing.assert_close(found[place], by_definition(made, cache, x_TD), rtol=1e-4, atol=1e-5)
    assert SHAPE.cache_bytes() == cache[0].numel() * 2


def test_the_cache_does_not_grow_with_the_heads() -> None:
    assert replace(SHAPE, heads=8).cache_bytes() == SHAPE.cache_bytes()
