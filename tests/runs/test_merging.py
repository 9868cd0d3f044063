"""Two studies become one without losing, doubling or overwriting a run; a study leaves as one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from allometry.errors import InputError, StudyError
from allometry.runs.exporting import export
from allometry.runs.merging import merge
from allometry.runs.run import Run
from allometry.runs.study import Study


def finished(study: Study, run_id: str, loss: float, *, seconds: float = 1.0) -> None:
    study.save_run(Run(run_id=run_id, status="done", values={"loss": loss, "seconds": seconds}))
    (study.run_folder(run_id) / "history.jsonl").write_text(f'{{"step": 1, "loss": {loss + 1}}}\n')


@pytest.fixture
def here(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "here", 'name = "here"')
    finished(made, "both", 3.5)
    finished(made, "mine", 3.25)
    return made


@pytest.fixture
def there(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "there", 'name = "there"')
    finished(made, "both", 3.5, seconds=9.0)
    finished(made, "theirs", 3.0)
    made.save_run(Run(run_id="broken", status="failed", reason="why"))
    return made


def losses(study: Study) -> dict[str, float]:
    table = study.runs().table
    return dict(zip(table["run_id"], table["loss"], strict=True))


def test_what_is_missing_is_copied_with_its_curve_and_what_failed_is_not(here: Study, there: Study) -> None:
    made = merge(here, there)

    assert (made.copied, made.same, made.conflicts) == (("theirs",), ("both",), ())
    assert losses(here) == {"both": 3.5, "mine": 3.25, "theirs": 3.0}
    assert list(here.history("theirs")["loss"]) == [4.0]
    assert merge(here, there).copied == ()


def test_a_run_that_failed_here_and_is_done_there_is_done(here: Study, there: Study) -> None:
    here.save_run(Run(run_id="theirs", status="failed", reason="out of memory"))

    merge(here, there)

    assert losses(here)["theirs"] == 3.0


def test_a_run_that_came_out_differently_is_named_and_nothing_is_copied(here: Study, there: Study) -> None:
    finished(there, "both", 3.75)

    with pytest.raises(StudyError, match=r"both \(loss 3\.5 here, loss 3\.75 there\).* Nothing was copied"):
        merge(here, there)
    assert "theirs" not in losses(here)

    made = merge(here, there, keep_conflicts=True)

    assert [conflict.run_id for conflict in made.conflicts] == ["both"]
    assert losses(here) == {"both": 3.5, "mine": 3.25, "theirs": 3.0}


def test_what_is_said_of_texts_is_copied_where_nothing_is_said_yet(here: Study, there: Study) -> None:
    for study, name, text in ((here, "both", "ours"), (there, "both", "theirs"), (there, "new", "new")):
        (study.folder / "data").mkdir(exist_ok=True)
        (study.folder / "data" / f"{name}.json").write_text(text)

    merge(here, there)

    texts = {path.name: path.read_text() for path in (here.folder / "data").iterdir()}
    assert texts == {"both.json": "ours", "new.json": "new"}


def test_a_study_is_not_merged_with_itself(here: Study) -> None:
    with pytest.raises(StudyError, match="cannot be merged with itself"):
        merge(here, Study.open(here.folder))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_runs_and_curves_leave_as_one_table(here: Study, tmp_path: Path, ending: str) -> None:
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    runs = export(here, tmp_path / f"out/runs.{ending}")
    curves = export(here, tmp_path / f"out/curves.{ending}", curves=True)

    assert (runs.rows, curves.rows) == (2, 2)
    assert list(read(runs.path)["loss"]) == [3.5, 3.25]
    assert read(curves.path)[["run_id", "loss"]].to_numpy().tolist() == [["both", 4.5], ["mine", 4.25]]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"runs.{ending}", f"curves.{ending}"}


def test_an_export_to_another_kind_of_file_is_refused(here: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot export to 'runs\.xlsx': give a file that ends in"):
        export(here, tmp_path / "runs.xlsx")
