"""What every architecture in the catalog must obey. A new one joins by adding its shapes here."""

import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from allometry.architectures import (
    ARCHITECTURES,
    AnyArchitecture,
    Architecture,
    Latent,
    MixtureOfExperts,
    MultiHead,
    Recurrent,
    StateSpace,
    Transformer,
)
from allometry.architectures.decoder import Bias
from allometry.architectures.modules.roles import roles_of
from allometry.errors import InputError
from allometry.lab.parametrization import initialize
from allometry.recipe import spelled_out
from allometry.runs.columns import COLUMNS

pytestmark = pytest.mark.usefixtures("one_thread")

ALL: tuple[Bias, ...] = get_args(Bias)
SMALL = Transformer(vocab=257, context=24, width=32, layers=2, heads=4)
LATENT = Latent(kv_rank=12, plain_width=8, rotary_width=4, value_width=6)
ROUTED = MixtureOfExperts(vocab=257, context=24, width=24, layers=2, heads=2, experts=4, top_k=2)
SCANNED = StateSpace(vocab=257, context=24, width=16, layers=2, head_width=8, state_width=6, chunk=8)
SHAPES: dict[str, list[Architecture]] = {
    "transformer": [
        Transformer(vocab=300, context=16, width=16, layers=1, heads=1),
        Transformer(vocab=257, context=24, width=24, layers=3, heads=2, mlp_ratio=3),
        Transformer(vocab=1024, context=64, width=64, layers=2, heads=4),
        replace(SMALL, positions="learned", norm="layer_with_bias", activation="gelu", biases=ALL, tied=True),
        replace(SMALL, norm="rms", activation="swiglu", mlp_ratio=8 / 3, attention=MultiHead(kv_heads=2)),
        replace(SMALL, norm="rms", norm_at="post", attention=MultiHead(kv_heads=2, qk_norm="width")),
        replace(
            SMALL,
            norm="rms",
            norm_at="sandwich",
            activation="geglu",
            biases=("mlp",),
            embedding_norm=True,
            tied=True,
        ),
        replace(SMALL, norm="layer_fixed", attention=MultiHead(head_width=6, qk_norm="head"), heads=3),
        replace(SMALL, branches="parallel", rotary_fraction=0.25, biases=("mlp", "qkv"), mlp_width=40),
        replace(SMALL, branches="parallel_one_norm", norm="layer_with_bias", biases=("head",), tied=True),
        replace(SMALL, positions="alibi", heads=3, attention=MultiHead(head_width=5, kv_heads=1)),
        replace(SMALL, positions="none", activation="relu", attention=MultiHead(kv_heads=2, sinks=True)),
        replace(SMALL, attention=LATENT, norm="rms", biases=("attention_out",)),
        replace(SMALL, attention=replace(LATENT, query_rank=10), norm_at="post"),
    ],
    "moe": [
        ROUTED,
        replace(ROUTED, experts=6, top_k=3, granularity=3, shared_experts=2, biases=ALL, norm_at="post"),
        replace(ROUTED, layers=3, dense_layers=1, expert_width=20, activation="swiglu", tied=True),
        replace(ROUTED, attention=LATENT, scores="sigmoid", balance_step=0.01, z_loss=0.001),
        replace(ROUTED, top_k=1, renormalize=False, branches="parallel"),
    ],
    "recurrent": [
        Recurrent(vocab=300, context=16, width=16, layers=1),
        Recurrent(vocab=257, context=24, width=24, layers=3, cell="gru"),
    ],
    "state_space": [
        SCANNED,
        replace(SCANNED, context=20, state_groups=2, kernel=3, expand=3),  # the last chunk is not full
        replace(SCANNED, chunk=64, tied=True),  # nor the only one
    ],
}
CASES = [shape for shapes in SHAPES.values() for shape in shapes]
WINDOWED: list[Architecture] = [  # whose scores the counter cannot tell from those that are masked
    replace(SMALL, attention=MultiHead(window=8)),
    replace(SMALL, attention=MultiHead(window=4, global_every=2, sinks=True)),
    replace(SMALL, attention=MultiHead(window=8), positions="alibi"),
]


def named(shape: Architecture) -> str:
    """What of a shape is not at its default."""
    return ",".join(f"{name}={value}" for name, value in spelled_out(shape, defaults=False).items())


@pytest.fixture(params=CASES + WINDOWED, ids=named)
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


def rows_through(shape: Architecture, ids: torch.Tensor) -> dict[torch.nn.Module, int]:
    """How many activations pass through each module that holds parameters of its own."""
    model, rows = initialized(shape), {}

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        rows[module] = ids.numel() if isinstance(module, torch.nn.Embedding) else inputs[0][..., 0].numel()

    for module in model.modules():
        if list(module.parameters(recurse=False)) or isinstance(
            module, torch.nn.Linear
        ):  # a tied head has none
            module.register_forward_pre_hook(count)
    model(ids)
    return rows


