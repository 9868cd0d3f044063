"""The transformer's dimensions, and what its attention can and cannot see."""

from dataclasses import replace

import pytest
import torch

from allometry.architectures import Transformer
from allometry.errors import InputError

SHAPE = Transformer(vocab=64, context=12, width=16, layers=2, heads=2)


@pytest.fixture
def model() -> torch.nn.Module:
    """One layer: in a second one the causal mask alone would tell the order."""
    made = replace(SHAPE, layers=1).build()
    # Every matrix at random, also those that start at zero: else attention would have no say.
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    return made


def test_the_order_of_earlier_tokens_matters(model: torch.nn.Module) -> None:
    tokens = torch.tensor([[5, 9, 3, 7]])
    swapped = torch.tensor([[9, 5, 3, 7]])

    last, last_of_swapped = model(tokens)[0, -1], model(swapped)[0, -1]

    assert not torch.allclose(last, last_of_swapped, atol=1e-3)


def test_a_shift_of_the_whole_text_changes_no_attention(model: torch.nn.Module) -> None:
    rotary = model.get_submodule("blocks.0.attention.rotary")
    q_BHTd, k_BHTd = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0))

    queries, keys = rotary(q_BHTd.expand(1, 1, 12, 8)), rotary(k_BHTd.expand(1, 1, 12, 8))

    scores = queries[0, 0] @ keys[0, 0].T  # Su et al. 2021, eq. 16: a score depends on the distance only
    torch.testing.assert_close(scores[1:, 1:], scores[:-1, :-1])


def test_kaplans_count_of_a_block_is_twelve_squared_widths() -> None:
    matrices = SHAPE.groups()["attention"].total + SHAPE.groups()["mlp"].total

    assert matrices == 12 * SHAPE.layers * SHAPE.width**2  # Kaplan et al. 2020, table 1


def test_the_cache_holds_a_key_and_a_value_per_layer() -> None:
    assert SHAPE.cache_bytes() == 2 * 2 * 16 * 2


@pytest.mark.parametrize("heads", [3, 16, 32])
def test_heads_that_cannot_split_the_width_are_refused_with_those_that_can(heads: int) -> None:
    with pytest.raises(InputError, match=rf"width 16 .* {heads} does not; take one of 1, 2, 4, 8\."):
        Transformer(vocab=64, context=12, width=16, layers=2, heads=heads)


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(InputError, match="the width must be even"):
        Transformer(vocab=64, context=12, width=15, layers=2, heads=1)


@pytest.mark.parametrize("value", [0, -1, 2.0])
@pytest.mark.parametrize("name", ["vocab", "context", "width", "layers", "heads", "mlp_width"])
def test_a_dimension_is_a_whole_number_of_at_least_one(name: str, value: float) -> None:
    dimensions = {"vocab": 64, "context": 12, "width": 16, "layers": 2, "heads": 2, name: value}

    with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, not {value}"):
        Transformer(**dimensions)  # type: ignore[arg-type]
