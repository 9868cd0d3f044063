"""Scores against their definitions, and on a model that knows the answers."""

from itertools import product

import numpy as np
import pytest
import torch

from allometry.architectures import Transformer
from allometry.errors import InputError
from allometry.lab.tasks.answers import answer_log_probs, draw_answers
from allometry.lab.tasks.attempts import attempt
from allometry.lab.tasks.problems import make_problems
from allometry.lab.tasks.scores import brier, edit_distance, multiple_choice, wrong_answers
from allometry.lab.tasks.scoring import score_task
from allometry.recipe.tasks import Copy, ModularAddition

TASK = ModularAddition(modulus=5)
PROBLEMS = make_problems(TASK, 40, held_out=0.2)


class Adder(torch.nn.Module):
    """Knows the sum of the two tokens before the sign with a stated probability; else any of the others."""

    def __init__(self, certainty: float) -> None:
        super().__init__()
        self.certainty = certainty

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        right = (tokens[:, 0] + tokens[:, 1]) % 5
        probs = torch.full((*tokens.shape, 6), (1 - self.certainty) / 5)
        probs[torch.arange(len(tokens)), :, right] = self.certainty
        return probs.log()


def slow_edit_distance(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(
        slow_edit_distance(a[1:], b) + 1,
        slow_edit_distance(a, b[1:]) + 1,
        slow_edit_distance(a[1:], b[1:]) + (a[0] != b[0]),
    )


def test_edit_distance_equals_the_recursive_definition() -> None:
    pairs = [(a, b) for a in product(range(2), repeat=4) for b in product(range(2), repeat=3)]

    found = edit_distance(*(np.array(side) for side in zip(*pairs, strict=True)))

    np.testing.assert_allclose(found * 4, [slow_edit_distance(a, b) for a, b in pairs])


def test_briers_score_is_zero_when_sure_and_right_and_two_when_sure_and_wrong() -> None:
    sure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])

    np.testing.assert_array_equal(brier(sure, np.array([[0], [0]])), [0.0, 2.0])


def test_multiple_choice_among_equals_is_chance() -> None:
    np.testing.assert_array_equal(multiple_choice(np.zeros((2, 4))), [0.25, 0.25])


def test_wrong_answers_are_wrong_and_stay_among_the_symbols() -> None:
    right = np.random.default_rng(0).integers(7, 12, size=(200, 3))

    wrong = wrong_answers(right, (7, 12), 3, np.random.default_rng(1))

    assert ((wrong != right[:, None]).sum(axis=2) == 1).all()
    assert wrong.min() == 7
    assert wrong.max() == 11


def test_a_model_that_knows_scores_as_its_certainty_says() -> None:
    scores = score_task(Adder(0.7), TASK, PROBLEMS)

    assert (scores["exact_match"] == 1).all()
    assert (scores["edit_distance"] == 0).all()
    assert (scores["multiple_choice"] == 1).all()
    np.testing.assert_allclose(scores["token_probability"], 0.7, rtol=1e-6)
    np.testing.assert_allclose(scores["answer_probability"], 0.7, rtol=1e-6)
    np.testing.assert_allclose(scores["brier"], 0.3**2 + 5 * 0.06**2, rtol=1e-5)


def test_a_model_that_guesses_scores_chance() -> None:
    scores = score_task(Adder(1 / 6), TASK, PROBLEMS)

    assert (scores["multiple_choice"] == 0.25).all()
    np.testing.assert_allclose(scores["token_probability"], 1 / 6, rtol=1e-6)


def test_attempts_succeed_as_often_as_the_model_is_certain_and_cost_what_a_cached_decoder_costs() -> None:
    shape = Transformer(vocab=6, context=4, width=8, layers=1, heads=1)

    found = attempt(Adder(0.7), shape, PROBLEMS, attempts=50, seed=1)

    share = found.successes.sum() / (40 * 50)
    assert share == pytest.approx(0.7, abs=4 * (0.7 * 0.3 / 2000) ** 0.5)  # four standard errors
    assert found.tokens == 40 * 50
    forward = 2 * shape.params("matmul") + 4 * 8 * 4  # 2 a multiply-add; scores and values over the context
    assert found.flops == forward * (40 * 3 + 40 * 50)
    assert found.table().columns.tolist() == ["problem", "attempts", "successes"]


def test_attempts_at_a_low_temperature_are_the_greedy_answer() -> None:
    shape = Transformer(vocab=6, context=4, width=8, layers=1, heads=1)

    assert (attempt(Adder(0.7), shape, PROBLEMS, attempts=3, temperature=0.01).successes == 3).all()


def test_the_same_seed_draws_the_same_attempts() -> None:
    shape = Transformer(vocab=6, context=4, width=8, layers=1, heads=1)

    first, again, other = (attempt(Adder(0.5), shape, PROBLEMS, attempts=9, seed=s) for s in (1, 1, 2))

    np.testing.assert_array_equal(first.successes, again.successes)
    assert (first.successes != other.successes).any()


@pytest.mark.parametrize(("attempts", "temperature"), [(0, 1.0), (3, 0.0), (3, -1.0)])
def test_attempts_that_make_no_sense_are_refused(attempts: int, temperature: float) -> None:
    shape = Transformer(vocab=6, context=4, width=8, layers=1, heads=1)

    with pytest.raises(InputError, match="attempts must be at least 1 and temperature above 0"):
        attempt(Adder(0.5), shape, PROBLEMS, attempts=attempts, temperature=temperature)


def test_greedy_answers_of_a_real_model_are_those_of_the_best_token_at_each_place() -> None:
    task = Copy(length=3, symbols=5)
    problems = make_problems(task, 4)
    model = Transformer(vocab=6, context=8, width=8, layers=1, heads=1).build()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))

    drawn = draw_answers(model, problems.prompts, 3)

    best = answer_log_probs(model, type(problems)(prompts=problems.prompts, answers=drawn)).argmax(axis=2)
    np.testing.assert_array_equal(drawn, best)
