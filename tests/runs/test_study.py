"""A study is a folder of files; whatever is half written or damaged is noticed or passed over."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from allometry.errors import CorruptFile, InputError, StudyError
from allometry.runs.exporting import export
from allometry.runs.run import Run
from allometry.runs.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "study", 'name = "demo"')
    for run_id, loss in (("a", 3.5), ("b", 3.25)):
        made.save_run(Run(run_id=run_id, status="done", values={"params": 1e6, "loss": loss}))
        lines = [json.dumps({"step": step, "loss": loss + 1 / step}) for step in (8, 16)]
        (made.run_folder(run_id) / "history.jsonl").write_text("\n".join(lines) + "\n")
    return made


def test_a_run_comes_back_as_it_was_saved(study: Study) -> None:
    run = Run(
        run_id="c", status="diverged", values={"loss": math.inf, "x": 0.1 + 0.2, "s": "é"}, reason="why"
    )

    study.save_run(run)

    assert study.run("c") == run


def test_runs_are_in_the_order_of_their_names(study: Study) -> None:
    study.save_run(Run(run_id="_", status="failed"))

    assert list(study.runs().table["run_id"]) == ["_", "a", "b"]


def test_a_run_that_has_not_ended_is_not_there(study: Study) -> None:
    (study.run_folder("c")).mkdir()
    (study.run_folder("c") / "recipe.toml").write_text("")

    assert study.run("c") is None
    assert len(study.runs()) == 2


def test_the_same_specification_opens_the_study_and_another_is_refused(study: Study) -> None:
    assert Study.create(study.folder, '# again\nname    = "demo"') == study

    with pytest.raises(
        StudyError, match=r"study\.toml already describes another study\. Choose another folder"
    ):
        Study.create(study.folder, 'name = "other"')


def test_what_differs_from_the_study_that_is_there_is_named(tmp_path: Path) -> None:
    Study.create(tmp_path / "s", 'name = "demo"\ntrainer = { kind = "command", command = "pyton" }')

    with pytest.raises(StudyError, match=r"They differ in trainer\.command: for the runs to come"):
        Study.create(tmp_path / "s", 'name = "demo"\ntrainer = { kind = "command", command = "python" }')


def test_an_address_of_no_storage_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StudyError, match="'hdfs' is no storage that is known; give a folder, or"):
        Study.create("hdfs://cluster/study", "")

    assert list(tmp_path.iterdir()) == []


def test_a_file_address_is_the_folder_it_names(tmp_path: Path) -> None:
    made = Study.create(f"file://{tmp_path}/s", "")

    assert made.folder == tmp_path / "s"
    assert Study.open(Path(f"file://{tmp_path}/s")) == made  # as a command line hands it over


def test_what_is_no_study_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"is not a study: it has no study\.toml\. Make one with: allometry"):
        Study.open(tmp_path)


def test_a_file_in_place_of_a_study_is_called_one(study: Study) -> None:
    with pytest.raises(StudyError, match=r"study\.toml is a file; give the folder of a study"):
        Study.open(study.folder / "study.toml")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", r"The query is empty\. There are two tables: runs and history"),
        (" ; ", "The query is empty"),
        ("SELECT los FROM runs", 'column "los" not found .* Did you mean .loss.'),
        ("SELECT * FROM run", "Did you mean .runs."),
        ("SELEC * FROM runs", 'syntax error at or near "SELEC"'),
        ("SELECT * FROM history h JOIN runs USING (run)", "There are two tables"),
    ],
)
def test_a_slip_in_a_query_is_one_sentence_with_the_nearest_name(study: Study, sql: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        study.query(sql)


def test_a_specification_that_is_not_toml_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.toml is not valid TOML: Invalid value"):
        Study.create(tmp_path / "new", "name = ")

    assert not (tmp_path / "new").exists()


def test_a_specification_that_is_not_utf8_is_refused_with_its_name(study: Study) -> None:
    (study.folder / "study.toml").write_bytes('name = "é"'.encode("latin-1"))

    with pytest.raises(InputError, match=r"study\.toml is not UTF-8 text \(byte 9\)"):
        study.spec()


def test_a_study_under_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StudyError, match="choose another folder"):
        Study.create(tmp_path / "file", "")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": "a"}', '{"run_id": "a", "sta', "\xff"])
def test_a_damaged_run_is_named_with_the_way_out(study: Study, content: str) -> None:
    (study.run_folder("a") / "run.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(CorruptFile, match=r"a.run\.json cannot be read as a run .* Delete it"):
        study.runs()


def test_a_damaged_run_hides_no_other_from_what_only_looks(study: Study, tmp_path: Path) -> None:
    (study.run_folder("a") / "run.json").write_text("{")

    with pytest.warns(UserWarning, match=r"Left out: .*a.run\.json cannot be read as a run .* Delete it"):
        seen = study.query("SELECT run_id FROM runs")

    assert list(seen["run_id"]) == ["b"]
    with pytest.warns(UserWarning, match="Left out"):
        assert export(Study.open(study.folder), tmp_path / "all.csv").rows == 1
    with pytest.raises(CorruptFile):
        study.runs()  # what fits or trains


def test_a_run_with_a_status_of_another_version_is_not_made_again(study: Study) -> None:
    path = study.run_folder("a") / "run.json"
    path.write_text('{"run_id": "a", "status": "paused", "reason": ""}')

    with pytest.raises(
        CorruptFile, match=r"has the status 'paused', .* use the version of allometry that wrote"
    ):
        study.run("a")


def test_a_run_that_is_taken_away_while_all_are_read_is_left_out(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def late(path: Path) -> bytes:
        if path.parent.name == "a":
            path.unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", late)

    assert [run.run_id for run in study.ended()] == ["b"]


def test_a_mended_run_is_seen_again(study: Study) -> None:
    path = study.run_folder("a") / "run.json"
    whole, looked = path.read_text(), study.to_look_at()
    path.write_text("{")
    with pytest.warns(UserWarning, match="Left out"):
        assert [run.run_id for run in looked.ended()] == ["b"]
    assert list(looked.unreadable()) == ["a"]

    path.write_text(whole)

    assert [run.run_id for run in looked.ended()] == ["a", "b"]
    assert looked.unreadable() == {}


def test_of_many_damaged_runs_a_few_are_named(study: Study) -> None:
    for number in range(9):
        study.save_run(Run(run_id=f"b{number}", status="done"))
        (study.run_folder(f"b{number}") / "run.json").write_text("{")

    with pytest.warns(UserWarning, match=r"b0.run\.json .* And 8 more: b1, b2, b3, b4, b5 …"):
        assert len(study.to_look_at().ended()) == 2


def test_a_copied_folder_is_named_before_its_run_counts_twice(study: Study) -> None:
    shutil.copytree(study.run_folder("a"), study.run_folder("a copy"))

    with pytest.raises(CorruptFile, match=r"a copy.run\.json is about run 'a': its folder was copied"):
        study.runs()


def test_a_history_has_a_row_for_each_line(study: Study) -> None:
    assert list(study.history("a")["step"]) == [8, 16]
    assert study.history("missing").empty


def test_a_line_of_a_curve_that_is_not_json_is_named(study: Study) -> None:
    curve = study.run_folder("a") / "history.jsonl"
    curve.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss"\n{"step": 3, "loss": 2.9}\n')

    with pytest.raises(CorruptFile, match=r"Line 2 of .*a.history\.jsonl is not JSON.*Take that line out"):
        study.history("a")


def test_a_line_that_is_being_written_is_not_read_yet(study: Study) -> None:
    with (study.run_folder("a") / "history.jsonl").open("a") as file:
        file.write('{"step": 24, "lo')

    assert list(study.history("a")["step"]) == [8, 16]
    assert list(study.query("SELECT step FROM history WHERE run_id = 'a' ORDER BY step")["step"]) == [8, 16]


def test_a_run_without_lines_yet_does_not_hinder_a_query(study: Study) -> None:
    study.run_folder("c").mkdir()
    (study.run_folder("c") / "history.jsonl").write_text("")

    assert study.query("SELECT count(*) AS n FROM history").loc[0, "n"] == 4


def test_a_study_that_has_just_begun_can_be_queried(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "new", "")
    nothing = study.query("SELECT run_id FROM history")
    study.run_folder("c").mkdir(parents=True)
    (study.run_folder("c") / "history.jsonl").write_text("")

    assert nothing.empty
    assert study.query("SELECT run_id FROM history").empty
    assert study.query("SELECT run_id, loss FROM runs").empty


def test_a_query_joins_runs_and_curves(study: Study) -> None:
    rows = study.query(
        "SELECT run_id, min(h.loss - r.loss) AS gap FROM runs r JOIN history h USING (run_id) "
        "GROUP BY run_id ORDER BY run_id"
    )

    assert list(rows["run_id"]) == ["a", "b"]
    assert list(rows["gap"]) == pytest.approx([1 / 16, 1 / 16])


@pytest.mark.parametrize(
    "sql", ["SELECT nothing FROM runs", "SELEC 1", "SELECT * FROM read_csv('/etc/passwd')"]
)
def test_a_query_that_cannot_be_answered_names_the_tables(study: Study, sql: str) -> None:
    with pytest.raises(InputError, match="There are two tables: runs and history"):
        study.query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1 AS a) TO '{folder}/evil.parquet'",
        "ATTACH '{folder}/evil.duckdb'",
        "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{folder}/evil.parquet'",
        "SELECT 1; COPY (SELECT 1 AS a) TO '{folder}/evil.parquet'",
        "CREATE TABLE mine AS SELECT 1",
    ],
)
def test_a_query_that_would_write_is_refused_and_nothing_is_written(study: Study, sql: str) -> None:
    study.compact()
    folder = study.folder / "compacted"
    before = sorted(folder.iterdir())

    with pytest.raises(InputError, match=r"A query only reads, and .* does not: write a SELECT"):
        study.query(sql.format(folder=folder))

    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "sql",
    ["FROM runs", "WITH a AS (FROM runs) FROM a", "DESCRIBE runs", "PIVOT runs ON status", "SUMMARIZE runs"],
)
def test_every_way_to_read_is_a_query(study: Study, sql: str) -> None:
    assert len(study.query(sql)) >= 1


def test_a_file_of_a_users_trainer_that_is_called_as_a_curve_has_no_steps(study: Study) -> None:
    for run_id in ("a", "b"):
        (study.run_folder(run_id) / "history.jsonl").write_text('{"epoch": 1}\nbad\n')

    assert study.query("SELECT * FROM history").empty


def test_a_folder_with_odd_signs_can_be_queried(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "it's [odd] *", "")
    study.save_run(Run(run_id="a", status="done", values={"loss": 3.0}))
    (study.run_folder("a") / "history.jsonl").write_text('{"step": 8, "loss": 4.0}\n')

    assert len(study.query("SELECT * FROM history WHERE run_id = 'a'")) == 1
