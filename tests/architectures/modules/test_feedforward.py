"""What feed-forward layers compute, against their formulas."""

import math

import pytest
import torch
from torch import Tensor

from allometry.architectures.feedforward import Activation
from allometry.architectures.modules.feedforward import build_feedforward

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


def gaussian(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))  # Hendrycks and Gimpel 2016, section 2


def built(activation: Activation) -> tuple[torch.nn.Module, dict[str, Tensor]]:
    made = build_feedforward(4, 6, activation=activation)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))
    return made, {name.removesuffix(".weight"): weight for name, weight in made.named_parameters()}


@pytest.mark.parametrize(
    ("activation", "curve"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("relu2", lambda x: x.clamp(min=0) ** 2),
        ("gelu", gaussian),
    ],
)
def test_a_plain_layer_curves_between_two_matrices(activation: Activation, curve) -> None:  # type: ignore[no-untyped-def]
    made, weights = built(activation)

    torch.testing.assert_close(made(X), curve(X @ weights["up"].T) @ weights["down"].T)


@pytest.mark.parametrize(
    ("activation", "curve"), [("swiglu", lambda x: x / (1 + (-x).exp())), ("geglu", gaussian)]
)
def test_a_gated_layer_multiplies_two_projections(activation: Activation, curve) -> None:  # type: ignore[no-untyped-def]
    made, weights = built(activation)
    gate, value = weights["gate_up"].chunk(2)

    expected = (curve(X @ gate.T) * (X @ value.T)) @ weights["down"].T  # Shazeer 2020, eq. 6
    torch.testing.assert_close(made(X), expected)
