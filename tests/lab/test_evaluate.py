"""Held-out loss against a computation by hand."""

import math

import numpy as np
import pytest
import torch

from allometry.lab.evaluate import evaluate

# p(next | current) over three tokens: a table of which the "model" returns the logarithm.
TABLE = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


class Bigram(torch.nn.Module):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return TABLE[ids].log() + 7.0  # a constant on all logits changes no probability


def test_nats_per_token_and_bits_per_byte_are_those_counted_by_hand() -> None:
    windows = np.array([[0, 1, 2], [2, 2, 0]])
    token_bytes = np.array([3, 1, 0])  # the last stands for the end of a document
    nats = -(math.log(0.25) + math.log(0.1) + math.log(0.6) + math.log(0.2))

    scored = evaluate(Bigram(), windows, token_bytes, torch.device("cpu"))

    assert scored.tokens == 4
    assert scored.loss == pytest.approx(nats / 4)
    assert scored.bits_per_byte == pytest.approx(nats / math.log(2) / (1 + 0 + 0 + 3))


def test_more_windows_than_fit_one_pass_are_all_scored() -> None:
    windows = np.tile(np.array([[0, 1, 1, 2]]), (71, 1))
    windows[70] = [2, 2, 2, 2]
    nats = 70 * -(math.log(0.25) + math.log(0.8) + math.log(0.1)) + 3 * -math.log(0.6)

    scored = evaluate(Bigram(), windows, np.ones(3, dtype=np.int64), torch.device("cpu"))

    assert scored.loss == pytest.approx(nats / (71 * 3), rel=1e-6)


def test_a_uniform_guess_over_bytes_costs_eight_bits_a_byte() -> None:
    windows = np.arange(256).reshape(8, 32)

    uniform = evaluate(
        torch.nn.Sequential(torch.nn.Embedding(256, 256), torch.nn.Threshold(9e9, 0.0)),
        windows,
        np.ones(256, dtype=np.int64),
        torch.device("cpu"),
    )

    assert uniform.bits_per_byte == pytest.approx(8.0)