def matrices(module: torch.nn.Module) -> int:
    """Parameters of the products in a linear layer, or in the cells of a recurrence."""
    if isinstance(module, torch.nn.Linear):
        return module.weight.numel()
    if isinstance(module, torch.nn.RNNBase):
        return sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
    return 0


def with_own_state(cells: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[object, ...]:
    """Give cells a state to start from whose slope is wanted, as that of every later one is."""
    assert isinstance(cells, torch.nn.RNNBase)
    state = torch.zeros(cells.num_layers, len(inputs[0]), cells.hidden_size, requires_grad=True)
    return (*inputs, (state, state) if isinstance(cells, torch.nn.LSTM) else state)


def counted_flops(shape: Architecture) -> tuple[float, float]:
    """What PyTorch counts for forward and backward, per token: linear products, attention products."""
    model, ids = initialized(shape), tokens(shape)
    for module in model.modules():
        if isinstance(module, torch.nn.RNNBase):
            module.register_forward_pre_hook(with_own_state)
    # The fused CPU kernels of attention and of cells are unknown to the counter; the plain ones are made of
    # products that it counts, all scores included: those with parameters are `mm`, those of activations with
    # activations `bmm`.
    plain_cells = torch.backends.mkldnn.flags(enabled=False, allow_tf32=None)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), plain_cells:
        model(ids).sum().backward()
    counts = counter.get_flop_counts()["Global"]
    linear = sum(flops for op, flops in counts.items() if "bmm" not in str(op))
    attention = sum(flops for op, flops in counts.items() if "bmm" in str(op))
    return linear / ids.numel(), attention / ids.numel()


def test_every_architecture_is_put_to_the_contract() -> None:
    assert set(SHAPES) == set(ARCHITECTURES)


def test_a_recipe_tells_all_of_them_apart_by_their_kind() -> None:
    union, _ = get_args(AnyArchitecture)

    members = {tag.tag: shape for shape, tag in map(get_args, get_args(union))}
    assert members == dict(ARCHITECTURES)
    assert all(shapes[0].kind == name for name, shapes in SHAPES.items())  # type: ignore[attr-defined]


def test_counted_parameters_equal_the_modules(shape: Architecture) -> None:
    module = sum(weight.numel() for weight in shape.build().parameters())

    assert shape.params("total") == module
    assert sum(group.total for group in shape.groups().values()) == module


def test_counted_matmul_parameters_are_those_a_token_meets_in_products(shape: Architecture) -> None:
    ids = tokens(shape)

    met = sum(matrices(module) * rows for module, rows in rows_through(shape, ids).items())

    assert shape.params("matmul") == met / ids.numel()


def test_active_parameters_are_those_that_one_token_does_not_pass_by(shape: Architecture) -> None:
    rows = rows_through(shape, tokens(shape)[:1, :1])
    total = sum(weight.numel() for weight in shape.build().parameters())

    idle = [module for module, count in rows.items() if count == 0]

    assert shape.params("active") == total - sum(w.numel() for module in idle for w in module.parameters())


def test_embedding_and_head_are_counted_apart(shape: Architecture) -> None:
    counts = {name: weight.numel() for name, weight in shape.build().named_parameters()}
    apart = {
        place: sum(count for name, count in counts.items() if name.startswith(place))
        for place in ("token", "positions", "head")
    }

    assert shape.groups()["embedding"].total == apart["token"]
    assert shape.groups()["head"].total == apart["head"]
    assert shape.params("non_embedding") == sum(counts.values()) - sum(apart.values())


@pytest.mark.parametrize("shape", CASES, ids=named)
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


def test_every_parameter_has_a_role(shape: Architecture) -> None:
    model = shape.build()

    assert roles_of(model).keys() == dict(model.named_parameters()).keys()


def test_the_shape_is_told_in_canonical_columns(shape: Architecture) -> None:
    told = set(shape.dimensions())

    assert {"width", "layers", "context", "vocab"} <= told <= set(COLUMNS)
    assert ("heads" in told) == hasattr(shape, "attention")


@pytest.mark.gpu
def test_a_gpu_finds_the_logits_and_slopes_of_the_cpu(shape: Architecture) -> None:
    model, ids = initialized(shape), tokens(shape)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(2))

    outcomes = []
    for device in ("cpu", "cuda"):
        model.zero_grad(set_to_none=True)
        with torch.backends.cudnn.flags(allow_tf32=False):
            logits = model.to(device)(ids.to(device))
            logits.square().mean().backward()
        outcomes.append([logits.cpu(), *(w.grad.cpu() for w in model.parameters() if w.grad is not None)])

    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=1e-3, atol=1e-4)
