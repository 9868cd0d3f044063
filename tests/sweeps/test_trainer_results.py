"""What is read from a user's trainer: nothing it prints may damage a study or be taken for something else."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from allometry.errors import InputError, RecipeError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Ended
from allometry.sweeps.trainers import Command
from allometry.sweeps.trainers.curve import CurveReader
from allometry.sweeps.trainers.measured import measured
from allometry.sweeps.trainers.results import Finished, JsonLine, Patterns, PythonResult
from allometry.sweeps.trainers.watch import Watch


def finished(folder: Path, printed: str | bytes) -> Finished:
    data = printed.encode() if isinstance(printed, str) else printed
    (folder / "stdout.log").write_bytes(data)
    return Finished(folder=folder, directory=folder, fields={})


def test_a_result_with_the_names_of_the_studys_own_leaves_the_study_whole(study: Study, tiny: Recipe) -> None:
    script = study.folder / "train.sh"
    script.write_text("""echo '{"loss": 3, "run_id": "wandb-7", "status": "ok", "design": "mine"}'""")
    trainer = Command(command=f"sh {script}")
    job = Job(recipe=tiny, study=str(study.folder), design="grid", trainer=trainer)

    ended = trainer.make(job, Watch())

    (run,) = Study.open(study.folder).ended()
    assert isinstance(ended, Ended)
    assert (run.run_id, run.status, run.values["design"]) == (tiny.run_id, "done", "grid")
    assert (run.values["trainer_run_id"], run.values["trainer_status"]) == ("wandb-7", "ok")


@pytest.mark.parametrize("line", ['{"val": 2.0, "loss": 3.0}', '{"loss": 3.0, "val": 2.0}'])
def test_the_column_that_was_named_is_the_loss_whatever_else_is_called_so(tmp_path: Path, line: str) -> None:
    found = JsonLine(columns={"val": "loss"}).read(finished(tmp_path, line))

    assert found == {"loss": 2.0, "trainer_loss": 3.0}


def test_two_columns_cannot_be_the_loss() -> None:
    with pytest.raises(RecipeError, match="calls both 'a' and 'b' 'loss'"):
        JsonLine(columns={"a": "loss", "b": "loss"})


def test_text_where_a_number_must_be_is_no_result() -> None:
    with pytest.raises(InputError, match="its seconds is not a number: '12 s'"):
        measured({"loss": 3.0, "seconds": "12 s"})


def test_numbers_of_numpy_are_numbers_and_what_no_float_holds_is_infinite() -> None:
    found = measured({"loss": np.float32(0.5), "steps": np.int64(7), "huge": 10**400, "none": None})

    assert found == {"loss": 0.5, "steps": 7, "huge": float("inf")}
    assert {type(value) for value in found.values()} == {int, float}


@pytest.mark.parametrize("line", ['{"n": 1' + "0" * 5000 + "}", '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_json_that_python_cannot_hold_is_passed_over(tmp_path: Path, line: str) -> None:
    found = JsonLine().read(finished(tmp_path, f'{{"loss": 3.0}}\n{line}\n'))

    assert found == {"loss": 3.0}


def test_a_result_is_found_behind_bars_of_progress_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    printed = b'1%\r50%\r100%\r{"loss": 3.0}\n\xff\xfe\n'

    assert JsonLine().read(finished(tmp_path, printed)) == {"loss": 3.0}


def test_a_trainer_that_prints_without_end_is_read_without_its_memory(tmp_path: Path) -> None:
    chatter = (b"x" * 99 + b"\n") * 200_000  # 20 MB
    given = finished(tmp_path, chatter + b'{"loss": 3.0}\n' + chatter[:3_000_000])
    tracemalloc.start()
    try:
        found = JsonLine().read(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == {"loss": 3.0}
    assert peak < 8e6


def test_patterns_without_the_loss_are_refused() -> None:
    with pytest.raises(RecipeError, match="patterns has none for 'loss'; it has: lss"):
        Patterns(patterns={"lss": "loss ([0-9.]+)"})


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "has no function 'read'"),
        ("def read(:", "cannot be loaded: invalid syntax"),
        (None, "there is no"),
    ],
)
def test_a_function_that_cannot_read_results_is_refused_before_anything_is_trained(
    tmp_path: Path, tiny: Recipe, code: str | None, says: str
) -> None:
    if code is not None:
        (tmp_path / "mine.py").write_text(code)
    trainer = Command(command="train", result=PythonResult(function="mine.py:read"))

    with pytest.raises(InputError, match=says):
        trainer.require([tiny], device="cpu", directory=str(tmp_path))


@pytest.mark.parametrize("field", ["{folder:>9}", "{width!r}", "{width:.2q}"])
def test_a_format_that_a_field_does_not_take_is_refused(tiny: Recipe, field: str) -> None:
    with pytest.raises(InputError, match=r"The field .* (cannot be written so|is written without '!r')"):
        Command(command=f"train {field}").require([tiny], device="cpu", directory=".")


@pytest.mark.parametrize("line", ['{"epoch": 1}', '{"tokens": 5, "loss": null}', "{bad", "[1]"])
def test_a_curve_that_is_not_the_labs_says_nothing_of_progress(tmp_path: Path, line: str) -> None:
    (tmp_path / "history.jsonl").write_text(line + "\n")

    assert CurveReader(tmp_path, "a1").word() is None
