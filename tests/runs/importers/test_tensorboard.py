"""Event files of TensorBoard: one row a run, written here by TensorBoard's own writer."""

from __future__ import annotations

import importlib
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from allometry.errors import InputError, MissingExtra, TableError
from allometry.runs.importers import find_importer
from allometry.runs.importers.table import read_runs
from allometry.runs.importers.tensorboard import importer, read_folder

pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'allometry[tensorboard]'")


def tb(module: str) -> ModuleType:
    return importlib.import_module(f"tensorboard.{module}")


def write(folder: Path, *events: Mapping[str, Any]) -> Path:
    """Write events, each {"step", "time", tag: value}, and return the file."""
    Event, Summary = tb("compat.proto.event_pb2").Event, tb("compat.proto.summary_pb2").Summary
    writer = tb("summary.writer.event_file_writer").EventFileWriter(str(folder))
    for event in events:
        values = [
            value if isinstance(value, Summary.Value) else Summary.Value(tag=tag, simple_value=value)
            for tag, value in event.items()
            if tag not in ("step", "time")
        ]
        writer.add_event(
            Event(wall_time=event.get("time", 1e9), step=event.get("step", 0), summary=Summary(value=values))
        )
    writer.close()
    return max(folder.glob("*tfevents*"), key=lambda path: path.stat().st_mtime_ns)


def hparams(**values: Any) -> Mapping[str, Any]:
    summary = tb("plugins.hparams.summary_v2").hparams_pb(values)
    return {value.tag: value for value in summary.value}


def cells(folder: Path) -> dict[str, list[Any]]:
    return read_folder(str(folder)).columns


def test_each_folder_is_a_run_with_the_last_value_of_each_scalar(tmp_path: Path) -> None:
    write(tmp_path / "sweep" / "a", {"step": 1, "eval/loss": 4.0}, {"step": 9, "eval/loss": 3.5})
    write(tmp_path / "sweep" / "b", {"step": 5, "eval/loss": 3.25, "tokens": 1e6})

    runs = read_runs(tmp_path / "sweep")

    assert runs.table["run_id"].tolist() == ["a", "b"]
    assert runs.table["loss"].tolist() == [3.5, 3.25]
    assert runs.table["last_step"].tolist() == [9, 5]
    np.testing.assert_array_equal(runs.column("tokens"), [math.nan, 1e6])


def test_seconds_are_added_over_restarts_without_the_pause_between(tmp_path: Path) -> None:
    start = time.time()  # the first event of a file is its version, stamped with the time of writing
    write(tmp_path / "r", {"time": start + 60}, {"time": start + 100, "x": 1.0}).rename(
        tmp_path / "r" / "1.tfevents"
    )
    write(tmp_path / "r", {"time": start + 50, "x": 2.0}).rename(tmp_path / "r" / "2.tfevents")

    assert read_runs(tmp_path).column("seconds")[0] == pytest.approx(100 + 50, abs=1)


def test_a_restarted_run_goes_on_in_a_second_file(tmp_path: Path) -> None:
    write(tmp_path / "r", {"step": 1, "eval/loss": 4.0}).rename(tmp_path / "r" / "events.out.tfevents.1.host")
    write(tmp_path / "r", {"step": 2, "eval/loss": 3.0}).rename(tmp_path / "r" / "events.out.tfevents.2.host")

    assert cells(tmp_path)["eval/loss"] == [3.0]


@pytest.mark.parametrize("lost", [1, 4, 13, 20])
def test_a_record_cut_short_loses_nothing_before_it(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "killed", {"step": 1, "eval/loss": 4.0}, {"step": 2, "eval/loss": 3.0})
    path.write_bytes(path.read_bytes()[:-lost])

    assert cells(tmp_path)["eval/loss"] == [4.0]


