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
from allometry.recipe.tasks import Addition, AssociativeRecall, Copy, ModularAddition, Reverse, Sort, Task
from allometry.registry import Catalog

Ids = npt.NDArray[np.int64]
Side = Literal["train", "held_out"]
_LARGEST_DRAW = 1 << 20  # problems drawn at once
_MOST_EMPTY_DRAWS = 50  # in a row that add nothing to a side: it has no problems


@dataclass(frozen=True, kw_only=True)
class Form:
    """How the problems of one task look.

    Attributes:
        symbols: Token ids below this stand for the task's symbols; signs follow.
        signs: What the further token ids are written as: "=" ends every prompt.
        prompt_tokens, answer_tokens: Lengths, the same for all problems of the task.
        answer_symbols: The first of the ids that may stand in an answer, and the one after the last.
        draw: Makes so many problems: prompts of shape (n, P) and answers of shape (n, A).
    """

    symbols: int
    signs: str
    prompt_tokens: int
    answer_tokens: int
    answer_symbols: tuple[int, int]
    draw: Callable[[np.random.Generator, int], tuple[Ids, Ids]]

    @property
    def vocab(self) -> int:
        """Token ids there are."""
        return self.symbols + len(self.signs)

    @property
    def problem_tokens(self) -> int:
        """Tokens of a problem with its answer."""
        return self.prompt_tokens + self.answer_tokens


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
    form = form_of(task)
    rng = np.random.default_rng([seed, side == "held_out"])
    found: list[tuple[Ids, Ids]] = []
    have = empty = 0
    while have < count:
        prompts, answers = form.draw(rng, min(_LARGEST_DRAW, 64 + 2 * count))
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


def form_of(task: Task) -> Form:
    """How the problems of a task look."""
    return _FORMS[task.kind](task)


def show(task: Task, ids: npt.ArrayLike) -> str:
    """Token ids as text: digits where ten symbols do, else numbers between blanks."""
    form = form_of(task)
    written = [str(one) if one < form.symbols else form.signs[one - form.symbols] for one in np.asarray(ids)]
    return ("" if form.symbols <= 10 else " ").join(written)


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


def _sequences(answer: Callable[[Ids], Ids]) -> Callable[[Copy | Reverse | Sort], Form]:
    """Tasks that turn one random sequence into another of its length."""

    def form(task: Copy | Reverse | Sort) -> Form:
        def draw(rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
            content = rng.integers(task.symbols, size=(n, task.length))
            return _with_sign(content, task.symbols), answer(content)

        return Form(
            symbols=task.symbols,
            signs="=",
            prompt_tokens=task.length + 1,
            answer_tokens=task.length,
            answer_symbols=(0, task.symbols),
            draw=draw,
        )

    return form


def _modular_addition(task: ModularAddition) -> Form:
    def draw(rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
        numbers = rng.integers(task.modulus, size=(n, 2))
        return _with_sign(numbers, task.modulus), numbers.sum(axis=1, keepdims=True) % task.modulus

    return Form(
        symbols=task.modulus,
        signs="=",
        prompt_tokens=3,
        answer_tokens=1,
        answer_symbols=(0, task.modulus),
        draw=draw,
    )


def _addition(task: Addition) -> Form:
    equals, plus = 10, 11
    step = -1 if task.order == "reversed" else 1

    def digits(numbers: Ids, count: int) -> Ids:
        places = 10 ** np.arange(count - 1, -1, -1)
        return (numbers[:, None] // places % 10)[:, ::step]

    def draw(rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
        a, b = rng.integers(10**task.digits, size=(2, n))
        prompts = np.concatenate((_with_sign(digits(a, task.digits), plus), digits(b, task.digits)), axis=1)
        return _with_sign(prompts, equals), digits(a + b, task.digits + 1)

    return Form(
        symbols=10,
        signs="=+",
        prompt_tokens=2 * task.digits + 2,
        answer_tokens=task.digits + 1,
        answer_symbols=(0, 10),
        draw=draw,
    )


def _associative_recall(task: AssociativeRecall) -> Form:
    def draw(rng: np.random.Generator, n: int) -> tuple[Ids, Ids]:
        keys = rng.permuted(np.tile(np.arange(task.symbols), (n, 1)), axis=1)[:, : task.pairs]
        values = task.symbols + rng.integers(task.symbols, size=keys.shape)
        asked = rng.integers(task.pairs, size=(n, 1))
        pairs = np.stack((keys, values), axis=2).reshape(n, 2 * task.pairs)
        prompts = np.concatenate((pairs, np.take_along_axis(keys, asked, axis=1)), axis=1)
        return _with_sign(prompts, 2 * task.symbols), np.take_along_axis(values, asked, axis=1)

    return Form(
        symbols=2 * task.symbols,
        signs="=",
        prompt_tokens=2 * task.pairs + 2,
        answer_tokens=1,
        answer_symbols=(task.symbols, 2 * task.symbols),
        draw=draw,
    )


_FORMS: Catalog[Callable[[Any], Form]] = Catalog(
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
