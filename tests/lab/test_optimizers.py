"""What decays, and what each optimizer does with a gradient and without one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Literal

import pytest
import torch

from allometry.architectures import Transformer
from allometry.lab.checkpoints import restore_tensors, state_tensors
from allometry.lab.optimizers import UNSCALED, build_optimizer, set_rate
from allometry.lab.parametrization import initialize
from allometry.recipe import AdamW, Muon, Sgd

CHOICE = AdamW(learning_rate=0.01, weight_decay=0.3, betas=(0.8, 0.9))


@pytest.fixture
def model() -> torch.nn.Module:
    made = Transformer(vocab=32, context=8, width=16, layers=2, heads=2).build()
    initialize(made, torch.Generator().manual_seed(0))
    return made


def test_matrices_decay_and_embeddings_and_gains_do_not(model: torch.nn.Module) -> None:
    optimizer = build_optimizer(model, CHOICE)
    decay = {id(weight): g["weight_decay"] for g in optimizer.param_groups for weight in g["params"]}

    for name, weight in model.named_parameters():
        is_matrix = any(part in name for part in ("qkv", "out", "up", "down", "head"))
        assert decay[id(weight)] == (0.3 if is_matrix else 0.0), name


def without_gradient(model: torch.nn.Module) -> None:
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)


def with_gradient(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator)


MUON = Muon(learning_rate=0.01, weight_decay=0.3, others=CHOICE)
SGD = Sgd(learning_rate=0.01, weight_decay=0.3)
ALL = [CHOICE, SGD, MUON]


@pytest.mark.parametrize("choice", ALL, ids=lambda choice: choice.kind)
def test_every_parameter_is_trained_once(model: torch.nn.Module, choice: AdamW | Sgd | Muon) -> None:
    trained = [w for group in build_optimizer(model, choice).param_groups for w in group["params"]]

    assert sorted(map(id, trained)) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("choice", ALL, ids=lambda choice: choice.kind)
def test_decay_is_decoupled_and_scales_with_the_rate(
    model: torch.nn.Module, choice: AdamW | Sgd | Muon
) -> None:
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(model, choice)
    without_gradient(model)

    set_rate(optimizer, 0.02)
    optimizer.step()

    # Loshchilov and Hutter 2019, algorithms 1 and 2: without a gradient a weight shrinks by rate times decay.
    for name in ("head.weight", "blocks.0.attention.qkv.weight"):
        torch.testing.assert_close(model.get_parameter(name).detach(), before[name] * (1 - 0.02 * 0.3))
    assert torch.equal(model.get_parameter("token.weight"), before["token.weight"])


@pytest.mark.parametrize("choice", ALL, ids=lambda choice: choice.kind)
def test_independent_decay_knows_the_schedule_and_not_the_rate(
    model: torch.nn.Module, choice: AdamW | Sgd | Muon
) -> None:
    independent = replace(choice, weight_decay_convention="independent", weight_decay=0.003)
    if isinstance(independent, Muon):
        others = replace(CHOICE, weight_decay_convention="independent", weight_decay=0.003, learning_rate=0.5)
        independent = replace(independent, others=others)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(model, independent)
    without_gradient(model)

    set_rate(optimizer, independent.learning_rate / 2)
    optimizer.step()

    # ibid.: theta shrinks by schedule times decay; the schedule is at a half.
    for name in ("head.weight", "blocks.0.attention.qkv.weight"):
        torch.testing.assert_close(model.get_parameter(name).detach(), before[name] * (1 - 0.003 / 2))


def test_a_multiplier_moves_the_rate_of_its_kind_and_leaves_the_decay_per_step(
    model: torch.nn.Module,
) -> None:
    optimizer = build_optimizer(model, CHOICE, {**UNSCALED, "hidden": 0.25})
    set_rate(optimizer, 0.02)

    rates = {
        id(w): (g["lr"], g["lr"] * g["weight_decay"]) for g in optimizer.param_groups for w in g["params"]
    }
    assert rates[id(model.get_parameter("blocks.0.mlp.up.weight"))] == pytest.approx((0.005, 0.02 * 0.3))
    assert rates[id(model.get_parameter("head.weight"))] == pytest.approx((0.02, 0.02 * 0.3))
    assert rates[id(model.get_parameter("token.weight"))] == pytest.approx((0.02, 0.0))


def test_adamw_steps_as_that_of_torch_to_the_bit(model: torch.nn.Module) -> None:
    """From the first step on, past one in which some weights have no gradient."""
    twin = copy.deepcopy(model)
    own = build_optimizer(model, CHOICE)
    torchs = torch.optim.AdamW(
        [
            {**group, "params": [dict(twin.named_parameters())[name] for name in names]}
            for group, names in zip(own.param_groups, _names_by_group(model, own), strict=True)
        ],
        fused=True,
    )
    draw = torch.Generator().manual_seed(0)
    for step in range(4):
        set_rate(own, 0.01 / (step + 1))
        set_rate(torchs, 0.01 / (step + 1))
        for number, (weight, other) in enumerate(zip(model.parameters(), twin.parameters(), strict=True)):
            slope = torch.randn(weight.shape, generator=draw)
            weight.grad, other.grad = (None, None) if step == 2 and number < 3 else (slope, slope.clone())
        own.step()
        torchs.step()

    assert own.state.keys() == set(model.parameters())
    for weight, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=0)
        assert own.state[weight]["step"] == torchs.state[other]["step"]


def _names_by_group(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[list[str]]:
    names = {id(weight): name for name, weight in model.named_parameters()}
    return [[names[id(weight)] for weight in group["params"]] for group in optimizer.param_groups]


def test_sgd_remembers_its_direction(model: torch.nn.Module) -> None:
    weight = model.get_parameter("token.weight")
    before = weight.detach().clone()
    optimizer = build_optimizer(model, Sgd(learning_rate=0.1, momentum=0.5))
    for _ in range(3):
        for one in model.parameters():
            one.grad = torch.ones_like(one)
        set_rate(optimizer, 0.1)
        optimizer.step()

    # Velocities 1, 1.5, 1.75 of the same gradient (Sutskever et al. 2013, eq. 1).
    torch.testing.assert_close(weight.detach(), before - 0.1 * (1 + 1.5 + 1.75))


def test_the_decay_of_sgd_stays_out_of_its_momentum(model: torch.nn.Module) -> None:
    head = model.get_parameter("head.weight")
    before = head.detach().clone()
    optimizer = build_optimizer(model, replace(SGD, momentum=0.9))
    for _ in range(3):
        without_gradient(model)
        optimizer.step()

    torch.testing.assert_close(head.detach(), before * (1 - 0.01 * 0.3) ** 3)


@pytest.mark.parametrize(
    ("adjustment", "sizes"),
    # Outputs and inputs: qkv 48 and 16, up 64 and 16, out 16 and 16, down 16 and 64.
    [
        ("original", {"attention.qkv": 3**0.5, "mlp.up": 2.0, "attention.out": 1.0, "mlp.down": 1.0}),
        (
            "match_rms_adamw",
            {"attention.qkv": 0.2 * 48**0.5, "mlp.up": 1.6, "attention.out": 0.8, "mlp.down": 1.6},
        ),
    ],
)
def test_an_update_of_muon_is_orthogonal_and_as_large_as_stated(
    model: torch.nn.Module, adjustment: Literal["original", "match_rms_adamw"], sizes: dict[str, float]
) -> None:
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(model, replace(MUON, weight_decay=0.0, adjustment=adjustment))
    with_gradient(model, seed=1)
    set_rate(optimizer, 0.1)
    optimizer.step()

    for name, size in sizes.items():
        update = before[f"blocks.1.{name}.weight"] - model.get_parameter(f"blocks.1.{name}.weight").detach()
        lengths = torch.linalg.svdvals(update) / (0.1 * size)
        assert lengths.min() > 0.5, name  # five Newton-Schulz steps leave them between 0.7 and 1.2
        assert lengths.max() < 1.5, name


def test_what_is_no_hidden_matrix_gets_an_update_of_adamw_at_its_own_rate(model: torch.nn.Module) -> None:
    token = model.get_parameter("token.weight")
    before = token.detach().clone()
    optimizer = build_optimizer(model, replace(MUON, others=replace(CHOICE, learning_rate=0.3)))
    with_gradient(model, seed=1)
    set_rate(optimizer, 0.005)
    optimizer.step()

    # Adam's first step is its rate in every coordinate, here half of 0.3 as the schedule is at a half.
    torch.testing.assert_close(
        (token.detach() - before).abs(), torch.full_like(token, 0.15), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("choice", ALL, ids=lambda choice: choice.kind)
def test_state_that_is_saved_and_put_back_steps_alike(
    model: torch.nn.Module, choice: AdamW | Sgd | Muon
) -> None:
    optimizer = build_optimizer(model, choice)
    with_gradient(model, seed=1)
    optimizer.step()
    saved = {name: tensor.clone() for name, tensor in state_tensors(model, optimizer).items()}
    again = Transformer(vocab=32, context=8, width=16, layers=2, heads=2).build()
    resumed = build_optimizer(again, choice)
    restore_tensors(again, resumed, saved)

    for one, steps in ((model, optimizer), (again, resumed)):
        with_gradient(one, seed=2)
        set_rate(steps, 0.02)
        steps.step()

    after = state_tensors(again, resumed)
    assert any(name.startswith("optimizer.") for name in after)
    for name, tensor in state_tensors(model, optimizer).items():
        assert torch.equal(tensor, after[name]), name
