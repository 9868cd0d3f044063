"""How tokens know where they stand."""

import pytest
import torch
from torch import Tensor

from allometry.architectures import Transformer
from allometry.architectures.decoder import Positions
from allometry.architectures.modules.positions import Mask, Rotary, alibi_slopes


def logits(positions: Positions, tokens: list[int], layers: int = 1) -> Tensor:
    shape = Transformer(vocab=64, context=8, width=16, layers=layers, heads=2, positions=positions)
    model = shape.build()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    last: Tensor = model(torch.tensor([tokens]))[0, -1]
    return last


@pytest.mark.parametrize("positions", ["rotary", "learned", "alibi"])
def test_positions_tell_the_order_of_earlier_tokens(positions: Positions) -> None:
    assert not torch.allclose(logits(positions, [5, 9, 3]), logits(positions, [9, 5, 3]), atol=1e-3)


def test_without_positions_one_layer_sees_a_bag_of_tokens_and_two_see_more() -> None:
    torch.testing.assert_close(logits("none", [5, 9, 3]), logits("none", [9, 5, 3]))
    # The causal mask alone tells the order to a second layer (Haviv et al. 2022, arXiv:2203.16634).
    assert not torch.allclose(logits("none", [5, 9, 3], 2), logits("none", [9, 5, 3], 2), atol=1e-3)


def test_what_rotary_positions_leave_still_is_as_it_was() -> None:
    rotary = Rotary(width=4, context=8, base=1000)
    x = torch.randn(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))

    found = rotary(x)

    assert torch.equal(found[..., 4:], x[..., 4:])
    torch.testing.assert_close(found[..., :4], Rotary(width=4, context=8, base=1000)(x[..., :4]))
    assert not torch.allclose(found[..., 1:, :4], x[..., 1:, :4])


def test_the_slopes_of_sixteen_heads_are_those_of_the_paper() -> None:
    slopes = [2 ** -(0.5 * head) for head in range(1, 17)]  # Press et al. 2021, section 3

    torch.testing.assert_close(alibi_slopes(16), torch.tensor(slopes))


def test_between_powers_of_two_the_rest_is_every_other_slope_of_the_next() -> None:
    torch.testing.assert_close(alibi_slopes(12), torch.cat((alibi_slopes(8), alibi_slopes(16)[:8:2])))


def test_scores_fall_by_the_slope_with_every_token_of_distance() -> None:
    mask = Mask(context=4, window=4, slopes_H=torch.tensor([0.5]))(3)

    never = -torch.inf
    expected = torch.tensor([[[0, never, never], [-0.5, 0, never], [-1.0, -0.5, 0]]])
    assert torch.equal(mask, expected)
