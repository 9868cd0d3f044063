"""A table of runs is read, filtered and identified without being changed."""

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError, MissingColumn
from allometry.runs.run import Run, Runs


@pytest.fixture
def runs() -> Runs:
    table = pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "params": [1e6, 2e6, 4e6],
            "tokens": [1e8, 1e8, 2e8],
            "loss": [3.5, 3.2, np.nan],
            "status": ["done", "done", "diverged"],
        }
    )
    return Runs(table, source="runs.csv")


def test_runs_of_different_facts_share_a_table() -> None:
    done = Run(run_id="a", status="done", values={"loss": 3.0})
    failed = Run(run_id="b", status="failed", values={"tokens": 64}, reason="out of luck")

    table = Runs.of([done, failed]).table

    assert list(table["status"]) == ["done", "failed"]
    assert table["loss"].isna().to_list() == [False, True]
    assert table.loc[1, "reason"] == "out of luck"


def test_no_runs_are_an_empty_table_that_can_be_filtered() -> None:
    assert len(Runs.of([]).where("status = 'done' AND loss < 4")) == 0


def test_a_filter_keeps_order_and_says_what_it_left_out(runs: Runs) -> None:
    kept = runs.where("status = 'done'", because="diverged").where("params > 1.5e6")

    assert list(kept.table["run_id"]) == ["b"]
    assert [(f.query, f.kept, f.dropped) for f in kept.filters] == [
        ("status = 'done'", 2, 1),
        ("params > 1.5e6", 1, 1),
    ]
    assert "left out 1 of 3 by not: status = 'done' (diverged)" in kept.describe()
    assert len(runs) == 3
    assert runs.filters == ()


def test_a_filter_may_ask_about_the_whole_table(runs: Runs) -> None:
    assert list(runs.where("tokens = (SELECT max(tokens) FROM runs)").table["run_id"]) == ["c"]


@pytest.mark.parametrize("query", ["losss < 4", "loss <", "loss < 'a lot'", ""])
def test_a_filter_that_cannot_be_understood_is_a_sentence(runs: Runs, query: str) -> None:
    with pytest.raises(InputError, match=r"Cannot filter runs\.csv by .* Columns: run_id, params, tokens"):
        runs.where(query)


def test_a_filter_by_a_column_that_is_not_there_gets_the_nearest_one(runs: Runs) -> None:
    with pytest.raises(InputError, match="Did you mean 'tokens'"):
        runs.where("tokenz > 1")


def test_a_filter_reads_no_files(runs: Runs) -> None:
    with pytest.raises(InputError, match="Cannot filter"):
        runs.where("loss < (SELECT count(*) FROM read_csv('/etc/passwd'))")


def test_a_missing_column_is_named_with_the_nearest_and_the_way_out(runs: Runs) -> None:
    with pytest.raises(MissingColumn, match=r"no 'token'\. It has: .* Did you mean 'tokens'\? Map one with"):
        runs.column("token")


def test_text_in_a_number_column_is_named_with_its_row() -> None:
    mixed = Runs(pd.DataFrame({"loss": [3.0, None, "high"]}), source="x.csv")

    with pytest.raises(InputError, match=r"x\.csv: column 'loss' holds text in row 3: 'high'"):
        mixed.column("loss")


def test_the_fingerprint_is_that_of_the_bits(runs: Runs) -> None:
    same = Runs(runs.table.copy(), source="elsewhere")
    nudged = Runs(runs.table.assign(params=np.nextafter(runs.table["params"], 0)))
    columns = ["params", "tokens"]

    assert runs.fingerprint(columns) == same.fingerprint(columns)
    assert runs.fingerprint(columns) != nudged.fingerprint(columns)
    assert runs.fingerprint(columns) != runs.fingerprint(columns[::-1])


def test_the_description_gives_ranges_in_units(runs: Runs) -> None:
    assert "params        1M to 4M, 3 levels" in runs.describe()
    assert "loss          3.2000 to 3.5000 nat/token, 2 levels" in runs.describe()
