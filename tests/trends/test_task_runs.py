"""Tables of task runs are read with the published weights, and refused where they make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError, MissingColumn
from allometry.runs.run import Runs
from allometry.trends.task_runs import read_task_runs


def table(**changes: Any) -> pd.DataFrame:
    """Two families, of three tasks and of one; the first task was run twice."""
    rows = {
        "agent": ["a"] * 5,
        "task": ["p", "p", "q", "r", "s"],
        "family": ["one", "one", "one", "one", "two"],
        "minutes": [1.0, 1.0, 2.0, 4.0, 8.0],
        "score": [1.0, 0.0, 1.0, 0.0, 0.0],
        "release_date": ["2024-03-14"] * 5,
    }
    return pd.DataFrame(rows).assign(**changes)


def test_a_family_weighs_the_root_of_its_tasks_and_runs_share_their_tasks_weight() -> None:
    weights = read_task_runs(Runs(table())).weights[0]

    assert weights[:3].sum() / weights[3] == pytest.approx(np.sqrt(3))
    assert weights.sum() == pytest.approx(1)


def test_weights_count_only_the_tasks_that_an_agent_tried() -> None:
    more = pd.concat([table(), table().assign(agent="b").iloc[[2, 4]]])

    assert read_task_runs(Runs(more)).weights[1].tolist() == [0, 0.5, 0, 0.5]


def test_equal_weights_are_worth_as_many_tasks_as_there_are() -> None:
    found = read_task_runs(Runs(table(family=list("vvwxy")))).effective_tasks

    assert found == pytest.approx(4)


def test_the_headers_of_the_published_runs_are_understood() -> None:
    theirs = {
        "agent": "alias", "task": "task_id", "family": "task_family", "minutes": "human_minutes",
        "score": "score_binarized",
    }  # fmt: skip
    found = read_task_runs(Runs(table().rename(columns=theirs)))

    assert (found.agents, found.tasks) == (("a",), ("p", "q", "r", "s"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"minutes": [1.0, 1.0, 2.0, 0.0, 8.0]}, "Row 4: a task length of 0 minutes"),
        ({"minutes": [1.0, 1.0, -2.0, 4.0, 8.0]}, "Row 3: a task length of -2 minutes"),
        ({"minutes": [1.0, 1.5, 2.0, 4.0, 8.0]}, "task 'p' state several lengths"),
        ({"family": ["one", "two", "one", "one", "two"]}, "task 'p' state several families"),
        ({"score": [1.0, 0.0, 1.2, 0.0, 0.0]}, "Row 3: a score of 1.2"),
        ({"score": [1.0, np.nan, 1.0, 0.0, 0.0]}, "Row 2: a score of nan"),
        ({"release_date": ["2024-03-14"] * 4 + ["2024-03-15"]}, "agent 'a' state several release dates"),
        (
            {"release_date": ["2024-03-14"] * 4 + ["14/03/2024"]},
            "Row 5: release_date '14/03/2024' is no date",
        ),
        ({"agent": ["a", "a", None, "a", "a"]}, "'agent' is empty in row 3"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_task_runs(Runs(table(**change)))


def test_a_missing_column_and_too_few_tasks_are_refused() -> None:
    with pytest.raises(MissingColumn, match="no 'minutes'"):
        read_task_runs(Runs(table().drop(columns="minutes")))
    with pytest.raises(FitError, match="needs 4 tasks or more; there are 3"):
        read_task_runs(Runs(table().iloc[:4]))
