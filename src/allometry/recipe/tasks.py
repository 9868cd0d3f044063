"""Tasks whose problems are generated with a seed: what a small model can be asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, assert_never

from pydantic import Field

from allometry.recipe.choices import choice


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the problems of a task look as tokens.

    Attributes:
        symbols: Token ids below this stand for the task's symbols; signs follow.
        signs: What the further token ids are written as: "=" ends every prompt.
        prompt_tokens, answer_tokens: Lengths, the same for all problems of the task.
        answer_symbols: The first of the ids that may stand in an answer, and the one after the last.
    """

    symbols: int
    signs: str
    prompt_tokens: int
    answer_tokens: int
    answer_symbols: tuple[int, int]

    @property
    def vocab(self) -> int:
        """Token ids there are."""
        return self.symbols + len(self.signs)

    @property
    def problem_tokens(self) -> int:
        """Tokens of a problem with its answer."""
        return self.prompt_tokens + self.answer_tokens


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


def layout_of(task: Task) -> Layout:
    """How the problems of a task look as tokens.

    >>> layout_of(Addition(digits=2)).problem_tokens  # 12+34=046
    9
    """
    match task:
        case Copy() | Reverse() | Sort():
            return _layout(task.symbols, "=", task.length + 1, task.length, (0, task.symbols))
        case ModularAddition(modulus=modulus):
            return _layout(modulus, "=", 3, 1, (0, modulus))
        case Addition(digits=digits):
            return _layout(10, "=+", 2 * digits + 2, digits + 1, (0, 10))
        case AssociativeRecall(pairs=pairs, symbols=symbols):
            return _layout(2 * symbols, "=", 2 * pairs + 2, 1, (symbols, 2 * symbols))
        case _:
            assert_never(task)


def _layout(symbols: int, signs: str, prompt: int, answer: int, answer_symbols: tuple[int, int]) -> Layout:
    return Layout(
        symbols=symbols,
        signs=signs,
        prompt_tokens=prompt,
        answer_tokens=answer,
        answer_symbols=answer_symbols,
    )


@choice
class TaskProblems:
    """Problems of a task with their answers, one behind the other: only the answers are learned and scored.

    A hash of its prompt puts a problem into the training or the held-out text for good. The context must
    hold whole problems.

    Attributes:
        tokens: Of training and held-out text together; whole problems are taken.
        seed: Of the draw.
    """

    task: Task
    tokens: int = Field(gt=0)
    seed: int = Field(default=0, ge=0)
    kind: Literal["task_problems"] = "task_problems"

    @property
    def vocab(self) -> int:
        """Symbols and signs of the task."""
        return layout_of(self.task).vocab

    @property
    def block(self) -> int:
        """Tokens of a problem with its answer."""
        return layout_of(self.task).problem_tokens
