"""Problems of a task as token ids: a pure function of the task, the seed and the side of the split.

Shapes in names: n problems, P tokens of a prompt, A tokens of an answer, S symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError
from allometry.recipe.tasks import (
    Addition,
    AssociativeRecall,
    Copy,
    ModularAddition,
    Reverse,
    Sort,
    Task,
    TaskProblems,
    layout_of,
)
from allometry.registry import Catalog

Ids = npt.NDArray[np.int64]
Side = Literal["train", "held_out"]
# So many problems of a task: prompts of shape (n, P) and answers of shape (n, A).
Draw = Callable[[Any, np.random.Generator, int], tuple[Ids, Ids]]
_LARGEST_DRAW = 1 << 20  # problems drawn at once
_MOST_EMPTY_DRAWS = 50  # in a row that add nothing to a side: it has no problems


@dataclass(frozen=True, kw_only=True)
class Problems:
    """Problems with their right answers.

    Attributes:
        prompts: Token ids, shape (n, P).
        answers: Token ids, shape (n, A).
    """

    prompts: Ids
    answers: Ids

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def tokens(self) -> Ids:
        """Prompts with their answers behind them, shape (n, P + A)."""
        return np.concatenate((self.prompts, self.answers), axis=1)


def make_problems(
    task: Task, count: int, *, seed: int = 0, side: Side = "train", held_out: float = 0.05
) -> Problems:
    """Draw problems of one side of the split; the same problem may be drawn again.

    A hash of its prompt puts a problem on one side for good, whatever the seed.

    Args:
        count: How many.
        held_out: Share of all possible problems that are on the held-out side.

    Raises:
        InputError: If a task has so few problems that none is on this side.

    >>> from allometry.recipe.tasks import Addition
    >>> problems = make_problems(Addition(digits=2), 1)
    >>> show(Addition(digits=2), problems.tokens[0])
    '85+57=142'
    """
    draw = _DRAWS[task.kind]
    rng = np.random.default_rng([seed, side == "held_out"])
    found: list[tuple[Ids, Ids]] = []
    have = empty = 0
    while have < count:
        prompts, answers = draw(task, rng, min(_LARGEST_DRAW, 64 + 2 * count))
        here = (_position(prompts) < held_out) == (side == "held_out")
        found.append((prompts[here], answers[here]))
        have += int(here.sum())
        empty = 0 if here.any() else empty + 1
        if empty == _MOST_EMPTY_DRAWS:
            raise InputError(
                f"No problem of this '{task.kind}' task falls on the {side} side of the split with "
                f"held_out = {held_out:g}: it has too few different ones. Make it larger, or the share."
            )
    prompts, answers = (np.concatenate(part)[:count] for part in zip(*found, strict=True))
    return Problems(prompts=prompts, answers=answers)


def show(task: Task, ids: npt.ArrayLike) -> str:
    """Token ids as text: digits where ten symbols do, else numbers between blanks."""
    symbols, signs = layout_of(task).symbols, layout_of(task).signs
    written = [str(one) if one < symbols else signs[one - symbols] for one in np.asarray(ids)]
    return ("" if symbols <= 10 else " ").join(written)


def _position(prompts: Ids) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each prompt that depends on the prompt only, shape (n,)."""
    state = np.full(len(prompts), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in prompts.T.astype(np.uint64):
        state = _mixed(state ^ column)
    return (state >> np.uint64(11)) / 2.0**53


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele et al. 2014): every bit of the input moves half of the output's."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _with_sign(content: Ids, sign: int) -> Ids:
    return np.concatenate((content, np.full((len(content), 1), sign)), axis=1)


def _sequences(answer: Callable[[Ids], Ids]) -> Draw:
    """Of a task that turns one random sequence into another of its length."""

    def draw(task: Copy | Reverse | Sort, rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
        content = rng.integers(task.symbols, size=(n, task.length))
        return _with_sign(content, task.symbols), answer(content)

    return draw


def _modular_addition(task: ModularAddition, rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
    numbers = rng.integers(task.modulus, size=(n, 2))
    return _with_sign(numbers, task.modulus), numbers.sum(axis=1, keepdims=True) % task.modulus


def _addition(task: Addition, rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
    equals, plus = 10, 11
    a, b = rng.integers(10**task.digits, size=(2, n))
    summands = [_digits(number, task.digits, task.order) for number in (a, b)]
    prompts = np.concatenate((_with_sign(summands[0], plus), summands[1]), axis=1)
    return _with_sign(prompts, equals), _digits(a + b, task.digits + 1, task.order)


def _digits(numbers: Ids, count: int, order: str) -> Ids:
    digits = numbers[:, None] // 10 ** np.arange(count - 1, -1, -1) % 10
    return digits[:, ::-1] if order == "reversed" else digits


def _associative_recall(task: AssociativeRecall, rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
    keys = rng.permuted(np.tile(np.arange(task.symbols), (n, 1)), axis=1)[:, : task.pairs]
    values = task.symbols + rng.integers(task.symbols, size=keys.shape)
    asked = rng.integers(task.pairs, size=(n, 1))
    pairs = np.stack((keys, values), axis=2).reshape(n, 2 * task.pairs)
    prompts = np.concatenate((pairs, np.take_along_axis(keys, asked, axis=1)), axis=1)
    return _with_sign(prompts, 2 * task.symbols), np.take_along_axis(values, asked, axis=1)


_DRAWS: Catalog[Draw] = Catalog(
    "task",
    {
        "copy": _sequences(lambda content: content),
        "reverse": _sequences(lambda content: content[:, ::-1]),
        "sort": _sequences(lambda content: np.sort(content, axis=1)),
        "modular_addition": _modular_addition,
        "addition": _addition,
        "associative_recall": _associative_recall,
    },
)


def encode_problems(
    source: TaskProblems, held_out: float
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """The problems of a source as one sequence of tokens for training, and one held out.

    Raises:
        InputError: If there are too few tokens for a problem on each side.
    """
    problems = source.tokens // source.block
    kept = max(1, round(held_out * problems))
    if problems < 2:
        raise InputError(
            f"{source.tokens} tokens hold {problems} problems of {source.block}; ask for more tokens."
        )
    counts: tuple[tuple[Side, int], ...] = (("train", problems - kept), ("held_out", kept))
    train, scored = (
        make_problems(source.task, count, seed=source.seed, side=side, held_out=held_out)
        for side, count in counts
    )
    return train.tokens.astype(np.uint16).ravel(), scored.tokens.astype(np.uint16).ravel()
