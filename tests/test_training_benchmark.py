"""What the throughput benchmark compares: the same amount of work, each in its own time."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks are run from the repository, not installed

from benchmarks.parts.plain_gpt import PlainGpt, PlainTraining
from benchmarks.parts.training import SIZES, Turns


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_row_has_about_the_size_that_it_is_named_for(size) -> None:  # type: ignore[no-untyped-def]
    named = {"25k": 25e3, "100k": 1e5, "0.4M": 4e5, "1M": 1e6, "3M": 3e6, "10M": 1e7}[size.name]

    assert size.shape.params("non_embedding") == pytest.approx(named, rel=0.15)


def test_the_plain_loop_has_our_blocks_matrices_and_gains() -> None:
    shape = SIZES[0].shape
    plain = PlainGpt(shape)

    embeddings = plain.wte.weight.numel() + plain.wpe.weight.numel()  # the head is the embedding

    assert sum(weight.numel() for weight in plain.parameters()) - embeddings == shape.params("non_embedding")


def test_the_plain_loop_starts_at_the_uniform_guess_and_learns() -> None:
    torch.manual_seed(0)
    shape = SIZES[0].shape
    training = PlainTraining(shape, torch.device("cpu"))
    batch = torch.randint(shape.vocab, (1, 33), generator=torch.Generator().manual_seed(0))

    losses = [training.step(batch) for _ in range(5)]

    assert losses[0] == pytest.approx(math.log(shape.vocab), abs=0.1)
    assert losses[-1] < losses[0] - 0.1


def test_waiting_for_its_turn_is_no_cost_of_a_line() -> None:
    class Busy:
        """The other end of the pipe, which takes its time."""

        def __init__(self) -> None:
            self.said: list[object] = []

        def send(self, said: object) -> None:
            self.said.append(said)

        def recv(self) -> str:
            _work(0.02)
            return "go" if len(self.said) < 3 else "stop"

    pipe = Busy()
    turns = Turns(pipe)

    stops = []
    for _ in range(3):
        stops.append(turns.next())
        _work(0.005)

    assert stops == [False, False, True]
    assert all(isinstance(said, float) and 0.005 <= said < 0.015 for said in pipe.said[1:])


def _work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
