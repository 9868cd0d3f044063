"""How right an answer is, by several measures: arrays in, one number a problem out.

Shapes in names: n problems, A tokens of an answer, V vocabulary, K choices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def exact_match(answers: Ids, produced: Ids) -> Values:
    """1 where every token is right, else 0.

    Args:
        answers, produced: Token ids, shape (n, A).

    Returns:
        Shape (n,).

    >>> exact_match(np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]]))
    array([1., 0.])
    """
    matches: Values = (answers == produced).all(axis=1).astype(np.float64)
    return matches


def token_probability(log_probs: Values) -> Values:
    """Mean probability of the right token, given the right ones before it.

    It rises smoothly where exact match jumps (Schaeffer et al. 2023, arXiv:2304.15004).

    Args:
        log_probs: Natural log of the probability of each right token, shape (n, A).

    >>> token_probability(np.log([[0.5, 0.25]]))
    array([0.375])
    """
    means: Values = np.exp(log_probs).mean(axis=1)
    return means


def answer_probability(log_probs: Values) -> Values:
    """Probability of the whole answer: the exact match that sampling at temperature 1 has on average.

    >>> answer_probability(np.log([[0.5, 0.25]]))
    array([0.125])
    """
    products: Values = np.exp(log_probs.sum(axis=1))
    return products


def brier(probs: Values, answers: Ids) -> Values:
    """Brier's score: squared distance between the predicted distribution and the right token, 0 to 2.

    Args:
        probs: Predicted at each place of the answer, shape (n, A, V).
        answers: Token ids, shape (n, A).

    Source:
        Brier 1950, Monthly Weather Review 78(1), eq. 2.

    >>> brier(np.array([[[0.5, 0.5]]]), np.array([[0]]))
    array([0.5])
    """
    right = np.take_along_axis(probs, answers[..., None], axis=2)[..., 0]
    distances: Values = ((probs**2).sum(axis=2) - 2 * right + 1).mean(axis=1)
    return distances


def edit_distance(answers: Ids, produced: Ids) -> Values:
    """Insertions, deletions and replacements that turn one into the other, as a share of the longer length.

    Args:
        answers, produced: Token ids, shapes (n, A) and (n, B).

    Source:
        Levenshtein 1966; the dynamic program of Wagner and Fischer 1974, over all problems at once.

    >>> edit_distance(np.array([[1, 2, 3]]), np.array([[2, 3, 1]])).round(3)
    array([0.667])
    """
    n, length = answers.shape
    row = np.tile(np.arange(produced.shape[1] + 1), (n, 1))
    for i in range(1, length + 1):
        above, row = row, np.full_like(row, i)
        for j in range(1, produced.shape[1] + 1):
            replaced = above[:, j - 1] + (answers[:, i - 1] != produced[:, j - 1])
            row[:, j] = np.minimum(replaced, 1 + np.minimum(above[:, j], row[:, j - 1]))
    distances: Values = row[:, -1] / max(length, produced.shape[1])
    return distances


def multiple_choice(log_probs: Values) -> Values:
    """1 where the right choice is more probable than each wrong one, else 0; 1/(m+1) in a tie with m others.

    Args:
        log_probs: Log probability of each choice, shape (n, K); the right one first.

    >>> multiple_choice(np.log([[0.5, 0.3], [0.3, 0.5], [0.4, 0.4]]))
    array([1. , 0. , 0.5])
    """
    best = log_probs.max(axis=1, keepdims=True)
    shares: Values = (log_probs[:, 0] == best[:, 0]) / (log_probs == best).sum(axis=1)
    return shares


def wrong_answers(answers: Ids, symbols: tuple[int, int], count: int, rng: np.random.Generator) -> Ids:
    """Answers that are wrong at one place, for multiple choice: near misses, not noise.

    Args:
        answers: Token ids, shape (n, A).
        symbols: The first id that may stand in an answer, and the one after the last; two ids at least.
        count: Wrong ones for each problem; the same may come twice.

    Returns:
        Shape (n, count, A).

    >>> right = np.array([[1, 2, 3]])
    >>> (wrong_answers(right, (0, 10), 4, np.random.default_rng(0)) != right[:, None]).sum(axis=2)
    array([[1, 1, 1, 1]])
    """
    n, length = answers.shape
    low, high = symbols
    wrong = np.repeat(answers[:, None], count, axis=1)
    place = rng.integers(length, size=(n, count, 1))
    old = np.take_along_axis(wrong, place, axis=2)
    moved = (old - low + rng.integers(1, high - low, size=old.shape)) % (high - low)
    np.put_along_axis(wrong, place, low + moved, axis=2)
    return wrong
