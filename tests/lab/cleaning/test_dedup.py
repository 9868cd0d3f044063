"""Copies are dropped, near-copies to the letter of the threshold, and nothing else."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.errors import MissingExtra
from allometry.lab.cleaning.dedup import band_count, first_copies, jaccard, shingles, without_near_copies
from allometry.recipe import NearDedup

WORDS = random.Random(0)


def words(count: int) -> list[str]:
    return [f"w{WORDS.randrange(10**9)}" for _ in range(count)]


def with_similarity(text: list[str], similarity: float) -> list[str]:
    """Another text that shares a beginning, so that the Jaccard similarity of their words is as given."""
    shared = round(2 * len(text) * similarity / (1 + similarity))
    return text[:shared] + words(len(text) - shared)


@given(texts=st.lists(st.sampled_from(["a", "b", "a ", "é", ""]), max_size=8))
def test_the_first_of_each_text_is_kept(texts: list[str]) -> None:
    kept = [text for text, first in zip(texts, first_copies(texts), strict=True) if first]

    assert kept == list(dict.fromkeys(texts))


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95])
def test_pairs_above_the_threshold_go_and_pairs_below_stay(threshold: float) -> None:
    step = NearDedup(threshold=threshold, shingle=1)
    for _ in range(40):
        text = words(200)
        above, below = (
            with_similarity(text, min(1.0, threshold + 0.02)),
            with_similarity(text, threshold - 0.02),
        )

        assert without_near_copies([" ".join(one) for one in (text, above, below)], step) == [
            True,
            False,
            True,
        ]


def test_no_two_texts_that_are_kept_are_near_copies() -> None:
    step = NearDedup(threshold=0.6, shingle=2)
    base = words(60)
    texts = [" ".join(with_similarity(base, WORDS.uniform(0.3, 1))) for _ in range(60)]

    kept = [text for text, keep in zip(texts, without_near_copies(texts, step), strict=True) if keep]

    sets = [shingles(text, 2) for text in kept]
    pairs = [jaccard(one, other) for number, one in enumerate(sets) for other in sets[:number]]
    assert 1 < len(kept) < len(texts)
    assert max(pairs) < 0.6


def test_a_text_like_a_dropped_one_but_not_like_a_kept_one_stays() -> None:
    first = words(100)
    second = first[20:] + words(20)  # similarity 80 / 120
    third = second[20:] + words(20)  # as much to the second, 60 / 140 to the first

    kept = without_near_copies(
        [" ".join(one) for one in (first, second, third)], NearDedup(threshold=0.6, shingle=1)
    )

    assert kept == [True, False, True]


def test_the_order_of_words_counts() -> None:
    text = words(100)

    assert without_near_copies([" ".join(text), " ".join(reversed(text))], NearDedup()) == [True, True]


def test_texts_without_words_are_copies_of_each_other() -> None:
    assert without_near_copies(["", " \n", "a"], NearDedup()) == [True, False, True]


@given(threshold=st.floats(0.3, 1.0), permutations=st.sampled_from([64, 128, 256, 512]))
def test_a_pair_at_the_threshold_is_missed_less_than_once_in_a_thousand(
    threshold: float, permutations: int
) -> None:
    bands = band_count(threshold, permutations)

    assert permutations % bands == 0
    assert (1 - threshold ** (permutations / bands)) ** bands < 1e-3


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)

    with pytest.raises(MissingExtra, match=r"needs rensa\. Run: pip install 'allometry\[lab\]'"):
        without_near_copies(["a"], NearDedup())
