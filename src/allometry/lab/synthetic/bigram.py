"""The Zipf bigram: a Markov chain with a Zipf-distributed stationary law and an exact entropy rate."""

# I: symbol now · J: symbol next

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from allometry.errors import RecipeError
from allometry.lab.synthetic.zipf import entropies, zipf
from allometry.recipe import ZipfBigram

Table = npt.NDArray[np.float64]
_SCALINGS = 20_000  # the rounds converge geometrically; only two or three symbols take more than some dozens
_BALANCED = 1e-14  # largest error of a column's sum, absolute


def draw(source: ZipfBigram) -> npt.NDArray[np.uint16]:
    """One chain, as if drawn symbol by symbol, from its stationary law on.

    Wherever the chain forgets, with probability 1 - coupling, a stretch begins that is independent of all
    before it. So all stretches grow together, and a chain takes as many rounds as its longest stretch.
    """
    generator = np.random.default_rng([source.seed, 1])
    first = generator.random(source.tokens) >= source.coupling
    first[0] = True
    starts = np.flatnonzero(first)
    left = np.diff(starts, append=source.tokens)  # symbols that each stretch has still to draw
    chain = np.empty(source.tokens, dtype=np.uint16)
    chain[starts] = _drawn(np.cumsum(_stationary(source))[None], np.zeros(len(starts), dtype=int), generator)
    cumulative_IJ = np.cumsum(_coupled(source), axis=1)
    while len(starts := starts[left > 1]):
        left = left[left > 1] - 1
        chain[starts + 1] = _drawn(cumulative_IJ, chain[starts].astype(int), generator)
        starts = starts + 1
    return chain


def _drawn(
    cumulative_IJ: Table, rows: npt.NDArray[np.int64], generator: np.random.Generator
) -> npt.NDArray[np.uint16]:
    """One symbol from each of the rows named, by inversion of its cumulative probabilities."""
    symbols = cumulative_IJ.shape[1]
    # The rows one after the other are one rising list, which is searched for all draws at once.
    rising = (cumulative_IJ / cumulative_IJ[:, -1:] + np.arange(len(cumulative_IJ))[:, None]).ravel()
    places = np.searchsorted(rising, rows + generator.random(len(rows)), side="right")
    drawn: npt.NDArray[np.uint16] = np.minimum(places - rows * symbols, symbols - 1).astype(np.uint16)
    return drawn


def transitions(source: ZipfBigram) -> Table:
    """Probability of the next symbol given the last, shape (vocab, vocab); rows add up to 1.

    >>> bool(np.allclose(zipf(5, 1.0) @ transitions(ZipfBigram(vocab=5, tokens=1)), zipf(5, 1.0)))
    True
    """
    return (1 - source.coupling) * _stationary(source)[None] + source.coupling * _coupled(source)


def entropy_rate(source: ZipfBigram) -> float:
    """Entropy of the next symbol given the last, in nats: exact, from the table itself.

    Source:
        Cover and Thomas 2006, theorem 4.2.4: H = -sum_i pi_i sum_j P_ij ln P_ij.
    """
    return float(_stationary(source) @ entropies(transitions(source)))


def _stationary(source: ZipfBigram) -> Table:
    return zipf(source.vocab, source.exponent)


def _coupled(source: ZipfBigram) -> Table:
    return _balanced(source.vocab, source.exponent, source.sharpness, source.seed)


@lru_cache(maxsize=2)
def _balanced(vocab: int, exponent: float, sharpness: float, seed: int) -> Table:
    """A random table of transitions that leaves Zipf's law unchanged (Sinkhorn and Knopp 1967)."""
    law = zipf(vocab, exponent)
    joint_IJ = np.exp(sharpness * np.random.default_rng([seed, 0]).standard_normal((vocab, vocab)))
    joint_IJ *= law[:, None] * law[None]
    for _ in range(_SCALINGS):
        joint_IJ *= (law / joint_IJ.sum(axis=0))[None]
        rows = joint_IJ.sum(axis=1)
        joint_IJ *= (law / rows)[:, None]
        if np.abs(rows - law).max() < _BALANCED:
            break
    else:  # the law would not be Zipf's, nor the entropy rate the text's
        raise RecipeError(
            f"No table of {vocab} symbols with sharpness {sharpness:g} and seed {seed} was found that keeps "
            f"Zipf's law; take another seed, more symbols or a lower sharpness."
        )
    table: Table = joint_IJ / joint_IJ.sum(axis=1, keepdims=True)
    table.setflags(write=False)  # it is shared by all that ask for it
    return table
