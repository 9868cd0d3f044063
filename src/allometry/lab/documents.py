"""What corpora are made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One text.

    Attributes:
        name: Decides which side of the split it falls on.
        file: The file or dataset that holds it among others; empty if it is a file of its own.
        domain: The part of a mixture that it belongs to; empty without a mixture.
    """

    name: str
    text: str
    file: str = ""
    domain: str = ""

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Length of the text in UTF-8."""
        return len(self.text.encode())

    def with_text(self, text: str) -> Document:
        """The same document with other text."""
        return replace(self, text=text)


def position(name: str, salt: str = "") -> float:
    """A number in [0, 1) that depends on the name only: a new document never moves an old one.

    Args:
        salt: Makes draws for different purposes independent of each other.

    >>> position("a.txt") == position("a.txt") != position("a.txt", "another purpose")
    True
    """
    return int(hashlib.sha256((salt + name).encode()).hexdigest()[:13], 16) / 16**13
