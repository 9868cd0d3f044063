"""A study in object storage answers as one in a folder does; what needs a folder says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import allometry as al
from allometry.cli import run as command
from allometry.errors import MissingExtra, StudyError
from allometry.runs.claiming import claimed
from allometry.runs.exporting import export
from allometry.runs.merging import merge
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.storage import create, open_place
from allometry.sweeps.fits import fit_study, load_fits
from allometry.sweeps.status import counts, study_status

fsspec = pytest.importorskip("fsspec", reason="object storage is read through fsspec")
upath = pytest.importorskip("upath", reason="object storage is read through universal_pathlib")

SPEC = """name = "demo"
[design]
kind = "given"
[[fits]]
law = "chinchilla"
draws = 20
"""
PLACE = "memory://studies/demo"


def save(study: Study, number: int, loss: float, *, lines: int = 2) -> None:
    """A finished run with its curve."""
    values = {"params": 1e6 * 2**number, "tokens": 2e7 * 3 ** (number % 3), "learning_rate": 0.01}
    values |= {"flops": 6 * values["params"] * values["tokens"], "loss": loss}
    run = Run(run_id=f"a{number}", status="done", values={"design": "given", "decayed": True, **values})
    study.save_run(run)
    curve = "".join(
        json.dumps({"step": step, "loss": loss + 1 / step}) + "\n" for step in range(1, lines + 1)
    )
    (study.run_folder(run.run_id) / "history.jsonl").write_bytes(curve.encode())


def fill(study: Study) -> Study:
    law = al.laws.chinchilla
    rng = np.random.default_rng(0)
    for number in range(9):
        inputs = {"params": 1e6 * 2**number, "tokens": 2e7 * 3 ** (number % 3)}
        save(study, number, float(law.evaluate(inputs, law.typical)) + 0.003 * rng.standard_normal())
    return study


@pytest.fixture
def remote() -> Iterator[Study]:
    yield fill(Study.create(PLACE, SPEC))
    fsspec.filesystem("memory").rm("/studies", recursive=True)


@pytest.fixture
def local(tmp_path: Path) -> Study:
    return fill(Study.create(tmp_path / "demo", SPEC))


def test_runs_curves_and_queries_are_those_of_a_folder(remote: Study, local: Study) -> None:
    again = Study.open(PLACE)

    assert again.spec() == local.spec()
    assert again.run_ids() == local.run_ids()
    assert again.runs().table.equals(local.runs().table)
    assert again.run("a3") == local.run("a3")
    assert again.run("none") is None
    assert again.history("a3").equals(local.history("a3"))
    assert again.history("none").empty
    asked = (
        "SELECT run_id, count(*) AS lines, min(h.loss) FROM history h JOIN runs USING (run_id) GROUP BY ALL"
    )
    assert again.query(f"{asked} ORDER BY 1").equals(local.query(f"{asked} ORDER BY 1"))
    assert counts(study_status(again)) == {"done": 9}


def test_a_compacted_study_is_read_from_few_objects_and_what_changed_from_its_own(
    remote: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allometry.runs.compaction._SETTLED_NS", -(10**9))
    assert remote.compact().runs == 9
    assert remote.compact().added == 0
    save(remote, 3, 1.25, lines=5)
    fetched: list[str] = []
    real = fsspec.implementations.memory.MemoryFileSystem.cat

    def noted(self: Any, path: list[str], **options: Any) -> Any:
        fetched.extend(path)
        return real(self, path, **options)

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "cat", noted)
    monkeypatch.setattr("allometry.runs.compaction._SETTLED_NS", 0)
    again = Study.open(PLACE)

    runs = again.runs().table.set_index("run_id")
    lines = again.query("SELECT run_id, count(*) AS lines FROM history GROUP BY 1").set_index("run_id")[
        "lines"
    ]

    assert {path.rpartition("/runs/")[2] for path in fetched} == {"a3/run.json", "a3/history.jsonl"}
    assert runs.loc["a3", "loss"] == 1.25
    assert (lines.sum(), lines["a3"]) == (8 * 2 + 5, 5)


def test_many_runs_take_one_listing_and_one_fetch(remote: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    kind = fsspec.implementations.memory.MemoryFileSystem
    for name in ("find", "cat", "info"):
        real = getattr(kind, name)

        def noted(self: Any, *given: Any, _real: Any = real, _name: str = name, **options: Any) -> Any:
            asked.append(_name)
            return _real(self, *given, **options)

        monkeypatch.setattr(kind, name, noted)
    study = Study(open_place(PLACE))

    assert len(study.runs()) == 9

    assert [name for name in asked if name != "info"] == ["find", "cat"]


def test_fits_are_kept_there(remote: Study, local: Study) -> None:
    made = fit_study(remote)["chinchilla"]

    assert made.coefficients == fit_study(local)["chinchilla"].coefficients
    assert load_fits(open_place(PLACE))["chinchilla"].coefficients == made.coefficients
    assert al.read_runs(PLACE).table.equals(al.read_runs(local.folder).table)


@pytest.mark.slow
def test_the_report_of_such_a_study_names_its_address(remote: Study) -> None:
    fit_study(remote)

    page = al.write_report(remote, f"{PLACE}/report.html")

    assert "allometry report memory://studies/demo" in page.read_text(encoding="utf-8")


def test_a_local_study_is_merged_into_one_that_is_not(local: Study) -> None:
    remote = Study.create("memory://studies/into", SPEC)
    try:
        assert len(merge(remote, local).copied) == 9
        assert remote.runs().table.equals(local.runs().table)
        assert remote.history("a1").equals(local.history("a1"))
        assert merge(remote, local).copied == ()
    finally:
        fsspec.filesystem("memory").rm("/studies", recursive=True)


def test_it_is_exported_as_a_file_here(remote: Study, tmp_path: Path) -> None:
    assert export(remote, tmp_path / "curves.parquet", curves=True).rows == 18


def test_what_needs_a_folder_says_so(remote: Study) -> None:
    with pytest.raises(
        StudyError, match=r"Making a run needs a folder, and memory://.* is in object storage"
    ):
        claimed(remote.run_folder("new")).__enter__()


def test_another_specification_is_refused_there_too(remote: Study) -> None:
    with pytest.raises(StudyError, match="already describes another study"):
        Study.create(PLACE, 'name = "other"')
    with pytest.raises(StudyError, match=r"memory://studies/none is not a study"):
        Study.open("memory://studies/none")


def test_a_storage_that_does_not_answer_is_not_taken_for_one_without_a_study(
    remote: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(type(remote.folder.fs), "info", forbidden)  # type: ignore[attr-defined]

    for words in (["status", PLACE], ["sweep", PLACE]):
        assert command(words) == 2
        said = capsys.readouterr().err
        assert f"{PLACE}/study.toml cannot be reached: Forbidden. See that the address is right" in said


def test_an_address_as_a_command_line_hands_it_over_is_the_same_place(remote: Study) -> None:
    assert Study.open(Path(PLACE)).folder == remote.folder
    assert al.read_runs(str(Path(PLACE))).table.equals(remote.runs().table)


def test_of_many_who_create_an_object_one_does(remote: Study) -> None:
    place = remote.folder / "one.json"

    assert [create(place, text) for text in (b"first", b"second")] == [True, False]
    assert place.read_bytes() == b"first"


def test_a_storage_that_nothing_reads_names_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Any) -> Any:
        raise ImportError("Install s3fs to access S3")

    of_s3 = type(upath.UPath("s3://bucket/study"))
    monkeypatch.setattr(of_s3, "fs", property(missing))

    with pytest.raises(MissingExtra, match=r"Install s3fs .* pip install 'allometry\[storage\]'"):
        open_place("s3://bucket/study")


def test_an_address_survives_the_command_line(remote: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["status", PLACE, "--json"]) == 0
    assert [row["run_id"] for row in json.loads(capsys.readouterr().out)] == remote.run_ids()
