"""The commands on a study's files say what they did, and refuse in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.cli import run
from allometry.runs.run import Run
from allometry.runs.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "here", 'name = "here"')
    made.save_run(Run(run_id="a", status="done", values={"loss": 3.5}))
    return made


def test_gathering_exporting_and_merging_say_what_they_did(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Study.create(tmp_path / "there", 'name = "there"')
    other.save_run(Run(run_id="b", status="done", values={"loss": 3.25}))
    table = tmp_path / "runs.csv"

    assert run(["compact", str(study.folder)]) == 0
    assert run(["merge", str(study.folder), str(other.folder)]) == 0
    assert run(["export", str(study.folder), str(table)]) == 0

    said = capsys.readouterr().out
    assert "Gathered 1 runs (1 of them new)" in said
    assert "Copied 1 runs; 0 were here already" in said
    assert f"Wrote 2 rows to {table}" in said


def test_a_track_record_without_outcomes_is_refused(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibration", str(study.folder)]) == 3
    assert "No forecast here has an outcome yet" in capsys.readouterr().err
