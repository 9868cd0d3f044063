"""Recurrent language models: their published sizes, and how their gates start."""

import pytest
import torch

from allometry.architectures import Recurrent
from allometry.errors import InputError

SHAPE = Recurrent(vocab=64, context=12, width=8, layers=2)


@pytest.mark.parametrize(("width", "published"), [(650, 20e6), (1500, 66e6)])
def test_an_lstm_on_penn_treebank_has_its_published_size(width: int, published: float) -> None:
    shape = Recurrent(vocab=10_000, context=35, width=width, layers=2)

    assert shape.params("total") == pytest.approx(
        published, rel=0.015
    )  # Zaremba et al. 2014, arXiv:1409.2329


@pytest.mark.parametrize("layer", [0, 1])
def test_an_lstm_starts_by_keeping_most_of_its_memory(layer: int) -> None:
    cells = SHAPE.build().get_submodule("cells")
    for name, weight in cells.named_parameters():
        if "weight" in name or "bias_hh" in name:
            torch.nn.init.zeros_(weight)
    memory = torch.zeros(2, 1, 8)
    memory[layer] = 1.0

    _, (_, kept) = cells(torch.zeros(1, 1, 8), (torch.zeros(2, 1, 8), memory))

    # With all else at zero a gate is open by the sigmoid of its bias: 1 here, for the forget gate only, so
    # that the input gate lets in half of a candidate of 0.
    torch.testing.assert_close(kept[layer, 0], torch.full((8,), torch.sigmoid(torch.tensor(1.0)).item()))


def test_a_gru_starts_without_biases() -> None:
    from allometry.lab.parametrization import initialize

    model = Recurrent(vocab=64, context=12, width=8, layers=2, cell="gru").build()
    initialize(model, torch.Generator().manual_seed(0))

    biases = [weight for name, weight in model.named_parameters() if "bias" in name]
    assert len(biases) == 4
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize(("cell", "vectors"), [("lstm", 2), ("gru", 1)])
def test_the_state_is_a_few_vectors_a_layer_whatever_the_context(cell: str, vectors: int) -> None:
    shape = Recurrent(vocab=64, context=12, width=8, layers=2, cell=cell)  # type: ignore[arg-type]

    assert shape.state_bytes(bytes_per_value=4) == vectors * 2 * 8 * 4
    assert shape.cache_bytes() == 0


def test_an_unknown_cell_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"cell = 'lstn' is not known\. Did you mean 'lstm'\?"):
        Recurrent(vocab=64, context=12, width=8, layers=2, cell="lstn")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["vocab", "context", "width", "layers"])
def test_a_dimension_is_a_whole_number_of_at_least_one(name: str) -> None:
    dimensions = {"vocab": 64, "context": 12, "width": 16, "layers": 2, name: 0}

    with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, not 0"):
        Recurrent(**dimensions)  # type: ignore[arg-type]
