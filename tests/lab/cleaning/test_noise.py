"""Noise is of the stated kind and amount, and depends on seed and name alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.lab.cleaning.noise import noisy, replaced_characters, shuffled_words
from allometry.lab.documents import Document
from allometry.recipe import CharacterNoise, RandomDocuments, WordShuffle

LONG = "é漢 word\n" * 2000
KINDS = [CharacterNoise, WordShuffle, RandomDocuments]


def document(name: str = "a.txt", text: str = LONG) -> Document:
    return Document(name=name, text=text)


@pytest.mark.parametrize("fraction", [0.05, 0.5, 1.0])
def test_characters_are_replaced_in_the_stated_share(fraction: float) -> None:
    after = noisy(document(), CharacterNoise(fraction=fraction))

    changed = np.mean([one != other for one, other in zip(LONG, after, strict=True)])
    printable = 95  # of these, one is by chance the character that was there
    expected = fraction * (1 - 5 / 8 / printable)  # 5 of 8 characters here are printable ASCII
    assert abs(changed - expected) < 4 * np.sqrt(0.25 / len(LONG))


def test_replacements_are_printable() -> None:
    after = noisy(document(), CharacterNoise(fraction=1.0))

    assert set(after) == {chr(code) for code in range(32, 127)}


@given(text=st.text(max_size=60), fraction=st.floats(0, 1), seed=st.integers(0, 99))
def test_shuffling_keeps_every_word_and_all_white_space(text: str, fraction: float, seed: int) -> None:
    after = shuffled_words(text, fraction, np.random.default_rng(seed))

    assert Counter(after.split()) == Counter(text.split())
    assert [char for char in after if char.isspace()] == [char for char in text if char.isspace()]


def test_words_change_places_in_the_stated_share() -> None:
    words = [f"w{number}" for number in range(10_000)]
    after = noisy(document(text=" ".join(words)), WordShuffle(fraction=0.3)).split()

    moved = np.mean([one != other for one, other in zip(words, after, strict=True)])
    assert abs(moved - 0.3) < 0.02


def test_documents_are_replaced_in_the_stated_share_and_keep_their_length() -> None:
    documents = [document(f"{number}.txt", "plain text") for number in range(4000)]

    after = [noisy(one, RandomDocuments(fraction=0.25)) for one in documents]

    assert abs(np.mean([text != "plain text" for text in after]) - 0.25) < 0.03
    assert {len(text) for text in after} == {len("plain text")}


@pytest.mark.parametrize("kind", KINDS)
def test_noise_depends_on_seed_and_name(kind: type[CharacterNoise]) -> None:
    names = [f"{number}.txt" for number in range(20)]
    text = " ".join(f"word{number}" for number in range(50))

    def all_of(seed: int, fraction: float = 0.5) -> list[str]:
        return [noisy(document(name, text), kind(fraction=fraction, seed=seed)) for name in names]

    assert all_of(0) == all_of(0) != all_of(1)
    assert len(set(all_of(0))) > 5


@pytest.mark.parametrize("kind", [CharacterNoise, RandomDocuments])
def test_more_noise_contains_the_noise_of_less(kind: type[CharacterNoise]) -> None:
    for number in range(50):
        one = document(f"{number}.txt", "0123456789" * 5)
        less, more = (noisy(one, kind(fraction=fraction)) for fraction in (0.2, 0.6))

        places = [
            at for at, (before, after) in enumerate(zip(one.text, less, strict=True)) if before != after
        ]
        assert all(more[at] == less[at] for at in places)


def test_no_noise_changes_nothing() -> None:
    assert replaced_characters(LONG, 0.0, np.random.default_rng(0)) == LONG
    assert shuffled_words(LONG, 0.0, np.random.default_rng(0)) == LONG
