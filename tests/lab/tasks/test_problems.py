"""Problems are a pure function of task, seed and side, and their answers are right."""

from itertools import pairwise

import numpy as np
import pytest

from allometry.errors import InputError, RecipeError
from allometry.lab.tasks.problems import Problems, make_problems, show
from allometry.recipe.tasks import (
    Addition,
    AssociativeRecall,
    Copy,
    ModularAddition,
    Reverse,
    Sort,
    Task,
    layout_of,
)

TASKS: list[Task] = [
    Copy(length=5, symbols=7),
    Reverse(length=5, symbols=7),
    Sort(length=6, symbols=4),
    ModularAddition(modulus=13),
    Addition(digits=3),
    Addition(digits=2, order="reversed"),
    AssociativeRecall(pairs=4, symbols=9),
]


def right_answer(task: Task, prompt: list[int]) -> list[int]:
    """By plain Python, one problem at a time."""
    asked = prompt[:-1]
    match task:
        case Copy():
            return asked
        case Reverse():
            return asked[::-1]
        case Sort():
            return sorted(asked)
        case ModularAddition(modulus=modulus):
            return [(asked[0] + asked[1]) % modulus]
        case Addition(digits=digits, order=order):
            step = -1 if order == "reversed" else 1
            a, b = asked[:digits][::step], asked[digits + 1 :][::step]
            total = int("".join(map(str, a))) + int("".join(map(str, b)))
            return [int(digit) for digit in str(total).zfill(digits + 1)][::step]
        case AssociativeRecall():
            pairs = dict(zip(asked[:-1:2], asked[1:-1:2], strict=True))
            return [pairs[asked[-1]]]


@pytest.fixture(params=TASKS, ids=str)
def task(request: pytest.FixtureRequest) -> Task:
    chosen: Task = request.param
    return chosen


def test_every_answer_is_right(task: Task) -> None:
    problems = make_problems(task, 60, seed=3)

    for prompt, answer in zip(problems.prompts.tolist(), problems.answers.tolist(), strict=True):
        assert answer == right_answer(task, prompt)


def test_every_prompt_ends_in_the_sign_of_the_question_and_fits_the_vocabulary(task: Task) -> None:
    form, problems = layout_of(task), make_problems(task, 60)

    assert (problems.prompts[:, -1] == form.symbols).all()
    assert form.signs[0] == "="
    assert problems.tokens.shape == (60, form.problem_tokens)
    assert problems.tokens.min() >= 0
    assert problems.tokens.max() < form.vocab
    low, high = form.answer_symbols
    assert low <= problems.answers.min()
    assert problems.answers.max() < high


def test_the_same_seed_makes_the_same_problems_and_another_one_others(task: Task) -> None:
    first, again, other = (make_problems(task, 50, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.tokens, again.tokens)
    assert (first.tokens != other.tokens).any()


def rows(problems: Problems) -> set[tuple[int, ...]]:
    return {tuple(prompt) for prompt in problems.prompts.tolist()}


def test_no_prompt_is_on_both_sides_whatever_the_seeds(task: Task) -> None:
    train = rows(make_problems(task, 2000, seed=5, held_out=0.2))
    held_out = rows(make_problems(task, 500, seed=6, side="held_out", held_out=0.2))

    assert not train & held_out


def test_the_split_takes_its_share_of_all_problems() -> None:
    task = ModularAddition(modulus=97)  # 9,409 problems

    held_out = rows(make_problems(task, 40_000, side="held_out", held_out=0.3))

    assert len(held_out) / 97**2 == pytest.approx(
        0.3, abs=3 * (0.3 * 0.7) ** 0.5 / 97
    )  # three standard errors


def test_a_task_with_too_few_problems_for_a_side_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"No problem .* held_out side .* held_out = 1e-06.* Make it larger"):
        make_problems(ModularAddition(modulus=2), 1, side="held_out", held_out=1e-6)


def test_keys_in_one_recall_differ() -> None:
    keys = np.sort(make_problems(AssociativeRecall(pairs=4, symbols=5), 100).prompts[:, 0:-2:2], axis=1)

    assert all((low < high).all() for low, high in pairwise(keys.T))


def test_more_pairs_than_keys_are_refused() -> None:
    with pytest.raises(RecipeError, match="9 pairs need as many different keys and there are 8 symbols"):
        AssociativeRecall(pairs=9, symbols=8)


def test_problems_are_shown_as_people_write_them() -> None:
    assert show(Addition(digits=2), [0, 7, 11, 9, 5, 10, 1, 0, 2]) == "07+95=102"
    assert show(ModularAddition(modulus=13), [12, 4, 13, 3]) == "12 4 = 3"
