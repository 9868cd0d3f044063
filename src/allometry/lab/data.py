"""Batches as a pure function of seed and step: nothing to save, and no order of workers to depend on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError
from allometry.lab.tokens import Ids


class Batches:
    """Training batches: windows of the text, shuffled anew each epoch.

    Args:
        ids: Token ids of the training text, shape (tokens,).
        context: Tokens per window.
        batch_tokens: Tokens per batch; a multiple of the context.
        seed: Of the order.

    Raises:
        InputError: If the text is shorter than one batch.

    >>> batches = Batches(np.arange(100, dtype=np.uint16), context=4, batch_tokens=8, seed=0)
    >>> batches.batch(3).shape, bool((batches.batch(3) == batches.batch(3)).all())
    ((2, 5), True)
    """

    def __init__(self, ids: Ids, *, context: int, batch_tokens: int, seed: int) -> None:
        self._ids = ids
        self._context = context
        self._sequences = batch_tokens // context
        self._seed = seed
        self._windows = (len(ids) - 1) // context
        if self._windows < self._sequences:
            raise InputError(
                f"The training text has {len(ids)} tokens, less than one batch of {batch_tokens}; "
                f"give more text or a smaller batch."
            )

    @property
    def unique_tokens(self) -> int:
        """Distinct training tokens: one epoch."""
        return self._windows * self._context

    def batch(self, step: int) -> npt.NDArray[np.int64]:
        """Inputs and targets of one step in one array of shape (sequences, context + 1)."""
        first = step * self._sequences
        positions = [divmod(first + k, self._windows) for k in range(self._sequences)]
        starts = [_order(self._seed, epoch, self._windows)[k] * self._context for epoch, k in positions]
        return np.stack([self._ids[start : start + self._context + 1] for start in starts]).astype(np.int64)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, windows: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(windows)


def held_out_windows(ids: Ids, *, context: int, tokens: int) -> npt.NDArray[np.int64]:
    """The windows that are scored, spread evenly over the held-out text, shape (windows, context + 1).

    Args:
        tokens: At most so many tokens are scored.

    Raises:
        InputError: If the held-out text is shorter than one window.
    """
    available = (len(ids) - 1) // context
    wanted = min(available, max(1, tokens // context))
    if available == 0:
        raise InputError(f"The held-out text has {len(ids)} tokens, less than one window of {context + 1}.")
    starts = np.arange(wanted) * available // wanted * context
    return np.stack([ids[start : start + context + 1] for start in starts]).astype(np.int64)
