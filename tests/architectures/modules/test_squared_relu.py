"""The feed-forward layer in pieces, against the products written out."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from allometry.architectures.modules import squared_relu
from allometry.architectures.modules.feedforward import build_feedforward
from allometry.architectures.modules.squared_relu import feed_in_pieces, pays_in_pieces

EXACT = 1e-12


def drawn(*shape: int) -> Tensor:
    return torch.randn(
        shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64
    ).requires_grad_()


@pytest.mark.parametrize("hidden_at_once", [1, 7 * 8, 10 * 8, 40 * 8, 1 << 17])
@pytest.mark.parametrize("models", [1, 3])
def test_pieces_give_the_values_and_slopes_of_the_whole(
    models: int, hidden_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one row, of some rows of a model, of one model, of several."""
    monkeypatch.setattr(squared_relu, "_PIECE", hidden_at_once)
    monkeypatch.setattr(squared_relu, "_LEAST_ROWS", 1)
    x_BTD, up_RFD, down_RDF = drawn(2 * models, 10, 4), drawn(models, 8, 4), drawn(models, 4, 8)
    of_model = zip(x_BTD.unflatten(0, (models, 2)), up_RFD, down_RDF, strict=True)  # type: ignore[no-untyped-call]
    whole = torch.cat([((x @ up.T).clamp(min=0) ** 2) @ down.T for x, up, down in of_model])
    weights = drawn(*whole.shape).detach()

    fed = feed_in_pieces(x_BTD, up_RFD, down_RDF)

    assert_close(fed, whole, rtol=EXACT, atol=EXACT)
    found, expected = (
        torch.autograd.grad((y * weights).sum(), (x_BTD, up_RFD, down_RDF)) for y in (fed, whole)
    )
    assert_close(found, expected, rtol=EXACT, atol=EXACT)


def test_the_layer_is_taken_whole_where_somebody_looks_at_its_hidden_units() -> None:
    seen: list[Tensor] = []
    layer, x_BTD = build_feedforward(4, 16, activation="relu2"), torch.randn(1, 3, 4)
    alone = layer(x_BTD)
    assert isinstance(layer.up, nn.Linear)

    layer.up.register_forward_hook(lambda *args: seen.append(args[2]))

    assert_close(layer(x_BTD), alone)
    assert [one.shape for one in seen] == [(1, 3, 16)]


def test_pieces_are_for_narrow_layers_of_a_cpu_without_biases_and_in_no_chosen_precision() -> None:
    plain, biased = (nn.Linear(4, 4, bias=bias) for bias in (False, True))
    x_BTD = torch.zeros(1, 2, 4)

    assert pays_in_pieces(x_BTD, plain, plain)
    assert not pays_in_pieces(x_BTD, plain, biased)
    assert not pays_in_pieces(x_BTD[:, :0], plain, plain)
    assert not pays_in_pieces(x_BTD, nn.Linear(4, 1280, bias=False), nn.Linear(1280, 4, bias=False))
    assert not pays_in_pieces(x_BTD.to("meta"), plain, plain)
    with torch.autocast("cpu", torch.bfloat16):
        assert not pays_in_pieces(x_BTD, plain, plain)
