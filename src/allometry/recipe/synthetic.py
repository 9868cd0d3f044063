"""Sources that draw token symbols from a process whose entropy is known exactly."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe.choices import choice

_LARGEST_TABLE = 2**24  # numbers in a table of rules: 128 MiB
_MOST_PRODUCTIONS = 2**63  # they are numbered by 64-bit integers


@choice
class ZipfBigram:
    """A Markov chain whose symbols are Zipf-distributed: P = (1 - coupling) 1 pi^T + coupling K.

    The next symbol is drawn anew from pi, or, with probability `coupling`, from a row of K. K is a random
    table, log-normal around pi, scaled until it too leaves pi unchanged (Sinkhorn and Knopp 1967).

    Attributes:
        vocab: Symbols.
        tokens: Length of the chain, held-out end included.
        exponent: Of Zipf's law: pi falls as rank to this power.
        coupling: Probability that the next symbol depends on the last one.
        sharpness: Standard deviation of the logarithms of K before scaling.
        seed: Of the table and of the chain.
    """

    vocab: int = Field(ge=2, le=4096)
    tokens: int = Field(gt=0)
    exponent: float = Field(default=1.0, ge=0, le=10)
    coupling: float = Field(default=0.6, ge=0, le=0.99)
    sharpness: float = Field(default=2.0, ge=0, le=5)
    seed: int = Field(default=0, ge=0)
    kind: Literal["zipf_bigram"] = "zipf_bigram"


@choice
class SparseParity:
    """Many tasks of Zipf-distributed frequency: a task's token, random bits, and the parity of a few of them.

    Symbols 0 and 1 are bits, the others name tasks. Each task has its own subset of the bits; learning it is
    one quantum (Michaud et al. 2023, section 4, arXiv:2303.13506).

    Attributes:
        tasks: Subsets to learn.
        tokens: Length of the sequence, rounded down to whole samples of bits + 2 tokens.
        bits: Random bits in a sample.
        subset: Bits whose parity is asked for.
        exponent: A task's frequency falls as its rank to this power.
        seed: Of subsets and samples.
    """

    tasks: int = Field(ge=1, le=65_534)
    tokens: int = Field(gt=0)
    bits: int = Field(default=14, ge=1, le=1024)
    subset: int = Field(default=3, ge=1)
    exponent: float = Field(default=1.4, ge=0, le=10)
    seed: int = Field(default=0, ge=0)
    kind: Literal["sparse_parity"] = "sparse_parity"

    def __post_init__(self) -> None:
        if self.subset > self.bits:
            raise RecipeError(
                f"A subset of {self.subset} bits cannot be drawn from {self.bits}; ask for fewer."
            )

    @property
    def vocab(self) -> int:
        """Two bits and the tasks."""
        return 2 + self.tasks

    @property
    def block(self) -> int:
        """Tokens in one sample."""
        return self.bits + 2


@choice
class RandomHierarchy:
    """The random hierarchy model: a grammar of fixed depth whose rules are all equally likely.

    Each of `symbols` symbols of a level has `rules` productions of `branching` symbols of the level below,
    no two productions of a level alike, so that a string has one derivation only. A string is
    branching**levels tokens (Cagnetta et al. 2024, arXiv:2307.02129).

    Attributes:
        symbols: On each level, the tokens and the classes included.
        tokens: Length of the sequence, rounded down to whole strings.
        rules: Productions of a symbol.
        branching: Symbols that a production makes.
        levels: Productions between a class and its tokens.
        seed: Of rules and strings.
    """

    symbols: int = Field(ge=2, le=4096)
    tokens: int = Field(gt=0)
    rules: int = Field(default=4, ge=1)
    branching: int = Field(default=2, ge=2, le=16)
    levels: int = Field(default=3, ge=1, le=12)
    seed: int = Field(default=0, ge=0)
    kind: Literal["random_hierarchy"] = "random_hierarchy"

    def __post_init__(self) -> None:
        possible = self.symbols**self.branching
        if self.symbols * self.rules > possible:
            raise RecipeError(
                f"{self.symbols} symbols with {self.rules} rules each need {self.symbols * self.rules} "
                f"productions, and {self.branching} symbols make only {possible}; ask for fewer rules."
            )
        if self.block * self.symbols * self.rules > _LARGEST_TABLE or possible >= _MOST_PRODUCTIONS:
            raise RecipeError(
                f"Strings of {self.branching}**{self.levels} tokens with {self.symbols * self.rules} rules a "
                f"level are too many to draw; ask for fewer levels, less branching or fewer rules."
            )

    @property
    def vocab(self) -> int:
        """Tokens are the symbols of the lowest level."""
        return self.symbols

    @property
    def block(self) -> int:
        """Tokens in one string."""
        return int(self.branching**self.levels)
