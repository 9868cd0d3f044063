"""Under muP what a layer does to its input does not change with the width; at the base width nothing does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch

from allometry.architectures import Transformer
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model, rate_multipliers
from allometry.recipe import (
    AdamW,
    Bpe,
    Constant,
    Data,
    Muon,
    MuP,
    Parametrization,
    Recipe,
    Sgd,
    Standard,
    StandardLibrary,
)

RECIPE = Recipe(
    architecture=Transformer(vocab=300, context=16, width=64, layers=1, heads=2),
    optimizer=AdamW(learning_rate=0.01),
    schedule=Constant(),
    data=Data(corpus=StandardLibrary(bytes=1), tokenizer=Bpe(vocab=300)),
    tokens=64,
    batch_tokens=64,
)
IDS = torch.arange(64).reshape(4, 16)
MUON = Muon(learning_rate=0.01, others=AdamW(learning_rate=0.01))


def test_a_model_of_the_base_width_is_the_standard_one_to_the_last_bit() -> None:
    recipe = replace(RECIPE, parametrization=MuP(base_width=64, base_head_width=32))

    assert torch.equal(build_model(recipe)(IDS), build_model(RECIPE)(IDS))
    for optimizer in (
        RECIPE.optimizer,
        Sgd(learning_rate=0.1),
        MUON,
        replace(MUON, adjustment="match_rms_adamw"),
    ):
        assert set(rate_multipliers(replace(recipe, optimizer=optimizer)).values()) == {1.0}


def test_weights_start_as_they_do_in_the_standard_parametrization() -> None:
    wide = build_model(replace(RECIPE, parametrization=MuP(base_width=16)))

    standard = build_model(RECIPE).state_dict()
    assert all(torch.equal(weight, standard[name]) for name, weight in wide.state_dict().items())


def test_the_logits_fall_with_the_width() -> None:
    wide = build_model(replace(RECIPE, parametrization=MuP(base_width=16)))

    torch.testing.assert_close(wide(IDS), build_model(RECIPE)(IDS) / 4)  # Yang et al. 2022, table 8


@pytest.mark.parametrize(("base_head_width", "scale"), [(None, 32**-0.5), (8, 8**0.5 / 32), (32, 32**-0.5)])
def test_scores_fall_with_the_width_of_a_head(base_head_width: int | None, scale: float) -> None:
    recipe = replace(RECIPE, parametrization=MuP(base_width=64, base_head_width=base_head_width))
    attention = build_model(recipe).get_submodule("blocks.0.attention")
    x_BTD = torch.randn(1, 16, 64, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        attention.get_parameter("out.weight").copy_(torch.eye(64))
        found = attention(x_BTD)

        # The same scores by hand: half of the scale on the queries, and PyTorch's own left to the rest.
        attention.get_parameter("qkv.weight")[:64] *= scale * 32**0.5
        attention.scale = None  # type: ignore[assignment]
        torch.testing.assert_close(found, attention(x_BTD))


@pytest.mark.parametrize(
    ("optimizer", "multipliers"),
    [  # Yang et al. 2022, table 8, for a model four times as wide: embedding, hidden, head, vector.
        (AdamW(learning_rate=0.1), (1, 1 / 4, 1, 1)),
        (Sgd(learning_rate=0.1), (4, 1, 4, 4)),
        (MUON, (1, 1, 1, 1)),
        (replace(MUON, adjustment="match_rms_adamw"), (1, 1 / 2, 1, 1)),
    ],
)
def test_rates_follow_the_width_by_the_published_table(
    optimizer: AdamW | Sgd | Muon, multipliers: tuple[float, ...]
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer, parametrization=MuP(base_width=16))

    found = rate_multipliers(recipe)

    assert tuple(found[kind] for kind in ("embedding", "hidden", "head", "vector")) == multipliers


@pytest.mark.parametrize("adjustment", ["original", "match_rms_adamw"])
def test_the_spectral_norm_of_a_step_of_muon_does_not_change_with_the_width(
    adjustment: Literal["original", "match_rms_adamw"],
) -> None:
    norms = [_step_norm(width, replace(MUON, adjustment=adjustment, weight_decay=0.0)) for width in (16, 128)]

    assert math.log(norms[1] / norms[0]) == pytest.approx(0, abs=math.log(1.4))  # Newton-Schulz: 0.7 to 1.2


def _step_norm(width: int, optimizer: Muon) -> float:
    """Largest singular value of the first step of a square hidden matrix."""
    shape = Transformer(vocab=300, context=16, width=width, layers=1, heads=1)
    recipe = replace(RECIPE, architecture=shape, optimizer=optimizer, parametrization=MuP(base_width=16))
    model = build_model(recipe)
    weight = model.get_parameter("blocks.0.attention.out.weight")
    for one in model.parameters():
        one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(0))
    steps = build_optimizer(model, optimizer, rate_multipliers(recipe))
    for group in steps.param_groups:
        group["lr"] = group["multiplier"]
    steps.step()
    return float(torch.linalg.matrix_norm(weight.detach(), ord=2))  # it starts at zero


def test_the_standard_parametrization_scales_nothing() -> None:
    wide: Parametrization = Standard()

    assert set(rate_multipliers(replace(RECIPE, parametrization=wide)).values()) == {1.0}
    assert build_model(RECIPE).logit_scale == 1.0
