"""A project in Weights & Biases, behind a stand-in for the small part of `wandb.Api` that is used."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from allometry.errors import CorruptFile, InputError, MissingExtra, UnknownName
from allometry.runs.importers import find_importer
from allometry.runs.importers.table import read_runs
from allometry.runs.importers.wandb import project
from allometry.runs.importers.wandb.address import read_address
from allometry.runs.importers.wandb.project import Connection, read_project

SOURCE = "wandb:lab/ladder"


class Unreachable(Exception):
    """What the stand-in raises for wandb.errors.CommError."""


@dataclass
class Server:
    """The runs of one project, and every request made: ("listing", …), ("full", …), ("history", …)."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    down: bool = False
    breaks_after: float = math.inf  # pages of runs in full

    def add(self, run_id: str, *, state: str = "finished", **more: Any) -> None:
        new = {"config": {}, "summary": {}, "history": [], "tags": [], "heartbeat": "t0"}
        self.runs[run_id] = new | {"state": state} | more

    def asked(self, kind: str) -> list[Any]:
        return [what for asked, what in self.requests if asked == kind]

    def connect(self) -> Connection:
        return Connection(open=lambda: Api(self), failures=(Unreachable,))


@dataclass
class Api:
    """`wandb.Api` 0.31: `runs` is lazy, pages are fetched while they are iterated over."""

    server: Server

    def runs(
        self, path: str, filters: Mapping[str, Any], per_page: int = 50, lazy: bool = True
    ) -> Iterator[FakeRun]:
        matching = [name for name in self.server.runs if self._matches(name, filters)]
        for start in range(0, max(len(matching), 1), per_page):
            if self.server.down or (not lazy and len(self.server.asked("full")) >= self.server.breaks_after):
                raise Unreachable("no route to host")
            if path != "lab/ladder":
                raise ValueError("Could not find project nosuch")
            page = matching[start : start + per_page]
            self.server.requests.append(("listing" if lazy else "full", page))
            yield from (FakeRun(self.server, name, lazy) for name in page)

    def _matches(self, name: str, filters: Mapping[str, Any]) -> bool:
        run = self.server.runs[name]
        return (
            all(self._matches(name, part) for part in filters.get("$and", []))
            and name in filters.get("name", {}).get("$in", [name])
            and ("tags" not in filters or bool({*run["tags"]} & {*filters["tags"]["$in"]}))
            and filters.get("config.width") in (None, run["config"].get("width"))
        )


@dataclass
class FakeRun:
    """`wandb.apis.public.Run`: a lazy one fetches its configuration or summary when it is asked for it."""

    server: Server
    id: str
    lazy: bool

    def __post_init__(self) -> None:
        kept = self.server.runs[self.id]
        self.name, self.state, self.tags = f"name of {self.id}", kept["state"], kept["tags"]
        self.heartbeat_at, self.created_at = kept["heartbeat"], "2026-01-01T00:00:00Z"

    @property
    def config(self) -> dict[str, Any]:
        return self._in_full("config")

    @property
    def summary_metrics(self) -> dict[str, Any]:
        return self._in_full("summary")

    def scan_history(self, keys: Sequence[str], page_size: int) -> Iterator[dict[str, Any]]:
        self.server.requests.append(("history", self.id))
        for row in self.server.runs[self.id]["history"]:
            if all(key in row for key in keys):
                yield {key: row[key] for key in keys}

    def _in_full(self, name: str) -> dict[str, Any]:
        if self.lazy:
            self.server.requests.append(("full", [self.id]))
        return json.loads(json.dumps(self.server.runs[self.id][name]))  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(project, "connect", server.connect)
    return server


def columns(source: str = SOURCE) -> dict[str, list[Any]]:
    return read_project(source).columns


# --- what a run becomes


def test_configuration_and_summary_become_the_columns_of_a_run(server: Server) -> None:
    config = {"lr": 3e-4, "model": {"n_layer": 4}, "betas": [0.9, 0.95], "parameter_count": 1_000_000}
    summary = {
        "eval/loss": 3.5, "throughput/total_tokens": 2e7, "throughput/total_gflops": 120.0, "_runtime": 60,
        "acc": {"max": 0.5}, "_wandb": {"runtime": 60}, "sample": {"_type": "image-file", "path": "x.png"},
    }  # fmt: skip
    server.add("a1", config=config, summary=summary, tags=["final"])

    row = read_runs(SOURCE).table.iloc[0]

    assert row[["run_id", "name", "status", "tags"]].tolist() == ["a1", "name of a1", "done", "final"]
    assert row[["params", "tokens", "flops"]].tolist() == [1e6, 2e7, 1.2e11]
    assert row[["loss", "learning_rate", "seconds"]].tolist() == [3.5, 3e-4, 60]
    assert row[["model.n_layer", "betas", "acc.max"]].tolist() == [4, "[0.9, 0.95]", 0.5]
    assert not [name for name in row.index if name.startswith(("_wandb", "sample"))]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("finished", "done"),
        ("crashed", "failed"),
        ("failed", "failed"),
        ("killed", "stopped"),
        ("running", "stopped"),
    ],
)
def test_the_state_of_a_run_becomes_its_status(server: Server, state: str, status: str) -> None:
    server.add("a1", state=state)

    assert columns()["status"] == [status]


def test_a_name_in_both_configuration_and_summary_is_two_columns(server: Server) -> None:
    server.add("a1", config={"tokens": 100}, summary={"tokens": 96})
    server.add("a2", config={"tokens": 100})

    found = columns()

    assert (found["config.tokens"], found["summary.tokens"]) == ([100, 100], [96, None])
    assert "tokens" not in found


@pytest.mark.parametrize("config", [{"lr": 3e-4}, {}])
def test_the_last_learning_rate_of_a_summary_is_not_taken_for_the_peak(
    server: Server, config: dict[str, Any]
) -> None:
    server.add("a1", config=config, summary={"lr": 0.0})

    found = columns()

    assert found["summary.lr"] == [0.0]
    assert found.get("lr", []) == list(config.values())


def test_a_loss_that_is_not_a_number_is_missing_and_not_text(server: Server) -> None:
    server.add("a1", summary={"train/loss": "NaN", "eval/loss": "Infinity"})

    found = columns()

    assert math.isnan(found["train/loss"][0])
    assert found["eval/loss"] == [math.inf]


def test_a_run_that_failed_at_its_start_does_not_make_the_others_unreadable(server: Server) -> None:
    server.add("a1", summary={"_runtime": 60, "train/global_step": 10, "throughput/total_tokens": 100})
    server.add("a2", state="crashed", summary={"_runtime": 0, "train/global_step": 0})

    table = read_runs(SOURCE).table

    assert table[["seconds", "steps", "tokens"]].iloc[0].tolist() == [60, 10, 100]
    assert table[["seconds", "steps", "tokens"]].iloc[1].isna().all()


# --- what is fetched


def test_a_second_read_fetches_only_what_is_new_or_went_on(server: Server) -> None:
    for name in ("done", "live", "resumed"):
        server.add(name, state="running" if name == "live" else "finished", summary={"eval/loss": 4.0})
    columns()
    server.requests.clear()
    server.add("new")
    server.add("resumed", heartbeat="t1", summary={"eval/loss": 3.0})

    found = columns()

    assert server.asked("full") == [["live", "resumed", "new"]]
    assert found["eval/loss"] == [4.0, 4.0, 3.0, None]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "_LISTED", 4)
    monkeypatch.setattr(project, "_FETCHED", 2)


@pytest.mark.usefixtures("small_pages")
def test_runs_are_listed_and_fetched_by_the_page_and_not_one_by_one(server: Server) -> None:
    for name in "abcdefghi":
        server.add(name)

    columns()

    assert server.asked("listing") == [list("abcd"), list("efgh"), ["i"]]
    assert server.asked("full") == [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"], ["i"]]


@pytest.mark.usefixtures("small_pages")
def test_runs_fetched_before_a_break_are_not_fetched_again(server: Server) -> None:
    for name in "abcd":
        server.add(name)
    server.breaks_after = 1
    with pytest.raises(InputError, match="what was fetched so far is kept"):
        columns()
    server.breaks_after = math.inf
    server.requests.clear()

    assert columns()["run_id"] == list("abcd")
    assert server.asked("full") == [["c", "d"]]


def test_a_run_deleted_on_the_server_is_gone(server: Server) -> None:
    server.add("kept")
    server.add("deleted")
    columns()
    del server.runs["deleted"]

    assert columns()["run_id"] == ["kept"]


# --- without network


def test_without_network_the_cache_answers_and_says_so(server: Server) -> None:
    server.add("a1", summary={"eval/loss": 3.5})
    online = columns()
    server.down = True

    with pytest.warns(UserWarning, match=r"no route to host.*1 runs of lab/ladder.*as they were on 20"):
        offline = columns()

    assert offline == online


def test_the_offline_mode_of_wandb_makes_no_request(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("a1")
    columns()
    server.requests.clear()
    monkeypatch.setenv("WANDB_MODE", "offline")

    with pytest.warns(UserWarning, match="WANDB_MODE says not to"):
        assert columns()["run_id"] == ["a1"]
    assert server.requests == []


def test_without_network_and_cache_the_way_out_is_named(server: Server) -> None:
    server.down = True

    with pytest.raises(InputError, match=r"no route to host.*were not read before.*wandb login"):
        columns()


def test_a_project_that_is_not_there_is_named(server: Server) -> None:
    with pytest.raises(InputError, match=r"Could not find project nosuch.*Check the name 'lab/nosuch'"):
        columns("wandb:lab/nosuch")


def test_two_servers_do_not_share_a_cache(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("a1")
    columns()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    server.down = True

    with pytest.raises(InputError, match="were not read before"):
        columns()


def test_a_damaged_file_of_the_cache_is_named(server: Server, cache: Path) -> None:
    server.add("a1")
    columns()
    (stored,) = cache.rglob("runs/a1.json")
    stored.write_text("{")

    with pytest.raises(CorruptFile, match=r"a1\.json is damaged.*Delete it"):
        columns()


@pytest.mark.parametrize("name", ["..", "a/../../../b", "con:1"])
def test_the_name_of_a_run_never_leads_out_of_the_cache(server: Server, cache: Path, name: str) -> None:
    server.add(name)

    assert columns()["run_id"] == [name]
    assert {path.parent.name for path in cache.rglob("*.json")} == {"runs", "listings"}


def test_without_wandb_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)

    with pytest.raises(MissingExtra, match=r"needs wandb\. Run: pip install 'allometry\[wandb\]'"):
        read_runs(SOURCE)


# --- which runs, and their history


def test_tags_and_filters_choose_runs(server: Server) -> None:
    server.add("a", tags=["ladder"], config={"width": 64})
    server.add("b", tags=["ladder"], config={"width": 128})
    server.add("c", tags=["other"], config={"width": 64})

    assert columns(f"{SOURCE}?tags=ladder,final")["run_id"] == ["a", "b"]
    assert columns(f'{SOURCE}?tags=ladder&filters={{"config.width": 64}}')["run_id"] == ["a"]


def test_a_history_is_one_row_a_logged_point_with_the_configuration(server: Server) -> None:
    history = [
        {"_step": 0, "train/loss": 9.0},
        {"_step": 1, "eval/loss": 4.0},
        {"_step": 2, "eval/loss": 3.5},
    ]
    server.add("a1", config={"width": 64}, summary={"eval/loss": 3.5}, history=history)
    server.add("a2", config={"width": 32})

    found = columns(f"{SOURCE}?history=eval/loss")

    assert found["run_id"] == ["a1", "a1"]
    assert (found["_step"], found["eval/loss"], found["width"]) == ([1, 2], [4.0, 3.5], [64, 64])


def test_the_history_of_a_finished_run_is_fetched_once_for_each_set_of_keys(server: Server) -> None:
    server.add("a1", history=[{"_step": 1, "x": 1.0, "y": 2.0}])

    for keys in ("x", "x", "x,y"):
        columns(f"{SOURCE}?history={keys}")

    assert server.asked("history") == ["a1", "a1"]
    assert server.asked("full") == [["a1"]]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("wandb:", "does not name a project"),
        ("wandb:lab", "does not name a project"),
        ("wandb:../ladder", "does not name a project"),
        ("wandb:lab/ladder/runs/a1", "does not name a project"),
        ("wandb:lab/ladder?filters=[1]", "not a JSON object"),
        ("wandb:lab/ladder?filters={", "not JSON"),
    ],
)
def test_an_address_that_is_none_is_refused_with_an_example(source: str, words: str) -> None:
    with pytest.raises(InputError, match=words + r".*wandb:entity/project\?tags="):
        read_address(source)


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'tags'"):
        read_address("wandb:lab/ladder?tag=a")


def test_an_address_is_recognised() -> None:
    assert find_importer(SOURCE).name == "wandb"


def test_the_wandb_package_has_what_is_asked_of_it() -> None:
    pytest.importorskip("wandb", reason="needs wandb: pip install 'allometry[wandb]'")
    public = importlib.import_module("wandb.apis.public")

    assert {"path", "filters", "per_page", "lazy"} <= set(inspect.signature(public.Api.runs).parameters)
    assert {"keys", "page_size"} <= set(inspect.signature(public.Run.scan_history).parameters)
    assert all(hasattr(public.Run, name) for name in ("id", "name", "state", "config", "summary_metrics"))
    assert project.connect().failures