def test_hyperparameters_are_columns_of_the_run(tmp_path: Path) -> None:
    write(tmp_path / "r", hparams(lr=3e-4, optimizer="adamw", tied=True), {"eval/loss": 3.0})

    runs = read_runs(tmp_path)

    assert runs.table["learning_rate"].tolist() == [3e-4]
    assert runs.table[["optimizer", "tied"]].iloc[0].tolist() == ["adamw", True]


def test_hyperparameters_that_pytorch_wrote_below_a_run_belong_to_the_run(tmp_path: Path) -> None:
    write(tmp_path / "r", {"eval/loss": 3.0})
    write(tmp_path / "r" / "1795332305.6", hparams(width=256), {"hparam/best": 2.5})

    table = read_runs(tmp_path).table

    assert table["run_id"].tolist() == ["r"]
    assert table[["loss", "width", "hparam/best"]].iloc[0].tolist() == [3.0, 256.0, 2.5]


def test_the_runs_of_a_sweep_that_tensorflow_describes_above_them_stay_apart(tmp_path: Path) -> None:
    described = {
        value.tag: value for value in tb("plugins.hparams.summary_v2").hparams_config_pb([], []).value
    }
    write(tmp_path, described)
    write(tmp_path / "run-0", hparams(width=64), {"eval/loss": 4.0})
    write(tmp_path / "run-1", hparams(width=128), {"eval/loss": 3.0})

    assert cells(tmp_path)["run_id"] == ["run-0", "run-1"]


def test_a_scalar_as_tensorflow_2_writes_it_is_read(tmp_path: Path) -> None:
    Summary, tensor = tb("compat.proto.summary_pb2").Summary, tb("util.tensor_util").make_tensor_proto
    metadata = tb("plugins.scalar.metadata").create_summary_metadata(display_name="", description="")
    said = Summary.Value(tag="eval/loss", tensor=tensor(np.float32(3.5)), metadata=metadata)
    unsaid = Summary.Value(tag="eval/loss", tensor=tensor(np.float32(3.25)))
    write(tmp_path, {"eval/loss": said}, {"eval/loss": unsaid})

    assert cells(tmp_path)["eval/loss"] == [3.25]


def test_a_logged_learning_rate_gives_its_peak_and_not_the_end_of_its_decay(tmp_path: Path) -> None:
    write(tmp_path, *({"step": step, "lr": rate} for step, rate in enumerate([0.0, 0.5, 0.25, 0.0])))

    assert read_runs(tmp_path).table["learning_rate"].tolist() == [0.5]


def test_a_bare_loss_is_not_taken_for_a_held_out_loss(tmp_path: Path) -> None:
    write(tmp_path, {"loss": 2.0, "val_loss": 3.0})

    assert read_runs(tmp_path).table["loss"].tolist() == [3.0]


def test_event_files_are_recognised_below_the_folder_given(tmp_path: Path) -> None:
    write(tmp_path / "lightning_logs" / "version_0", {"x": 1.0})

    assert find_importer(str(tmp_path)).name == "tensorboard"
    assert find_importer(f"tensorboard:{tmp_path}").name == "tensorboard"
    assert not importer.recognises(str(tmp_path / "none"))


def test_a_folder_without_runs_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"not a record, and longer than a header is")

    with pytest.raises(TableError, match="no event file holds a scalar; give the folder"):
        read_folder(str(tmp_path))
    with pytest.raises(InputError, match="There is no folder"):
        read_folder(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no event files"):
        read_folder(str(tmp_path / "empty"))


def test_a_record_that_is_no_event_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "events.out.tfevents.1.host").open("wb") as file:
        tb("summary.writer.record_writer").RecordWriter(file).write(b"\xff\xff\xff\xff")

    with pytest.raises(TableError, match="not an event file"):
        read_folder(str(tmp_path))


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"x": 1.0})
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)

    with pytest.raises(MissingExtra, match=r"pip install 'allometry\[tensorboard\]'"):
        read_folder(str(tmp_path))
