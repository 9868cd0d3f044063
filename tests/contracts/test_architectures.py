"""What every architecture in the catalog must obey. A new one joins by adding its shapes here."""

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from allometry.architectures import ARCHITECTURES, Architecture, Transformer
from allometry.errors import InputError
from allometry.lab.parametrization import initialize

SHAPES: dict[str, list[Architecture]] = {
    "transformer": [
        Transformer(vocab=300, context=16, width=16, layers=1, heads=1),
        Transformer(vocab=257, context=24, width=24, layers=3, heads=2, mlp_ratio=3),
        Transformer(vocab=1024, context=64, width=64, layers=2, heads=4),
    ]
}
CASES = [shape for shapes in SHAPES.values() for shape in shapes]


@pytest.fixture(params=CASES, ids=str)
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
    weights = dict(shape.build().named_parameters())

    assert shape.groups()["embedding"].total == weights["token.weight"].numel()
    assert shape.groups()["head"].total == weights["head.weight"].numel()
    assert shape.params("non_embedding") == shape.params("total") - 2 * weights["head.weight"].numel()


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

    loss = torch.nn.functional.cross_entropy(initialized(shape)(ids).flatten(0, 1), ids.flatten())

    assert loss.item() == pytest.approx(math.log(shape.vocab), abs=0.05)  # "within a few hundredths"


def test_the_same_seed_makes_the_same_weights(shape: Architecture) -> None:
    first, second = initialized(shape).state_dict(), initialized(shape).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_shape_is_told_in_canonical_columns(shape: Architecture) -> None:
    assert set(shape.dimensions()) == {"width", "layers", "heads", "context", "vocab"}
