"""Noise in documents; of each document it depends on the seed and the document's name alone."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import numpy.typing as npt

from allometry.lab.documents import Document, position
from allometry.recipe import CharacterNoise, RandomDocuments, WordShuffle

_PRINTABLE = (32, 127)  # ASCII from the space to the tilde


def noisy(document: Document, step: CharacterNoise | WordShuffle | RandomDocuments) -> str:
    """The text of a document after a step of noise."""
    draw = _generator(document.name, step.kind, step.seed)
    match step:
        case CharacterNoise():
            return replaced_characters(document.text, step.fraction, draw)
        case WordShuffle():
            return shuffled_words(document.text, step.fraction, draw)
        case RandomDocuments():
            is_chosen = position(document.name, f"{step.kind} {step.seed} ") < step.fraction
            return replaced_characters(document.text, 1.0, draw) if is_chosen else document.text


def _generator(name: str, kind: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{kind} {seed} {name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def replaced_characters(text: str, fraction: float, draw: np.random.Generator) -> str:
    """Each character replaced with a probability; a larger fraction replaces the same ones, and more.

    >>> replaced_characters("unchanged", 0.0, np.random.default_rng(0))
    'unchanged'
    """
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    instead = draw.integers(*_PRINTABLE, size=len(codes), dtype=np.uint32)
    return _text(np.where(draw.random(len(codes)) < fraction, instead, codes))


def _text(codes: npt.NDArray[np.uint32]) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def shuffled_words(text: str, fraction: float, draw: np.random.Generator) -> str:
    """Words that take part change places with each other at random; white space stays.

    >>> shuffled_words("one  two\\nthree", 1.0, np.random.default_rng(1))
    'two  one\\nthree'
    """
    pieces = re.split(r"(\S+)", text)  # white space at even places, words at odd ones
    words = np.arange(1, len(pieces), 2)
    part = words[draw.random(len(words)) < fraction]
    moved = [pieces[place] for place in draw.permutation(part)]
    for place, word in zip(part, moved, strict=True):
        pieces[place] = word
    return "".join(pieces)
