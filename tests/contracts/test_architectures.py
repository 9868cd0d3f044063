"""What every architecture in the catalog must obey. A new one joins by adding its shapes here."""

import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from allometry.architectures import ARCHITECTURES, Architecture, Transformer
from allometry.architectures.attention import Latent, MultiHead
from allometry.architectures.decoder import Bias
from allometry.errors import InputError
from allometry.lab.parametrization import initialize

ALL: tuple[Bias, ...] = get_args(Bias)
SMALL = Transformer(vocab=257, context=24, width=32, layers=2, heads=4)
LATENT = Latent(kv_rank=12, plain_width=8, rotary_width=4, value_width=6)
SHAPES: dict[str, list[Architecture]] = {
    "transformer": [
        Transformer(vocab=300, context=16, width=16, layers=1, heads=1),
        Transformer(vocab=257, context=24, width=24, layers=3, heads=2, mlp_ratio=3),
        Transformer(vocab=1024, context=64, width=64, layers=2, heads=4),
        replace(SMALL, positions="learned", norm="layer_with_bias", activation="gelu", biases=ALL, tied=True),
        replace(SMALL, norm="rms", activation="swiglu", mlp_ratio=8 / 3, attention=MultiHead(kv_heads=2)),
        replace(SMALL, norm="rms", norm_at="post", attention=MultiHead(kv_heads=2, qk_norm="width")),
        replace(SMALL, norm="rms", norm_at="sandwich", activation="geglu", embedding_norm=True, tied=True),
        replace(SMALL, norm="layer_fixed", attention=MultiHead(head_width=6, qk_norm="head"), heads=3),
        replace(SMALL, branches="parallel", rotary_fraction=0.25, biases=("mlp", "qkv"), mlp_width=40),
        replace(SMALL, branches="parallel_one_norm", norm="layer_with_bias", biases=("head",), tied=True),
        replace(SMALL, positions="alibi", heads=3, attention=MultiHead(head_width=5, kv_heads=1)),
        replace(SMALL, positions="none", activation="relu", attention=MultiHead(kv_heads=2, sinks=True)),
        replace(SMALL, attention=LATENT, norm="rms", biases=("attention_out",)),
        replace(SMALL, attention=replace(LATENT, query_rank=10), norm_at="post"),
    ]
}
CASES = [shape for shapes in SHAPES.values() for shape in shapes]
WINDOWED: list[Architecture] = [  # whose scores the counter cannot tell from those that are masked
    replace(SMALL, attention=MultiHead(window=8)),
    replace(SMALL, attention=MultiHead(window=4, global_every=2, sinks=True)),
    replace(SMALL, attention=MultiHead(window=8), positions="alibi"),
]


@pytest.fixture(params=CASES + WINDOWED, ids=str)
def shape(request: pytest.FixtureRequest) -> Architecture:
    chosen: Architecture = request.param
    return chosen


def initialized(shape: Architecture) -> torch.nn.Module:
    model = shape.build()
    initialize(model, torch.Generator().manual_seed(0))
    return model


def tokens(shape: Architecture, sequences: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(shape.vocab, (sequences, shape.context), generator=generator)


def counted_flops(shape: Architecture) -> tuple[float, float]:
    """What PyTorch counts for forward and backward, per token: linear products, attention products."""
    model, ids = initialized(shape), tokens(shape)
    # The fused CPU kernel of attention is unknown to the counter; the plain one is made of products that
    # it counts, all scores included: those of linear layers are `mm`, those of attention `bmm`.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids).sum().backward()
    counts = counter.get_flop_counts()["Global"]
    linear = sum(flops for op, flops in counts.items() if "bmm" not in str(op))
    attention = sum(flops for op, flops in counts.items() if "bmm" in str(op))
    return linear / ids.numel(), attention / ids.numel()


def test_every_architecture_is_put_to_the_contract() -> None:
    assert set(SHAPES) == set(ARCHITECTURES)


def test_counted_parameters_equal_the_modules(shape: Architecture) -> None:
    module = sum(weight.numel() for weight in shape.build().parameters())

    assert shape.params("total") == module
    assert sum(group.total for group in shape.groups().values()) == module


def test_counted_matmul_parameters_are_those_of_linear_layers(shape: Architecture) -> None:
    linear = [part for part in shape.build().modules() if isinstance(part, torch.nn.Linear)]

    assert shape.params("matmul") == sum(part.weight.numel() for part in linear)


def test_embedding_and_head_are_counted_apart(shape: Architecture) -> None:
    counts = {name: weight.numel() for name, weight in shape.build().named_parameters()}
    apart = {
        place: sum(count for name, count in counts.items() if name.startswith(place))
        for place in ("token", "positions", "head")
    }

    assert shape.groups()["embedding"].total == apart["token"]
    assert shape.groups()["head"].total == apart["head"]
    assert shape.params("non_embedding") == sum(counts.values()) - sum(apart.values())


@pytest.mark.parametrize("shape", CASES, ids=str)
def test_flops_per_token_equal_the_flop_counters(shape: Architecture) -> None:
    linear, attention = counted_flops(shape)

    assert shape.flops_per_token("matmul") == linear
    assert shape.flops_per_token("with_attention") == linear + attention


def test_an_unknown_convention_is_refused_with_the_nearest(shape: Architecture) -> None:
    with pytest.raises(InputError, match="Did you mean 'matmul'"):
        shape.params("matmull")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Did you mean '6ND'"):
        shape.flops_per_token("6N")  # type: ignore[arg-type]


def test_no_output_depends_on_a_later_token(shape: Architecture) -> None:
    model = initialized(shape)
    for weight in model.parameters():  # those that start at zero would hide a leak
        torch.nn.init.normal_(weight, std=0.2, generator=torch.Generator().manual_seed(2))
    embedded: list[torch.Tensor] = []
    model.get_submodule("token").register_forward_hook(lambda *args: embedded.append(args[2]))
    logits = model(tokens(shape, sequences=1))
    middle = shape.context // 2

    (slope,) = torch.autograd.grad(logits[0, middle].square().sum(), embedded[0])

    reach = slope[0].abs().sum(dim=-1)
    assert (reach[middle + 1 :] == 0).all()
    assert (reach[: middle + 1] > 0).all()


def test_the_loss_at_the_start_is_that_of_a_uniform_guess(shape: Architecture) -> None:
    ids = tokens(shape, sequences=8)

    logits = initialized(shape)(ids[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    assert loss.item() == pytest.approx(math.log(shape.vocab), abs=0.05)  # "within a few hundredths"


def test_the_same_seed_makes_the_same_weights(shape: Architecture) -> None:
    first, second = initialized(shape).state_dict(), initialized(shape).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_shape_is_told_in_canonical_columns(shape: Architecture) -> None:
    assert set(shape.dimensions()) == {"width", "layers", "heads", "context", "vocab"}
