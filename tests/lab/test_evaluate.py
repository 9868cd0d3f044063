"""Held-out loss against a computation by hand."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from allometry.errors import InputError
from allometry.lab.data import ScoredWindows
from allometry.lab.evaluate import evaluate

# p(next | current) over three tokens: a table of which the "model" returns the logarithm.
TABLE = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
CPU = torch.device("cpu")


class Bigram(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return TABLE[ids].log() + 7.0  # a constant on all logits changes no probability


def scored(
    windows: npt.NDArray[np.int64], text_bytes: int, domain: str = "", share: float = 1.0
) -> ScoredWindows:
    return ScoredWindows(domain=domain, share=share, windows=windows, text_bytes=text_bytes)


def test_nats_per_token_and_bits_per_byte_are_those_counted_by_hand() -> None:
    windows = np.array([[0, 1, 2], [2, 2, 0]])
    nats = -(math.log(0.25) + math.log(0.1) + math.log(0.6) + math.log(0.2))

    found = evaluate(Bigram(), [scored(windows, text_bytes=4)], CPU)

    assert found.tokens == 4
    assert found.loss == pytest.approx(nats / 4)
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / 4)
    assert found.domains == {}


def test_more_windows_than_fit_one_pass_are_all_scored() -> None:
    windows = np.tile(np.array([[0, 1, 1, 2]]), (71, 1))
    windows[70] = [2, 2, 2, 2]
    nats = 70 * -(math.log(0.25) + math.log(0.8) + math.log(0.1)) + 3 * -math.log(0.6)

    found = evaluate(Bigram(), [scored(windows, text_bytes=213)], CPU)

    assert found.loss == pytest.approx(nats / (71 * 3), rel=1e-6)


def test_a_uniform_guess_over_bytes_costs_eight_bits_a_byte() -> None:
    windows = np.arange(256).reshape(8, 32)
    uniform = torch.nn.Sequential(torch.nn.Embedding(256, 256), torch.nn.Threshold(9e9, 0.0))

    assert evaluate(uniform, [scored(windows, text_bytes=8 * 31)], CPU).bits_per_byte == pytest.approx(8.0)


def test_domains_count_by_their_share_however_much_text_each_has() -> None:
    rare = scored(np.array([[0, 1]]), 2, "rare", share=0.75)
    common = scored(np.array([[1, 1], [1, 1], [1, 1]]), 3, "common", share=0.25)
    first, second = -math.log(0.25), -math.log(0.8)

    found = evaluate(Bigram(), [rare, common], CPU)

    assert found.domains == pytest.approx({"rare": first, "common": second})
    assert found.loss == pytest.approx(0.75 * first + 0.25 * second)
    # per token: the rare domain's stand for 2 bytes, the common one's for 1
    assert found.bits_per_byte == pytest.approx(found.loss / math.log(2) / (0.75 * 2 + 0.25 * 1))


def test_symbols_that_stand_for_no_text_have_no_bits_per_byte() -> None:
    found = evaluate(Bigram(), [scored(np.array([[0, 1]]), text_bytes=0)], CPU)

    assert found.losses() == {"loss": pytest.approx(-math.log(0.25))}


class Cramped(Bigram):
    """Memory for so many windows a pass."""

    def __init__(self, fitting: int) -> None:
        super().__init__()
        self.fitting = fitting
        self.passes: list[int] = []

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        self.passes.append(len(ids))
        if len(ids) > self.fitting:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(ids)


@pytest.fixture
def windows() -> npt.NDArray[np.int64]:
    return np.tile(np.array([[0, 1, 1, 2]]), (40, 1))


def test_out_of_memory_takes_smaller_passes_to_the_same_loss(windows: npt.NDArray[np.int64]) -> None:
    cramped = Cramped(fitting=10)

    found = evaluate(cramped, [scored(windows, text_bytes=1)], CPU)

    assert found.loss == pytest.approx(evaluate(Bigram(), [scored(windows, text_bytes=1)], CPU).loss)
    assert max(cramped.passes[2:]) == 8


def test_a_window_that_does_not_fit_by_itself_is_one_sentence(windows: npt.NDArray[np.int64]) -> None:
    with pytest.raises(InputError, match=r"single window of 3 tokens does not fit the memory of cpu; take"):
        evaluate(Cramped(fitting=0), [scored(windows, text_bytes=1)], CPU)
