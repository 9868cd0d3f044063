"""Batches as a pure function of seed and step: nothing to save, and no order of workers to depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from allometry.errors import InputError
from allometry.lab.encoders import Ids
from allometry.lab.mixing import Rota


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Where the tokens of one domain lie in an array of all of them.

    Attributes:
        name: Of the domain; empty without a mixture.
        start, stop: First token, and the one after the last.
        share: Of the domain among all windows.
    """

    name: str
    start: int
    stop: int
    share: float = 1.0


class Batches:
    """Training batches: windows of the text, shuffled anew each epoch.

    Of a mixture, each domain has epochs of its own: all its windows are drawn before one is drawn again.

    Args:
        ids: Token ids of the training text, shape (tokens,).
        context: Tokens per window.
        batch_tokens: Tokens per batch; a multiple of the context.
        seed: Of the order.
        parts: The domains of a mixture; all of the ids are one if there are none.

    Raises:
        InputError: If the text is shorter than one batch, or a domain than one window.

    >>> batches = Batches(np.arange(100, dtype=np.uint16), context=4, batch_tokens=8, seed=0)
    >>> batches.batch(3).shape, bool((batches.batch(3) == batches.batch(3)).all())
    ((2, 5), True)
    >>> bool((batches.ids[batches.windows(3)] == batches.batch(3)[:, 0]).all())
    True
    """

    def __init__(
        self, ids: Ids, *, context: int, batch_tokens: int, seed: int, parts: Sequence[Part] = ()
    ) -> None:
        self.ids = ids
        self._parts = tuple(parts) or (Part(name="", start=0, stop=len(ids)),)
        self._context = context
        self._sequences = batch_tokens // context
        self._seed = seed
        self._counts = [(part.stop - part.start - 1) // context for part in self._parts]
        self._require_enough()
        self._views = sliding_window_view(ids, context + 1)
        self._order = lru_cache(maxsize=2 * len(self._parts))(self._shuffled)
        shares = [part.share for part in self._parts]
        self._rota = Rota(shares, batch=self._sequences, seed=seed) if len(self._parts) > 1 else None

    def _require_enough(self) -> None:
        for part, count in zip(self._parts, self._counts, strict=True):
            if part.name and count < 1:
                raise InputError(
                    f"The training text of domain '{part.name}' has {part.stop - part.start} tokens, less "
                    f"than one window of {self._context + 1}; give it more text."
                )
        if sum(self._counts) < self._sequences:
            raise InputError(
                f"The training text has {len(self.ids)} tokens, less than one batch of "
                f"{self._sequences * self._context}; give more text or a smaller batch."
            )

    @property
    def unique_tokens(self) -> int:
        """Distinct training tokens: one epoch."""
        return sum(self._counts) * self._context

    def windows(self, step: int) -> npt.NDArray[np.int64]:
        """First token of every window of a step, shape (sequences,): window w is ids[w : w + context + 1].

        For a copy of `ids` that lies on a device.
        """
        if self._rota is None:
            first = step * self._sequences
            return self._starts(0, np.arange(first, first + self._sequences))
        domains, numbers = self._rota.batch(step)
        starts = np.empty(self._sequences, dtype=np.int64)
        for domain in np.unique(domains):
            starts[domains == domain] = self._starts(int(domain), numbers[domains == domain])
        return starts

    def batch(self, step: int) -> npt.NDArray[np.int64]:
        """Inputs and targets of one step in one array of shape (sequences, context + 1)."""
        return self._views[self.windows(step)].astype(np.int64)

    def _starts(self, domain: int, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """First tokens of a domain's windows, numbered through all its epochs."""
        epochs, places = np.divmod(numbers, self._counts[domain])
        picked = np.empty_like(places)
        for epoch in np.unique(epochs):
            now = epochs == epoch
            picked[now] = self._order(domain, int(epoch))[places[now]]
        return self._parts[domain].start + picked * self._context

    def _shuffled(self, domain: int, epoch: int) -> npt.NDArray[np.int64]:
        # Domains of a mixture are shuffled independently; without one, as before there were mixtures.
        key = [self._seed, epoch] if self._rota is None else [self._seed, epoch, domain + 1]
        return np.random.default_rng(key).permutation(self._counts[domain])


def held_out_windows(ids: Ids, *, context: int, tokens: int) -> npt.NDArray[np.int64]:
    """The windows that are scored, spread evenly over the held-out text, shape (windows, context + 1).

    Args:
        tokens: At most so many tokens are scored.

    Raises:
        InputError: If the held-out text is shorter than one window.
    """
    return _windows_at(ids, held_out_starts(len(ids), context=context, tokens=tokens), context)


def _windows_at(ids: Ids, starts: npt.NDArray[np.int64], context: int) -> npt.NDArray[np.int64]:
    return sliding_window_view(ids, context + 1)[starts].astype(np.int64)


def held_out_starts(length: int, *, context: int, tokens: int) -> npt.NDArray[np.int64]:
    """First tokens of the windows that are scored, spread evenly over a text of so many tokens.

    Raises:
        InputError: If the text is shorter than one window.
    """
    available = (length - 1) // context
    wanted = min(available, max(1, tokens // context))
    if available <= 0:
        raise InputError(
            f"The held-out text has {length} tokens, less than one window of {context + 1}; give more text, "
            f"a larger held_out or a shorter context."
        )
    return np.arange(wanted) * available // wanted * context


@dataclass(frozen=True, kw_only=True)
class ScoredWindows:
    """The held-out windows of one domain.

    The held-out loss of a mixture is the sum of share * loss over its domains: as the training weighs them,
    however much held-out text each has.

    Attributes:
        domain: Its name; empty without a mixture.
        share: Of the domain in training; they add up to 1.
        windows: Token ids, shape (windows, context + 1): inputs, and one target more.
        text_bytes: Bytes of text that the targets stand for; 0 where tokens stand for no text.
        places: Which targets of a window are scored, shape (context,); None for all.
    """

    domain: str
    share: float
    windows: npt.NDArray[np.int64]
    text_bytes: int
    places: npt.NDArray[np.bool_] | None = None

    @property
    def targets(self) -> int:
        """How many tokens are scored."""
        scored = self.windows.shape[1] - 1 if self.places is None else int(self.places.sum())
        return len(self.windows) * scored


def scored_windows(
    ids: Ids, sizes: npt.NDArray[np.uint32], part: Part, *, context: int, tokens: int
) -> ScoredWindows:
    """The windows of one domain that are scored, and the bytes of text in their targets.

    Args:
        ids, sizes: Tokens of the held-out text of all domains, and the bytes each stands for.
        tokens: At most so many are scored over all domains.

    Raises:
        InputError: If the domain's held-out text is shorter than one window.
    """
    own = slice(part.start, part.stop)
    length, wanted = part.stop - part.start, round(part.share * tokens)
    if length <= context and part.name:
        raise InputError(
            f"The held-out text of domain '{part.name}' has {length} tokens, less than one window of "
            f"{context + 1}; give it more text, or the recipe a larger held_out."
        )
    starts = held_out_starts(length, context=context, tokens=wanted)
    return ScoredWindows(
        domain=part.name,
        share=part.share,
        windows=_windows_at(ids[own], starts, context),
        text_bytes=int(sliding_window_view(sizes[own], context + 1)[starts][:, 1:].sum()),
    )
