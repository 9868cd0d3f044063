"""The CSV files that the web pages of Weights & Biases export."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.errors import TableError
from allometry.runs.importers import find_importer
from allometry.runs.importers.table import read_runs

TABLE = (
    '"Name","State","Notes","User","Tags","Created","Runtime","Sweep","lr","eval/loss","loss"\n'
    '"d4","finished","-","ada","a, b","2026-01-01T00:00:00.000Z","3600","","0.0003","3.5","3.1"\n'
    '"d6","crashed","","ada","","2026-01-02T00:00:00.000Z","60","","0.0003","",""\n'
)
CHART = (
    '"Step","d4 - eval/loss","d4 - eval/loss__MIN","d4 - eval/loss__MAX",'
    '"a - b - eval/loss","a - b - eval/loss__MIN","a - b - eval/loss__MAX"\n'
    '"10","4.0","3.9","4.1","","",""\n'
    '"20","3.5","3.4","3.6","3.0","3.0","3.0"\n'
)


def write(folder: Path, text: str) -> Path:
    (folder / "wandb_export.csv").write_text(text)
    return folder / "wandb_export.csv"


def test_the_table_of_runs_is_recognised_and_its_columns_are_understood(tmp_path: Path) -> None:
    table = read_runs(write(tmp_path, TABLE)).table

    assert table["run_id"].tolist() == ["d4", "d6"]
    assert table["status"].tolist() == ["done", "failed"]
    assert table["seconds"].tolist() == [3600, 60]
    assert table[["learning_rate", "loss", "loss_as_found"]].iloc[0].tolist() == [3e-4, 3.5, 3.1]


def test_names_that_two_runs_share_are_no_identity(tmp_path: Path) -> None:
    shared = read_runs(write(tmp_path, TABLE.replace('"d6"', '"d4"')))

    assert "run_id" not in shared.table.columns
    assert shared.table["Name"].tolist() == ["d4", "d4"]


def test_the_id_of_a_run_is_its_identity_where_it_was_exported(tmp_path: Path) -> None:
    text = '"ID","Name","State","eval/loss"\n"x1","d4","finished",3\n"x2","d4","killed",4\n'

    assert read_runs(write(tmp_path, text), format="wandb").table["run_id"].tolist() == ["x1", "x2"]


def test_a_chart_becomes_one_row_a_run_and_step(tmp_path: Path) -> None:
    table = read_runs(write(tmp_path, CHART)).table

    assert table["run_id"].tolist() == ["d4", "d4", "a - b"]
    assert table["Step"].tolist() == [10, 20, 20]
    assert table["loss"].tolist() == [4.0, 3.5, 3.0]
    assert table["eval/loss__MAX"].tolist() == [4.1, 3.6, 3.0]


def test_another_table_with_a_name_and_a_state_is_not_taken_for_an_export(tmp_path: Path) -> None:
    path = write(tmp_path, "Name,State,N\nd4,Ohio,1e6\n")

    assert find_importer(str(path)).name == "csv"


def test_a_table_that_is_no_export_is_refused_when_it_is_named_one(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="not an export of W&B: the table of runs has the columns Name and"):
        read_runs(write(tmp_path, "N,D,loss\n1,2,3\n"), format="wandb")
