"""A compacted study says the same as its files, which stay the truth."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.runs import lens
from allometry.runs.run import Run
from allometry.runs.study import Study

_HOUR = 3600.0


def aged(path: Path, *, since: float = _HOUR) -> None:
    """Make a file look as if it was written an hour ago: what is young is never taken from a compaction."""
    now = path.stat().st_mtime
    os.utime(path, (now - since, now - since))


def add_run(study: Study, run_id: str, *, loss: float, steps: int = 2) -> Path:
    folder = study.run_folder(run_id)
    study.save_run(Run(run_id=run_id, status="done", values={"loss": loss, "note": "é"}))
    lines = [json.dumps({"step": step, "loss": loss + 1 / step}) for step in range(1, steps + 1)]
    (folder / "history.jsonl").write_text("\n".join(lines) + "\n")
    aged(folder / "run.json")
    aged(folder / "history.jsonl")
    return folder


def rewritten_unseen(path: Path, old: str, new: str) -> None:
    """Change a file and leave size and time as they were: only a reader of the file itself can tell."""
    before = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def curves(study: Study) -> pd.DataFrame:
    return study.query("SELECT run_id, step, loss FROM history ORDER BY run_id, step")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "it's a study", "")
    for run_id, loss in (("a", 3.5), ("b", 3.25)):
        add_run(made, run_id, loss=loss)
    return made


def test_a_compacted_study_says_what_its_files_say(study: Study) -> None:
    runs, drawn = study.runs().table, curves(study)

    made = study.compact()

    assert (made.runs, made.added) == (2, 2)
    pd.testing.assert_frame_equal(Study.open(study.folder).runs().table, runs)
    pd.testing.assert_frame_equal(curves(study), drawn)


def test_what_was_compacted_is_not_read_from_its_files_again(study: Study) -> None:
    study.compact()
    rewritten_unseen(study.run_folder("a") / "run.json", "3.5", "9.5")
    rewritten_unseen(study.run_folder("a") / "history.jsonl", "4.5", "9.5")

    again = Study.open(study.folder)

    assert list(again.runs().table["loss"]) == [3.5, 3.25]
    assert curves(again)["loss"].max() == 4.5


def test_what_was_written_within_a_tick_of_the_compaction_is_read_from_its_file(study: Study) -> None:
    folder = study.run_folder("a")
    for name in ("run.json", "history.jsonl"):
        os.utime(folder / name)
    study.compact()
    rewritten_unseen(folder / "run.json", "3.5", "9.5")
    rewritten_unseen(folder / "history.jsonl", "4.5", "9.5")

    again = Study.open(study.folder)

    assert list(again.runs().table["loss"]) == [9.5, 3.25]
    assert curves(again)["loss"].max() == 9.5


def test_what_changes_ends_or_goes_after_a_compaction_is_read_past_it(study: Study) -> None:
    study.compact()
    add_run(study, "a", loss=2.5, steps=3)
    add_run(study, "c", loss=2.0)
    (study.run_folder("b") / "run.json").unlink()
    (study.run_folder("b") / "history.jsonl").unlink()

    again = Study.open(study.folder)

    assert dict(zip(again.runs().table["run_id"], again.runs().table["loss"], strict=True)) == {
        "a": 2.5,
        "c": 2.0,
    }
    assert curves(again)["run_id"].tolist() == ["a"] * 3 + ["c"] * 2


def test_the_curve_of_a_run_in_training_is_read_though_the_others_are_compacted(study: Study) -> None:
    study.compact()
    study.run_folder("c").mkdir()
    (study.run_folder("c") / "history.jsonl").write_text('{"step": 8, "loss": 4.0}\n{"step": 16, "lo')

    assert curves(study)["run_id"].tolist() == ["a", "a", "b", "b", "c"]


def test_a_second_compaction_reads_only_what_is_new(study: Study) -> None:
    study.compact()
    add_run(study, "c", loss=2.0)

    made = study.compact()

    assert (made.runs, made.added) == (3, 1)
    assert len(list((study.folder / "compacted").glob("history-*.parquet"))) == 2
    assert curves(study)["run_id"].tolist() == ["a", "a", "b", "b", "c", "c"]


def test_many_compactions_are_gathered_in_one_and_nothing_is_counted_twice(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lens, "_MOST_PARTS", 2)
    for run_id in ("c", "d"):
        study.compact()
        add_run(study, run_id, loss=2.0)
    study.compact()

    manifest = json.loads((study.folder / "compacted" / "manifest.json").read_text())

    assert len(manifest["parts"]) == 1
    assert curves(study)["run_id"].tolist() == ["a", "a", "b", "b", "c", "c", "d", "d"]


@pytest.mark.parametrize("damage", ["manifest", "part", "cut", "runs", "version"])
def test_a_damaged_compaction_is_read_past(study: Study, damage: str) -> None:
    study.compact()
    place = study.folder / "compacted"
    manifest = place / "manifest.json"
    match damage:
        case "manifest":
            manifest.write_text("{")
        case "version":
            manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 99'))
        case "part":
            next(place.glob("history-*.parquet")).unlink()
        case "cut":
            os.truncate(next(place.glob("history-*.parquet")), 200)
        case _:
            next(place.glob("runs-*.parquet")).write_bytes(b"not parquet")

    assert len(Study.open(study.folder).runs()) == 2
    assert len(curves(study)) == 4


def test_a_run_without_a_curve_and_an_empty_study_can_be_compacted(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "empty", "")
    assert study.compact().runs == 0
    study.save_run(Run(run_id="a", status="failed", reason="why"))

    assert study.compact().runs == 1
    assert list(study.runs().table["status"]) == ["failed"]


def test_old_parts_are_removed_an_hour_after_no_manifest_names_them(study: Study) -> None:
    study.compact()
    old = {path.name for path in (study.folder / "compacted").glob("*.parquet")}
    for name in old:
        aged(study.folder / "compacted" / name, since=2 * _HOUR)
    add_run(study, "a", loss=2.5)
    study.compact()

    assert not old & {path.name for path in (study.folder / "compacted").iterdir()}


def test_old_parts_that_a_query_may_still_read_stay(study: Study) -> None:
    study.compact()
    old = {path.name for path in (study.folder / "compacted").glob("*.parquet")}
    for name in old:
        aged(study.folder / "compacted" / name, since=_HOUR / 2)
    add_run(study, "a", loss=2.5)
    study.compact()

    assert old
    assert old <= {path.name for path in (study.folder / "compacted").iterdir()}


def test_a_query_reads_the_files_of_the_study_and_no_others(study: Study) -> None:
    secret = study.folder.parent / "secret.csv"
    secret.write_text("x\n1\n")
    named = str(secret).replace("'", "''")
    study.compact()

    with pytest.raises(InputError, match="Cannot answer the query"):
        study.query(f"SELECT * FROM history, read_csv('{named}')")


def test_an_unchanged_run_is_parsed_once_however_often_it_is_asked_for(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[object] = []
    real = json.loads

    def noted(text: bytes) -> object:
        parsed.append(text)
        return real(text)

    monkeypatch.setattr(json, "loads", noted)
    for _ in range(5):
        study.runs()
        study.run("a")
    add_run(study, "b", loss=1.0)

    assert list(study.runs().table["loss"]) == [3.5, 1.0]
    assert len(parsed) == 3
