"""Training steps of ours and of a plain loop, turn about, each in a process of its own."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

import numpy as np
import torch
from benchmarks.parts.plain_gpt import PlainTraining

from allometry.architectures import Transformer
from allometry.lab.loop import Sitting, train
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Bpe, Data, Recipe, StandardLibrary, Wsd
from allometry.sweeps.executors.working import SETTINGS

CONTEXT = 256
VOCAB = 1024
LINE = 8  # steps between two questions of the loop whether it should stop: one line of its curve
_GEMM_SIDES = (256, 512, 1024)


@dataclass(frozen=True, kw_only=True)
class Size:
    """One row of the table: a model, its batch, and what it should reach.

    Attributes:
        share: Of the machine's matrix-product peak.
        ratio: Of the plain loop's time to ours.
    """

    name: str
    layers: int
    width: int
    heads: int
    sequences: int
    share: float
    ratio: float

    @property
    def shape(self) -> Transformer:
        """The architecture, by default in everything but its size."""
        return Transformer(
            vocab=VOCAB, context=CONTEXT, width=self.width, layers=self.layers, heads=self.heads
        )

    def recipe(self, *, steps: int, sequences: int | None = None) -> Recipe:
        """A run of so many steps."""
        batch_tokens = (sequences or self.sequences) * CONTEXT
        return Recipe(
            architecture=self.shape,
            optimizer=AdamW(learning_rate=3e-3),
            schedule=Wsd(),
            data=Data(corpus=StandardLibrary(bytes=2_000_000), tokenizer=Bpe(vocab=VOCAB)),
            tokens=steps * batch_tokens,
            batch_tokens=batch_tokens,
        )


SIZES = (
    Size(name="25k", layers=2, width=32, heads=2, sequences=16, share=0.20, ratio=1.30),
    Size(name="100k", layers=2, width=64, heads=4, sequences=16, share=0.30, ratio=1.15),
    Size(name="0.4M", layers=4, width=96, heads=6, sequences=16, share=0.36, ratio=1.05),
    Size(name="1M", layers=5, width=128, heads=8, sequences=16, share=0.45, ratio=1.0),
    Size(name="3M", layers=6, width=192, heads=6, sequences=8, share=0.45, ratio=1.0),
    Size(name="10M", layers=8, width=320, heads=5, sequences=4, share=0.45, ratio=1.0),
)


@dataclass(frozen=True, kw_only=True)
class Race:
    """CPU seconds of a step, ours and the plain loop's, one pair a round, and the peak of each round."""

    size: Size
    ours: list[float]
    plain: list[float]
    peaks: list[float]

    @property
    def ratio(self) -> float:
        """How much longer the plain loop takes: the median over rounds."""
        return median(theirs / own for own, theirs in zip(self.ours, self.plain, strict=True))

    @property
    def flops_per_second(self) -> float:
        """Ours, by the median step; all scores of attention counted, as a FLOP counter does."""
        tokens = self.size.sequences * CONTEXT
        return self.size.shape.flops_per_token("with_attention") * tokens / median(self.ours)

    @property
    def tokens_per_second(self) -> float:
        """Ours, by the median step."""
        return self.size.sequences * CONTEXT / median(self.ours)


class Pipe(Protocol):
    """One end of what two processes talk through."""

    def send(self, said: object, /) -> None:
        """Say something."""

    def recv(self) -> object:
        """Wait for what the other one says."""


def race(size: Size, *, rounds: int) -> Race:
    """One line of the curve of each loop, turn about; the first of both is not counted, as caches are cold.

    Each loop has a process of its own, as its users start it: how one handles memory is no cost of the other.
    """
    with (
        _contestant(_train_ours, size, rounds, SETTINGS) as ours,
        _contestant(_train_plain, size, rounds) as plain,
    ):
        ours(), plain()
        times = [(ours(), plain(), gemm_peak()) for _ in range(rounds)]
    own, others, peaks = (list(one) for one in zip(*times, strict=True))
    return Race(size=size, ours=own, plain=others, peaks=peaks)


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Start processes inside with these settings."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _contestant(
    work: Callable[[Size, int, Pipe], None],
    size: Size,
    rounds: int,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Callable[[], float]]:
    """Start a loop in a new process with these settings of its environment.

    Yields:
        What lets it take the steps of one line, and returns the CPU seconds of a step.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(size, rounds, there))
    with environment(settings or {}):
        process.start()
    there.close()  # so that a loop that died is an end of file here, and no endless wait
    here.recv()

    def turn() -> float:
        here.send("go")
        return float(here.recv()) / LINE

    try:
        yield turn
    finally:
        here.send("stop")
        process.join()


def _train_ours(size: Size, rounds: int, pipe: Pipe) -> None:
    """The lab's loop, `train` as a sweep calls it: batches, clipping, schedule, optimizer, curve."""
    torch.set_num_threads(1)
    recipe = size.recipe(steps=4 * LINE * (rounds + 2))
    asked = Turns(pipe)
    train(recipe, sitting=replace(Sitting(), checkpoint_seconds=math.inf, should_stop=asked.next))


def _train_plain(size: Size, rounds: int, pipe: Pipe) -> None:
    """The plain loop on the same tokens."""
    torch.set_num_threads(1)
    ids = prepare_tokens(size.recipe(steps=4 * LINE * (rounds + 2)).data).train
    plain, draw, asked = PlainTraining(size.shape, torch.device("cpu")), np.random.default_rng(0), Turns(pipe)
    while not asked.next():
        for _ in range(LINE):
            plain.step(random_windows(ids, size.sequences, draw))


@dataclass
class Turns:
    """Where a loop asks between two lines whether to stop: it says what the last took, and waits."""

    pipe: Pipe
    begun: float = field(default_factory=time.process_time)

    def next(self) -> bool:
        """Whether to stop; the time until the answer belongs to no line."""
        self.pipe.send(time.process_time() - self.begun)
        stop = self.pipe.recv() == "stop"
        self.begun = time.process_time()
        return stop


def random_windows(ids: np.ndarray, sequences: int, draw: np.random.Generator) -> torch.Tensor:
    """A batch as most loops draw it: windows from anywhere, with replacement."""
    starts = draw.integers(len(ids) - CONTEXT, size=sequences)
    return torch.stack([torch.from_numpy(ids[i : i + CONTEXT + 1].astype(np.int64)) for i in starts])


def gemm_peak() -> float:
    """FLOP/s of the best of a few square fp32 products, in this process's CPU time."""
    return max(_gemm(side) for side in _GEMM_SIDES)


def _gemm(side: int) -> float:
    left, right, product = (torch.full((side, side), 1e-3) for _ in range(3))
    repeats = max(1, 2**28 // (2 * side**3))
    seconds = cpu_seconds(lambda: [torch.mm(left, right, out=product) for _ in range(repeats)])
    return 2 * side**3 * repeats / seconds


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process that a call takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun
