"""MLflow's stores: a folder as MLflow writes it, a stand-in for its client, and whole stores of its own."""

from __future__ import annotations

import importlib
import importlib.util
import sqlite3
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from allometry.errors import InputError, MissingExtra, TableError
from allometry.runs.importers import find_importer
from allometry.runs.importers.mlflow import importer, service
from allometry.runs.importers.mlflow.folder import read_folder
from allometry.runs.importers.mlflow.records import Kept, record_of
from allometry.runs.importers.table import describe_mapping, read_runs

pytest.importorskip("yaml", reason="needs PyYAML: pip install 'allometry[mlflow]'")
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None or importlib.util.find_spec("alembic") is None,
    reason="needs MLflow with its databases: pip install 'allometry[mlflow]'",
)


def write_run(store: Path, experiment: str, name: str, status: int = 3, stage: str = "active") -> Path:
    """A run as the file store of MLflow 3.17 writes it; returns its folder."""
    folder = store / str(len(experiment)) / f"id{name}"
    for kind in ("params", "metrics/eval", "tags"):
        (folder / kind).mkdir(parents=True)
    (folder.parent / "meta.yaml").write_text(
        f"experiment_id: '{len(experiment)}'\nlifecycle_stage: active\nname: {experiment}\n"
    )
    (folder / "meta.yaml").write_text(
        f"end_time: 61500\nexperiment_id: '{len(experiment)}'\nlifecycle_stage: {stage}\nrun_id: id{name}\n"
        f"run_name: {name}\nstart_time: 1000\nstatus: {status}\ntags: []\nuser_id: unknown\n"
    )
    (folder / "params" / "learning_rate").write_text("3e-4")
    (folder / "params" / "num_params").write_text("1000000")
    (folder / "metrics" / "learning_rate").write_text("1000 0.0 2\n")
    (folder / "metrics" / "eval" / "loss").write_text("1000 4.0 0\n1002 3.5 2\n1001 3.75 1\n")
    (folder / "tags" / "team").write_text("x")
    (folder / "tags" / "mlflow.runName").write_text(name)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_run(tmp_path / "mlruns", "ladder", "d4")
    write_run(tmp_path / "mlruns", "ladder", "d6", status=5)
    write_run(tmp_path / "mlruns", "sweep", "s1")
    return tmp_path / "mlruns"


def columns(source: str | Path) -> dict[str, list[Any]]:
    return importer.read(str(source)).columns


# --- a folder


def test_a_folder_is_read_with_the_latest_metrics(store: Path) -> None:
    runs = read_runs(store)

    assert runs.table[["run_id", "name", "experiment", "status"]].to_numpy().tolist() == [
        ["idd4", "d4", "ladder", "done"],
        ["idd6", "d6", "ladder", "stopped"],
        ["ids1", "s1", "sweep", "done"],
    ]
    assert runs.table[["loss", "params", "seconds"]].iloc[0].tolist() == [3.5, 1e6, 60.5]
    assert "num_params -> params" in describe_mapping(runs)


def test_the_last_learning_rate_of_the_metrics_is_not_taken_for_the_peak(store: Path) -> None:
    assert read_runs(store).table["learning_rate"].tolist() == [3e-4] * 3


def test_tags_are_kept_except_those_of_mlflow_itself(store: Path) -> None:
    found = columns(store)

    assert found["tags.team"] == ["x"] * 3
    assert not [name for name in found if "mlflow" in name]


def test_one_experiment_is_chosen_by_its_name(store: Path) -> None:
    assert columns(f"mlflow:{store}#sweep")["name"] == ["s1"]
    with pytest.raises(InputError, match=r"no experiment 'ladde'\. Did you mean 'ladder'"):
        columns(f"mlflow:{store}#ladde")


def test_a_deleted_run_is_left_out(store: Path) -> None:
    write_run(store, "ladder", "d8", stage="deleted")

    assert "d8" not in columns(store)["name"]


def test_a_metric_that_a_killed_run_left_half_written_loses_nothing_before_it(store: Path) -> None:
    metrics = store / "6" / "idd6" / "metrics"
    (metrics / "eval" / "loss").write_text("1000 4.0 0\n1001 3.5 1\n1002 3.2 2")
    (metrics / "eval" / "bpb").write_text("")

    assert columns(f"mlflow:{store}#ladder")["eval/loss"] == ["3.5", "3.5"]


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "run_id: [",
        "a list",
        "run_id: 2026-13-45\n",
        "run_id: x\nstatus: 3\nstart_time: soon\n",
        "run_id: x\nstatus: 3\nstart_time: 1\nend_time: 9999999999999999\n",
    ],
)
def test_a_damaged_description_is_named(store: Path, damage: str) -> None:
    (store / "6" / "idd4" / "meta.yaml").write_text(damage)

    with pytest.raises(TableError, match=r"idd4.meta\.yaml is damaged: .*Move its folder away"):
        columns(store)


@pytest.mark.parametrize(
    ("state", "status"),
    [("FINISHED", "done"), ("FAILED", "failed"), ("KILLED", "stopped"), ("RUNNING", "stopped")],
)
def test_the_state_of_a_run_becomes_its_status(state: str, status: str) -> None:
    run = Kept(run_id="a", name="", experiment="e", state=state, start=0, end=None)

    assert record_of(run).facts["status"] == status


# --- what is refused, before MLflow would make a store of its own


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    for source in (f"mlflow:{tmp_path / 'none'}", f"sqlite:///{tmp_path / 'none.db'}", f"mlflow:{tmp_path}"):
        with pytest.raises(InputError, match=r"There is no|holds no experiment"):
            columns(source)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_something_else_is_refused_and_not_changed(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE trials (id INTEGER)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    (tmp_path / "garbage.db").write_bytes(b"no database, but longer than its header of one hundred bytes" * 3)

    with pytest.raises(TableError, match="without MLflow's tables"):
        columns(f"mlflow:{tmp_path / 'other.db'}")
    with pytest.raises(TableError, match="not an SQLite database"):
        columns(f"sqlite:///{tmp_path / 'garbage.db'}")
    assert (tmp_path / "other.db").read_bytes() == before


def test_without_mlflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)

    with pytest.raises(MissingExtra, match=r"needs mlflow\. Run: pip install 'allometry\[mlflow\]'"):
        columns("mlflow:https://mlflow.example.org")


def test_addresses_and_folders_of_experiments_are_recognised(store: Path) -> None:
    for source in ("mlflow:https://mlflow.example.org", "sqlite:///mlflow.db", str(store)):
        assert find_importer(source).name == "mlflow"
    assert not importer.recognises(str(store.parent))


# --- a server


class Page(list[Any]):
    """`mlflow.store.entities.PagedList`."""

    token: str | None = None


@dataclass
class Client:
    """`mlflow.MlflowClient`, two runs a page."""

    runs: list[SimpleNamespace]
    failure: Exception | None = None
    asked: list[Any] = field(default_factory=list)

    def search_experiments(self, max_results: int) -> Page:
        return Page([SimpleNamespace(experiment_id="1", name="ladder")])

    def search_runs(
        self, experiment_ids: list[str], max_results: int, order_by: list[str], page_token: str | None = None
    ) -> Page:
        if self.failure is not None:
            raise self.failure
        self.asked.append((experiment_ids, page_token))
        start = int(page_token or 0)
        page = Page(self.runs[start : start + 2])
        page.token = str(start + 2) if start + 2 < len(self.runs) else None
        return page


class Refused(Exception):
    """What the stand-in has for mlflow.exceptions.MlflowException."""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    def run(name: str) -> SimpleNamespace:
        info = {"run_id": name, "run_name": name, "experiment_id": "1", "status": "FINISHED"}
        data = SimpleNamespace(params={"lr": "3e-4"}, metrics={"eval/loss": 0.1 + 0.2}, tags={})
        return SimpleNamespace(info=SimpleNamespace(**info, start_time=0, end_time=1000), data=data)

    client = Client([run(name) for name in "abcde"])
    package = SimpleNamespace(
        MlflowClient=lambda tracking_uri: client, exceptions=SimpleNamespace(MlflowException=Refused)
    )
    monkeypatch.setattr(service, "needed", lambda *_: package)
    return client


def test_all_pages_of_a_server_are_read_to_the_last_digit(client: Client) -> None:
    table = read_runs("mlflow:https://mlflow.example.org#ladder").table

    assert table["run_id"].tolist() == list("abcde")
    assert table["loss"].tolist() == [0.1 + 0.2] * 5
    assert client.asked == [(["1"], None), (["1"], "2"), (["1"], "4")]


def test_what_a_server_refuses_is_said_with_its_reason(client: Client) -> None:
    client.failure = Refused("403 not yours")

    with pytest.raises(TableError, match=r"cannot read https://mlflow\.example\.org: 403 not yours"):
        columns("mlflow:https://mlflow.example.org")


# --- whole stores, made by MLflow


def make_store(uri: str) -> Any:
    client = importlib.import_module("mlflow").MlflowClient(tracking_uri=uri)
    for experiment, name, status in (("ladder", "d4", "FINISHED"), ("ladder", "d6", "KILLED")):
        found = client.get_experiment_by_name(experiment)
        where = found.experiment_id if found else client.create_experiment(experiment)
        run_id = client.create_run(where, run_name=name, tags={"team": "a: b"}).info.run_id
        client.log_param(run_id, "model/width", 256)
        for step, loss in ((0, 4.0), (2, 3.5), (1, 3.75)):
            client.log_metric(run_id, "eval/loss", loss, step=step)
        client.set_terminated(run_id, status)
    return client


@needs_mlflow
def test_a_folder_is_read_as_mlflow_itself_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = make_store((tmp_path / "mlruns").as_uri())
        theirs = sorted(service._runs(client, ""), key=lambda run: run.name)

    ours = sorted(read_folder(tmp_path / "mlruns"), key=lambda run: run.name)

    assert len(ours) == 2
    assert ours == theirs


@pytest.mark.slow
@needs_mlflow
def test_a_database_is_read_and_left_as_it_was(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    before = (tmp_path / "mlflow.db").read_bytes()

    table = read_runs(f"sqlite:///{tmp_path / 'mlflow.db'}").table

    assert table[["name", "status", "loss", "model/width"]].to_numpy().tolist() == [
        ["d4", "done", 3.5, 256],
        ["d6", "stopped", 3.5, 256],
    ]
    assert (tmp_path / "mlflow.db").read_bytes() == before
