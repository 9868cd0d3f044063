"""Wrong input to `allometry sweep`, as a newcomer gives it: one sentence, and the study is unharmed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allometry.cli import run

STUDY = """
name = "study"
[trainer]
kind = "command"
command = "{command}"
timeout_seconds = 0.5
[design]
kind = "{design}"
{cells}
[design.base]
tokens = 131_072
batch_tokens = 512
schedule = {{ kind = "linear" }}
architecture = {{ kind = "transformer", vocab = 257, context = 8, width = 16, layers = 1, heads = 1 }}
optimizer = {{ kind = "adamw", learning_rate = 0.01 }}
[design.base.data]
corpus = {{ kind = "files", paths = ["its own"] }}
tokenizer = {{ kind = "utf8_bytes" }}
"""
# By its seed: a result, none, an error, no end.
TRAINER = """
case $1 in
    0) echo '{"loss": 3}' ;;
    1) echo hello ;;
    2) echo 'CUDA out of memory' >&2; exit 3 ;;
    3) sleep 60 ;;
esac
"""


def written(
    folder: Path,
    *,
    command: str = "sh train.sh {seed}",
    design: str = "grid",
    cells: str = "vary = { seed = [0] }",
) -> Path:
    path = folder / "study.toml"
    path.write_text(STUDY.format(command=command, design=design, cells=cells))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands, with a trainer."""
    (tmp_path / "train.sh").write_text(TRAINER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begun(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A study with one run that is done."""
    assert run(["sweep", str(written(folder)), "--into", "begun", "--workers", "1"]) == 0
    capsys.readouterr()
    return folder / "begun"


def contents(study: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in study.rglob("*") if path.is_file()}


def sentence(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a command that is refused says: one line."""
    assert run(["sweep", *map(str, words)]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    return said.err


def test_a_field_that_no_recipe_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(folder, command="train --layers {n_layer}")

    for words in ([], ["--dry-run"]):
        assert "a field {n_layer} and a recipe has none of that name" in sentence(capsys, study, *words)
    assert not (folder / "study").exists()  # or the mended file would be another study's


def test_a_budget_smaller_than_the_cheapest_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(folder, design="iso_flop", cells="budgets = [1e6]")

    assert "The smallest model has 7.18k parameters and costs at least" in sentence(capsys, study)
    assert not (folder / "study").exists()


def test_a_study_of_a_newer_version(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = begun / "study.toml"
    spec.write_text(f"{spec.read_text()}\n[telemetry]\nsize = 4\n")
    before = contents(begun)

    said = sentence(capsys, begun)

    assert "has no key 'telemetry'. Leave it out, or use the version of allometry that knows it." in said
    assert contents(begun) == before


def test_a_file_that_is_a_folder_or_another_users_is_named(
    begun: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = begun.glob("runs/*/run.json")
    path.unlink()
    path.mkdir()

    assert f"Cannot use {path}: is a directory; see that it is there and yours to read" in sentence(
        capsys, begun
    )


def test_a_cluster_that_is_not_there(
    begun: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="runs are sent to Slurm by submitit")
    monkeypatch.setenv("PATH", str(begun))
    before = contents(begun)

    said = sentence(capsys, begun, "--executor", "slurm")

    assert said.endswith("Start the sweep on a node where sbatch works.\n")
    assert contents(begun) == before


def test_trainers_that_say_nothing_fail_or_hang_leave_the_others_whole_and_are_tried_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written(folder, cells="vary = { seed = [0, 1, 2, 3] }")

    assert run(["sweep", str(study), "--into", "into", "--workers", "2", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    (folder / "train.sh").write_text("""[ $1 = 0 ] || echo '{"loss": 4}'""")
    assert run(["sweep", "into", "--workers", "2", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)

    reasons = [row.get("reason") or "" for row in rows]
    assert "none of the lines it printed is a JSON object" in reasons[1]
    assert reasons[2] == "its trainer ended with code 3: CUDA out of memory"
    assert reasons[3] == "its trainer did not end within 0.5 s (timeout_seconds)"
    assert [row["status"] for row in rows] == ["done", "failed", "failed", "failed"]
    assert [row["loss"] for row in again] == [3, 4, 4, 4]
