"""Sparse parities: tasks of Zipf-distributed frequency, each learnt at once or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from allometry.lab.synthetic.zipf import entropies, zipf
from allometry.recipe import SparseParity

_BITS = 2  # symbols 0 and 1; tasks come after them


def draw(source: SparseParity) -> npt.NDArray[np.uint16]:
    """Samples one after the other: a task, its bits, and the parity of the task's subset of them."""
    generator = np.random.default_rng([source.seed, 1])
    samples = source.tokens // source.block
    tasks = generator.choice(source.tasks, size=samples, p=zipf(source.tasks, source.exponent))
    bits = generator.integers(0, 2, size=(samples, source.bits), dtype=np.uint16)
    asked_for = np.take_along_axis(bits, subsets(source)[tasks], axis=1)
    columns = (tasks[:, None] + _BITS, bits, asked_for.sum(axis=1, keepdims=True) % 2)
    return np.concatenate(columns, axis=1).astype(np.uint16).ravel()


def subsets(source: SparseParity) -> npt.NDArray[np.int64]:
    """The bits that each task asks for, shape (tasks, subset)."""
    order = np.random.default_rng([source.seed, 0]).random((source.tasks, source.bits)).argsort(axis=1)
    return order[:, : source.subset]


def block_entropy(source: SparseParity) -> float:
    """Entropy of a sample in nats: of the task and the bits; the parity follows from them."""
    return float(entropies(zipf(source.tasks, source.exponent)) + source.bits * np.log(2))
