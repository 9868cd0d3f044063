"""Copies and near-copies: which documents to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from allometry.extras import needed
from allometry.recipe import NearDedup

_LARGEST_MISS = 1e-3  # probability that a pair at the threshold is never compared
_REMEMBERED = 4096  # sets of shingles of documents that were compared before


def first_copies(texts: Sequence[str]) -> list[bool]:
    """Whether each text is the first of its kind.

    >>> first_copies(["a", "b", "a"])
    [True, True, False]
    """
    seen: set[bytes] = set()
    first = []
    for text in texts:
        digest = hashlib.sha256(text.encode()).digest()
        first.append(digest not in seen)
        seen.add(digest)
    return first


def without_near_copies(texts: Sequence[str], step: NearDedup) -> list[bool]:
    """Whether each text is kept: no two that are kept are as similar as the threshold.

    MinHash (Broder 1997) with banding finds candidates among those kept before; the Jaccard similarity of a
    candidate is then computed exactly.

    Raises:
        MissingExtra: If `rensa` is not installed.
    """
    rensa = needed("rensa", "Dropping near-duplicates", "lab")
    bands = band_count(step.threshold, step.permutations)
    index = rensa.RMinHashLSH(threshold=step.threshold, num_perm=step.permutations, num_bands=bands)

    @lru_cache(maxsize=_REMEMBERED)
    def shingles_of(number: int) -> frozenset[str]:
        return shingles(texts[number], step.shingle)

    kept: list[bool] = []
    for number in range(len(texts)):
        own = shingles_of(number)
        signature = _signature(rensa, own, step)
        candidates = index.query(signature)
        kept.append(all(jaccard(own, shingles_of(other)) < step.threshold for other in candidates))
        if kept[-1]:
            index.insert(number, signature)
    return kept


def band_count(threshold: float, permutations: int) -> int:
    """The fewest bands with which a pair at the threshold is compared all but surely.

    A pair of similarity s shares a band of r hashes with probability s**r, so that all b bands miss it with
    probability (1 - s**r)**b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2).

    >>> band_count(0.8, 128), band_count(0.5, 128)
    (32, 64)
    """
    bands = 1
    while (1 - threshold ** (permutations // bands)) ** bands > _LARGEST_MISS and bands < permutations:
        bands *= 2
    return bands


def shingles(text: str, words: int) -> frozenset[str]:
    """The distinct sequences of so many words; a shorter text is one sequence.

    >>> sorted(shingles("a rose is a rose is a rose", 3))
    ['a rose is', 'is a rose', 'rose is a']
    """
    parts = text.split()
    return frozenset(" ".join(parts[at : at + words]) for at in range(max(1, len(parts) - words + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over that of the union; neither set is empty.

    >>> jaccard(frozenset("abc"), frozenset("bcd"))
    0.5
    """
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _signature(rensa: Any, items: frozenset[str], step: NearDedup) -> Any:
    signature = rensa.RMinHash(num_perm=step.permutations, seed=step.seed)
    signature.update(list(items))
    return signature
