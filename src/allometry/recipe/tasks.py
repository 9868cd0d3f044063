"""Tasks whose problems are generated with a seed: what a small model can be asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.recipe.choices import choice


@choice
class Copy:
    """Say a random sequence again.

    Attributes:
        length: Symbols in the sequence.
        symbols: How many different ones there are.
    """

    length: int = Field(default=8, ge=1, le=512)
    symbols: int = Field(default=10, ge=2, le=60_000)
    kind: Literal["copy"] = "copy"


@choice
class Reverse:
    """Say a random sequence backwards.

    Attributes:
        length: Symbols in the sequence.
        symbols: How many different ones there are.
    """

    length: int = Field(default=8, ge=1, le=512)
    symbols: int = Field(default=10, ge=2, le=60_000)
    kind: Literal["reverse"] = "reverse"


@choice
class Sort:
    """Put a random sequence in ascending order; a symbol may stand in it several times.

    Attributes:
        length: Symbols in the sequence.
        symbols: How many different ones there are.
    """

    length: int = Field(default=8, ge=1, le=512)
    symbols: int = Field(default=10, ge=2, le=60_000)
    kind: Literal["sort"] = "sort"


@choice
class ModularAddition:
    """a + b mod p, each number one symbol (Power et al. 2022, arXiv:2201.02177).

    Attributes:
        modulus: p.
    """

    modulus: int = Field(default=97, ge=2, le=60_000)
    kind: Literal["modular_addition"] = "modular_addition"


@choice
class Addition:
    """a + b in decimal digits, with leading zeros.

    Attributes:
        digits: Of each summand; the sum has one more.
        order: "reversed" gives all numbers from the least significant digit on, the order in which carries
            are made (Lee et al. 2023, arXiv:2307.03381).
    """

    digits: int = Field(default=3, ge=1, le=18)
    order: Literal["plain", "reversed"] = "plain"
    kind: Literal["addition"] = "addition"


@choice
class AssociativeRecall:
    """Pairs of a key and a value, then one of the keys: its value is the answer.

    Attributes:
        pairs: Pairs in the prompt, with different keys.
        symbols: How many different keys there are; and as many values.

    Source:
        Ba et al. 2016, arXiv:1610.06258, section 4.1.
    """

    pairs: int = Field(default=8, ge=1, le=512)
    symbols: int = Field(default=32, ge=2, le=30_000)
    kind: Literal["associative_recall"] = "associative_recall"

    def __post_init__(self) -> None:
        if self.pairs > self.symbols:
            raise ValueError(
                f"{self.pairs} pairs need as many different keys and there are {self.symbols} symbols; "
                f"set symbols to at least {self.pairs}"
            )


Task = Annotated[
    Copy | Reverse | Sort | ModularAddition | Addition | AssociativeRecall, Field(discriminator="kind")
]
