"""All scores of a model on a task."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from allometry.lab.tasks.answers import answer_log_probs, draw_answers
from allometry.lab.tasks.problems import Problems, make_problems
from allometry.lab.tasks.scores import (
    Values,
    answer_probability,
    brier,
    edit_distance,
    exact_match,
    multiple_choice,
    token_probability,
    wrong_answers,
)
from allometry.recipe import Data
from allometry.recipe.tasks import Task, TaskProblems, layout_of

CHOICES = 4  # the right answer and three near misses
PROBLEMS = 512  # held-out problems that a finished run is scored on


def score_task(
    model: nn.Module, task: Task, problems: Problems, *, seed: int = 0, device: torch.device | str = "cpu"
) -> dict[str, Values]:
    """Every metric for every problem.

    Args:
        problems: Of the task, from its held-out side.
        seed: Of the wrong choices.

    Returns:
        Metric to values of shape (n,): exact_match and edit_distance of the greedy answer;
        token_probability, answer_probability, brier (with the right tokens before each); multiple_choice.
        All but edit_distance and brier are better when larger.
    """
    log_probs = answer_log_probs(model, problems, device)
    right = _of(log_probs, problems)
    greedy = draw_answers(model, problems.prompts, problems.answers.shape[1], device=device)
    return {
        "exact_match": exact_match(problems.answers, greedy),
        "edit_distance": edit_distance(problems.answers, greedy),
        "token_probability": token_probability(right),
        "answer_probability": answer_probability(right),
        "brier": brier(np.exp(log_probs), problems.answers),
        "multiple_choice": multiple_choice(_choices(model, task, problems, right, seed, device)),
    }


def _of(log_probs: Values, problems: Problems) -> Values:
    """Those of the tokens of the answers, shape (n, A)."""
    return np.take_along_axis(log_probs, problems.answers[..., None], axis=2)[..., 0]


def _choices(
    model: nn.Module, task: Task, problems: Problems, right: Values, seed: int, device: torch.device | str
) -> Values:
    """Log probability of each choice, the right one first, shape (n, CHOICES)."""
    rng = np.random.default_rng(seed)
    wrong = wrong_answers(problems.answers, layout_of(task).answer_symbols, CHOICES - 1, rng)
    offered = [Problems(prompts=problems.prompts, answers=wrong[:, k]) for k in range(CHOICES - 1)]
    others = [_of(answer_log_probs(model, one, device), one).sum(axis=1) for one in offered]
    return np.stack([right.sum(axis=1), *others], axis=1)


def task_facts(model: nn.Module, data: Data, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Columns of a run that was trained on a task, from its held-out problems.

    `score` is the share solved by the greedy answer and `error` the rest; every other metric has its own
    name, and a mean over `documents` problems.
    """
    source = data.corpus
    assert isinstance(source, TaskProblems)
    problems = make_problems(source.task, PROBLEMS, seed=source.seed, side="held_out", held_out=data.held_out)
    found = score_task(model, source.task, problems, device=device)
    scores = {name: float(values.mean()) for name, values in found.items()}
    solved = scores.pop("exact_match")
    return {"task": source.task.kind, "score": solved, "error": 1 - solved, "documents": PROBLEMS, **scores}
