"""Which domain each window of a mixture comes from: a pure function of its number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError

_LONGEST_BLOCK = 10_000_000  # windows


def apportioned(count: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Whole numbers that add up to `count`, each less than 1 from its share of it.

    Hamilton's method: whole parts first, then one more to the largest remainders.

    >>> apportioned(10, np.array([0.5, 0.25, 0.25]))
    array([5, 3, 2])
    """
    exact = count * shares
    whole = np.floor(exact).astype(np.int64)
    missing = count - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return whole


class Rota:
    """The domain of every window, and the how-manieth of its domain it is.

    Windows are dealt in blocks of whole batches. After any number of blocks each domain has had its share
    to within one window; inside a block the order is drawn at random. A block is one batch where every share
    is at least one window in a batch.

    Args:
        shares: Of the domains, positive, adding up to 1.
        batch: Windows in a batch.
        seed: Of the order inside blocks.

    Attributes:
        block: Windows in a block.

    Raises:
        InputError: If a share is so small that its first window would not come in ten million.
    """

    def __init__(self, shares: Sequence[float], *, batch: int, seed: int) -> None:
        self._shares = np.array(shares)
        self._seed = seed
        self._batch = batch
        self.block = batch * int(np.ceil(1 / (min(shares) * batch)))
        if self.block > _LONGEST_BLOCK:
            raise InputError(
                f"A domain has a share of {min(shares):.1e}, less than one window in {_LONGEST_BLOCK:.0e}; "
                f"leave it out, or give it a larger share."
            )
        self._dealt = lru_cache(maxsize=2)(self._deal)

    def batch(self, step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Domain and number within it of every window of a batch, each of shape (windows,)."""
        block, start = divmod(step * self._batch, self.block)
        domains, numbers = self._dealt(block)
        return domains[start : start + self._batch], numbers[start : start + self._batch]

    def _deal(self, block: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        before, after = (apportioned((block + k) * self.block, self._shares) for k in (0, 1))
        domains = np.random.default_rng([self._seed, block]).permutation(
            np.repeat(np.arange(len(before)), after - before)
        )
        numbers = np.empty_like(domains)
        # In the order of the windows, so that no domain begins a pass before it ends the last.
        numbers[np.argsort(domains, kind="stable")] = np.concatenate(
            [np.arange(*span) for span in zip(before, after, strict=True)]
        )
        return domains, numbers
