"""Attempts of a finished run at the held-out problems of the task that it was trained on."""

from __future__ import annotations

from pathlib import Path

from allometry.errors import InputError
from allometry.files import write_atomically
from allometry.lab.devices import open_device
from allometry.lab.lineage import Ancestor, find_ancestor, load_model
from allometry.lab.tasks.attempts import Attempts, attempt
from allometry.lab.tasks.problems import Problems, make_problems
from allometry.lab.tasks.scoring import PROBLEMS
from allometry.recipe import TaskProblems
from allometry.runs.study import Study


def attempt_held_out(
    study: Study,
    run_id: str,
    *,
    attempts: int,
    temperature: float = 1.0,
    problems: int = PROBLEMS,
    seed: int = 0,
    device: str = "cpu",
) -> Attempts:
    """Let a finished run make attempts at held-out problems, and keep the counts in its folder.

    Args:
        attempts: At every problem.
        problems: How many; the first of them are those that the run was scored on.
        seed: Of the draws.
        device: "cpu", "cuda", …

    Returns:
        Counts of successes; saved as `attempts_file` says, one row a problem, with what its attempts cost.

    Raises:
        InputError: If the run was not trained on a task, or the numbers make no sense.
        RecipeError: If it is not in the study, or not done.
        CorruptFile: If its checkpoint is damaged.
    """
    if problems < 1:
        raise InputError(f"Attempts are made at one problem at least, not {problems}.")
    run = find_ancestor(study, run_id, purpose="to sample from")
    asked = _held_out_problems(run, problems)
    place = open_device(device)
    model, shape = load_model(run).to(place), run.recipe.architecture
    found = attempt(model, shape, asked, attempts=attempts, temperature=temperature, seed=seed, device=place)
    write_atomically(attempts_file(study, run_id, found, seed=seed), _rows(found))
    return found


def attempts_file(study: Study, run_id: str, found: Attempts, *, seed: int = 0) -> Path:
    """Where the counts of a run are kept: a file for each way of sampling."""
    name = (
        f"attempts-{found.attempts}-at-{len(found.successes)}-"
        f"temperature-{found.temperature:g}-seed-{seed}.csv"
    )
    return study.run_folder(run_id) / name


def _held_out_problems(run: Ancestor, count: int) -> Problems:
    data = run.recipe.data
    if not isinstance(data.corpus, TaskProblems):
        raise InputError(
            f"Run {run.run.run_id} was trained on {data.corpus.kind}, which sets no problems; attempts need "
            f"a run whose corpus is task_problems."
        )
    return make_problems(
        data.corpus.task, count, seed=data.corpus.seed, side="held_out", held_out=data.held_out
    )


def _rows(found: Attempts) -> str:
    """The table as CSV, with the tokens and the FLOP of each problem: all of a task cost the same."""
    problems = len(found.successes)
    cost = {"tokens": found.tokens // problems, "flops": found.flops / problems}
    return found.table().assign(temperature=found.temperature, **cost).to_csv(index=False)
