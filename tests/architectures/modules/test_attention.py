"""What the kinds of multi-head attention compute, against the formula written out."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from allometry.architectures import MultiHead, Transformer
from allometry.architectures.attention import QkNorm
from allometry.architectures.modules.attention import MultiHeadAttention, attend_with_sinks

EXACT = 1e-5  # two orders of summing in float32
SHAPE = Transformer(vocab=64, context=12, width=16, layers=1, heads=4, positions="none")


def attention(shape: Transformer, seed: int = 1) -> MultiHeadAttention:
    """That of the first block, every weight at random, also those that start at zero."""
    made = shape.build().get_submodule("blocks.0.attention")
    assert isinstance(made, MultiHeadAttention)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(seed))
    return made


def stream(length: int = 12) -> Tensor:
    return torch.randn(2, length, 16, generator=torch.Generator().manual_seed(0))


def reach(shape: Transformer) -> list[int]:
    """Places whose token changes the last place's logits."""
    model = shape.build()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    embedded: list[Tensor] = []
    model.token.register_forward_hook(lambda *args: embedded.append(args[2]))
    logits = model(torch.arange(shape.context).unsqueeze(0))
    (slope,) = torch.autograd.grad(logits[0, -1].square().sum(), embedded[0])
    return [place for place, size in enumerate(slope[0].abs().sum(-1)) if size > 0]


def test_a_group_of_heads_shares_its_key_and_value() -> None:
    grouped = attention(replace(SHAPE, attention=MultiHead(kv_heads=2)))
    single = attention(SHAPE)
    queries, keys, values = torch.split(grouped.qkv.weight.detach(), [16, 8, 8])
    repeated = [part.view(2, 4, 16).repeat_interleave(2, dim=0).flatten(0, 1) for part in (keys, values)]
    single.qkv.weight.data = torch.cat((queries, *repeated))
    single.out.weight.data = grouped.out.weight.data

    torch.testing.assert_close(grouped(stream()), single(stream()), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_the_cache_shrinks_with_the_heads_of_keys_and_values(kv_heads: int) -> None:
    shape = replace(SHAPE, attention=MultiHead(kv_heads=kv_heads))

    assert shape.cache_bytes() == SHAPE.cache_bytes() * kv_heads // 4


def test_a_query_sees_as_many_keys_as_its_window() -> None:
    assert reach(replace(SHAPE, attention=MultiHead(window=5))) == [7, 8, 9, 10, 11]


def test_windows_of_two_layers_reach_twice_as_far() -> None:
    assert reach(replace(SHAPE, layers=2, attention=MultiHead(window=5))) == list(range(3, 12))


def test_a_global_layer_sees_all_in_spite_of_the_window() -> None:
    local = MultiHead(window=5, global_every=2)

    assert reach(replace(SHAPE, layers=2, attention=local)) == list(range(12))
    assert replace(SHAPE, layers=5, attention=local).spans() == [5, 12, 5, 12, 5]


def test_a_window_costs_what_a_context_of_its_length_costs() -> None:
    """The masked scores that a dense kernel computes all the same are not counted."""
    windowed = replace(SHAPE, layers=3, attention=MultiHead(window=6))
    model, ids = replace(windowed, context=6).build(), torch.zeros(1, 6, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids)
    scores = sum(count for op, count in counter.get_flop_counts()["Global"].items() if "bmm" in str(op))

    assert windowed.attention_flops_per_token() == scores / 6
    assert SHAPE.attention_flops_per_token() == 2 * scores / 6 / 3  # 12 keys, 1 layer


def test_a_full_window_drops_what_it_no_longer_sees() -> None:
    shape = replace(SHAPE, layers=4, attention=MultiHead(window=5, global_every=2))

    per_token = shape.cache_bytes()
    assert shape.sequence_cache_bytes(5) == 5 * per_token
    assert shape.sequence_cache_bytes(12) == (5 + 12) * per_token / 2  # half the layers are global


def test_a_sink_takes_part_in_the_softmax_like_a_key_without_a_value() -> None:
    q, k, v = torch.randn(3, 2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    sinks = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    bias = torch.zeros(4, 6, 7).masked_fill(torch.ones(6, 7, dtype=torch.bool).triu(1), -torch.inf)
    bias[..., 6] = sinks[:, None]

    found = attend_with_sinks(q, k, v, sinks, mask=None, scale=None)

    nothing = torch.zeros(2, 4, 1, 8)
    beside = functional.scaled_dot_product_attention(
        q, torch.cat((k, nothing), 2), torch.cat((v, nothing), 2), attn_mask=bias
    )
    torch.testing.assert_close(found, beside, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("qk_norm", ["head", "width"])
def test_normed_queries_and_keys_forget_their_size(qk_norm: QkNorm) -> None:
    made = attention(replace(SHAPE, norm="rms", attention=MultiHead(kv_heads=2, qk_norm=qk_norm)))
    before = made(stream())

    made.qkv.weight.data[: 16 + 8] *= 100  # of queries and keys

    torch.testing.assert_close(made(stream()), before, rtol=1e-2, atol=1e-3)  # but for epsilon


def test_a_head_norm_treats_heads_alone_and_a_width_norm_together() -> None:
    changed = []
    kinds: tuple[QkNorm, ...] = ("head", "width")
    for qk_norm in kinds:
        made = attention(replace(SHAPE, norm="rms", attention=MultiHead(qk_norm=qk_norm)))
        made.out.weight.data = torch.eye(16)  # heads side by side
        before = made(stream())
        made.qkv.weight.data[:4] *= 100  # queries of the first head
        changed.append((made(stream()) - before)[..., 4:].abs().max().item())

    assert changed[0] == 0
    assert changed[1] > 1e-2


@pytest.mark.parametrize("sinks", [False, True])
def test_the_scale_is_one_over_the_root_of_the_head_width_until_it_is_set(sinks: bool) -> None:
    made = attention(replace(SHAPE, attention=MultiHead(sinks=sinks)))
    before = made(stream())

    made.scale = 2 * made.head_width**-0.5
    made.qkv.weight.data[:16] /= 2  # the queries

    torch.testing.assert_close(made(stream()), before, rtol=EXACT, atol=EXACT)
