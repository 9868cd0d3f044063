"""What decays, and what AdamW does with it."""

import pytest
import torch

from allometry.architectures import Transformer
from allometry.lab.optimizers import build_optimizer, set_rate
from allometry.lab.parametrization import initialize
from allometry.recipe import AdamW

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


def test_every_parameter_is_trained_once(model: torch.nn.Module) -> None:
    trained = [w for group in build_optimizer(model, CHOICE).param_groups for w in group["params"]]

    assert sorted(map(id, trained)) == sorted(map(id, model.parameters()))


def test_decay_is_decoupled_and_scales_with_the_rate(model: torch.nn.Module) -> None:
    head = model.get_parameter("head.weight")
    before = head.detach().clone()
    optimizer = build_optimizer(model, CHOICE)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)

    set_rate(optimizer, 0.02)
    optimizer.step()

    # Loshchilov and Hutter 2019, algorithm 2: without a gradient a weight shrinks by rate times decay.
    torch.testing.assert_close(head.detach(), before * (1 - 0.02 * 0.3))
