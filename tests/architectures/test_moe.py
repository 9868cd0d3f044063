"""Mixture of experts: tokens reach the experts they are routed to, and loads are evened out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from allometry.architectures import MixtureOfExperts, Transformer
from allometry.architectures.modules.roles import roles_of
from allometry.architectures.moe.model import (
    MixtureModel,
    RoutedFeedForward,
    Router,
    normaliser_size,
    uneven_load,
)
from allometry.errors import InputError
from allometry.lab.parametrization import initialize

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = MixtureOfExperts(vocab=64, context=12, width=16, layers=2, heads=2, experts=4, top_k=2)


def ids(sequences: int = 2) -> Tensor:
    return torch.randint(64, (sequences, 12), generator=torch.Generator().manual_seed(1))


def drawn(module: torch.nn.Module, std: float = 0.3) -> Any:
    generator = torch.Generator().manual_seed(0)
    for weight in module.parameters():  # those that start at zero would hide what experts do
        torch.nn.init.normal_(weight, std=std, generator=generator)
    return module


def model_of(shape: MixtureOfExperts) -> MixtureModel:
    made: MixtureModel = drawn(shape.build())
    return made


@pytest.mark.parametrize(
    "shape", [SHAPE, replace(SHAPE, shared_experts=1, scores="sigmoid")], ids=["", "shared"]
)
def test_each_token_gets_the_weighted_sum_of_its_experts(shape: MixtureOfExperts) -> None:
    layer: RoutedFeedForward = drawn(RoutedFeedForward(shape))
    x_BTD = torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(3))

    found = layer(x_BTD)

    for x_D, found_D in zip(x_BTD.flatten(0, 1), found.flatten(0, 1), strict=True):
        logits_E = layer.router.map.weight @ x_D
        scores_E = logits_E.softmax(0) if shape.scores == "softmax" else logits_E.sigmoid()
        best = scores_E.argsort(descending=True)[:2]
        expected_D = sum(scores_E[e] / scores_E[best].sum() * layer.experts[int(e)](x_D) for e in best)
        expected_D = expected_D + layer.shared(x_D) if layer.shared is not None else expected_D
        torch.testing.assert_close(found_D, expected_D)


def test_one_expert_is_a_dense_transformer() -> None:
    single = replace(SHAPE, experts=1, top_k=1, renormalize=False).build()
    dense = Transformer(vocab=64, context=12, width=16, layers=2, heads=2).build()
    drawn(single)
    weights = {name.replace("experts.0.", ""): weight for name, weight in single.state_dict().items()}
    dense.load_state_dict({name: weights[name] for name in dense.state_dict()})

    torch.testing.assert_close(single(ids()), dense(ids()))


def test_no_token_is_dropped_where_all_want_the_same_experts() -> None:
    layer: RoutedFeedForward = drawn(RoutedFeedForward(replace(SHAPE, biases=("mlp",))))
    torch.nn.init.zeros_(layer.router.map.weight)
    layer.router.map.bias.data = torch.tensor([0.0, 9.0, 0.0, 9.0])
    x_BTD = torch.randn(1, 12, 16, generator=torch.Generator().manual_seed(3))

    found = layer(x_BTD)

    assert layer.router.counts_E.tolist() == [0, 12, 0, 12]
    torch.testing.assert_close(found, (layer.experts[1](x_BTD) + layer.experts[3](x_BTD)) / 2)


def test_an_expert_without_tokens_has_a_slope_of_zero_rather_than_none() -> None:
    model = model_of(replace(SHAPE, experts=40, top_k=2))

    model(ids(1)).square().sum().backward()

    assert (model.expert_loads() == 0).any()
    assert all(weight.grad is not None for weight in model.parameters())


def test_every_matrix_of_an_expert_has_two_dimensions() -> None:
    model = SHAPE.build()
    roles = roles_of(model)

    assert {weight.ndim for name, weight in model.named_parameters() if roles[name].kind == "hidden"} == {2}


def test_routing_is_in_float32_where_all_else_is_in_bfloat16() -> None:
    router: Router = drawn(Router(SHAPE))
    x_ND = torch.randn(12, 16, generator=torch.Generator().manual_seed(3))

    with torch.autocast("cpu", dtype=torch.bfloat16):
        experts_NK, weights_NK = router(x_ND)

    exact_experts_NK, exact_weights_NK = router(x_ND)
    assert torch.equal(experts_NK, exact_experts_NK)
    assert torch.equal(weights_NK, exact_weights_NK)


def test_the_balance_loss_is_1_for_even_loads_and_as_many_as_experts_for_one() -> None:
    even = uneven_load(torch.full((8, 4), 0.25), torch.tensor([2, 2, 2, 2]))
    one = uneven_load(torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(8, 4), torch.tensor([8, 0, 0, 0]))

    assert (even.item(), one.item()) == (1, 4)  # Fedus et al. 2022, section 2.2


def test_the_z_loss_of_even_logits_is_the_square_of_the_log_of_their_number() -> None:
    assert normaliser_size(torch.zeros(3, 8)).item() == pytest.approx(2.0794415**2)  # ln 8


def test_the_auxiliary_loss_adds_up_the_layers_and_asks_for_gradients() -> None:
    model = model_of(replace(SHAPE, balance_loss=0.5, z_loss=0.25))
    router = [part for part in model.modules() if isinstance(part, Router)]

    model(ids())
    both = model.auxiliary_loss()

    assert both is not None
    assert both.item() == pytest.approx(sum(one.loss.item() for one in router if one.loss is not None))
    with torch.no_grad():
        model(ids())
    assert model.auxiliary_loss() is None


def unevenness(model: MixtureModel) -> float:
    with torch.no_grad():
        model(ids(16))
    return float((model.expert_loads() - 0.25).abs().max())


def test_the_balance_loss_evens_out_loads() -> None:
    model = model_of(replace(SHAPE, balance_loss=1.0))
    before = unevenness(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    for _ in range(15):
        model(ids(16))
        loss = model.auxiliary_loss()
        assert loss is not None
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    assert unevenness(model) < before / 2


def test_preferences_even_out_loads_without_gradients() -> None:
    model = model_of(replace(SHAPE, balance_loss=0.0, balance_step=0.02))
    before = unevenness(model)

    for _ in range(40):
        model(ids(16))
        model.after_step()

    assert unevenness(model) < before / 2


def test_a_step_of_the_preferences_is_against_the_load_and_of_one_size() -> None:
    router = Router(replace(SHAPE, balance_step=0.001))
    router.step_counts_E = torch.tensor([9, 5, 1, 5])

    router.after_step()

    assert router.preferences_E.tolist() == pytest.approx([-0.001, 0, 0.001, 0])  # DeepSeek-V3, section 2.1.2
    assert not router.step_counts_E.any()


def test_preferences_choose_experts_and_do_not_weigh_them() -> None:
    router: Router = drawn(Router(replace(SHAPE, balance_step=0.1, renormalize=False)))
    x_ND = torch.randn(5, 16, generator=torch.Generator().manual_seed(3))
    router.preferences_E.copy_(torch.tensor([9.0, 0.0, 0.0, 9.0]))

    experts_NK, weights_NK = router(x_ND)

    assert experts_NK.sort(-1).values.tolist() == [[0, 3]] * 5
    scores_NE = (x_ND @ router.map.weight.T).softmax(-1)
    torch.testing.assert_close(weights_NK, scores_NE.gather(-1, experts_NK))


def test_first_layers_can_be_dense_and_loads_are_those_of_the_others() -> None:
    model = model_of(replace(SHAPE, layers=3, dense_layers=2))

    model(ids())

    assert model.expert_loads().shape == (1, 4)
    assert model.expert_loads().sum().item() == pytest.approx(1)


def test_the_weights_of_a_router_start_like_those_of_a_head() -> None:
    model = replace(SHAPE, width=64, heads=4).build()
    initialize(model, torch.Generator().manual_seed(0))

    assert model.get_parameter("blocks.0.mlp.router.map.weight").std().item() == pytest.approx(0.02, rel=0.3)


def test_granularity_makes_experts_smaller_at_the_same_total() -> None:
    coarse, fine = SHAPE, replace(SHAPE, experts=16, top_k=8, granularity=4)

    assert fine.groups()["experts"] == coarse.groups()["experts"]  # Krajewski et al. 2024, section 3
    assert fine.dimensions()["granularity"] == 4
    assert fine.dimensions()["sparsity"] == 0.5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"top_k": 5}, r"top_k = 5 of 4 experts; take at most 4\."),
        ({"experts": 0}, "experts must be a whole number of at least 1, not 0"),
        ({"dense_layers": 2}, r"dense_layers must be a whole number from 0 to layers - 1 \(1\), not 2"),
        ({"shared_experts": -1}, "shared_experts must be a whole number of at least 0, not -1"),
        ({"granularity": 3}, r"dense layer \(64\) and 3 does not; take one of 1, 2, 4"),
        ({"granularity": 2, "expert_width": 8}, "expert_width = 8 and granularity = 2 both set"),
        ({"balance_loss": -0.1}, "balance_loss must be a number of at least 0, not -0.1"),
        ({"z_loss": float("nan")}, "z_loss must be a number of at least 0, not nan"),
        ({"top_k": 1}, "With top_k = 1 a renormalized weight is always 1 .* set renormalize = false"),
        ({"scores": "softmaxx"}, "scores = 'softmaxx' is not known. Did you mean 'softmax'"),
        ({"heads": 3}, "heads must split the width 16"),
    ],
)
def test_what_cannot_be_routed_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(SHAPE, **change)
