"""What every importer must do for `read_runs`. A new one joins by one entry in FIXTURES."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from allometry.errors import AllometryError, MissingColumn, TableError
from allometry.runs.columns import COLUMNS
from allometry.runs.importers import IMPORTERS, Importer, find_importer
from allometry.runs.importers.published import TableFile
from allometry.runs.importers.table import describe_mapping, read_runs
from allometry.runs.run import Runs


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """A small source of one format, made up in its true shape, and what must be read from it.

    Attributes:
        write: Puts it below a folder, patching what stands for a service; returns the source.
        values: Canonical column to its values, one a run.
        read_as: Header of the source to the canonical column it must be shown to mean.
        needs: Module of an optional extra; without it the importer is skipped.
    """

    write: Callable[[Path, pytest.MonkeyPatch], str]
    values: Mapping[str, Sequence[Any]]
    read_as: Mapping[str, str] = field(default_factory=dict)
    needs: str = "allometry"


def file(name: str, content: str | bytes) -> Callable[[Path, pytest.MonkeyPatch], str]:
    """A source that is one file."""

    def write(folder: Path, patch: pytest.MonkeyPatch) -> str:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


TABLE: dict[str, list[Any]] = {"Model Size (B)": [7.0, 70.0], "D": [2e12, 1.4e12], "loss": [2.1, 1.9]}
ROWS = [dict(zip(TABLE, values, strict=True)) for values in zip(*TABLE.values(), strict=True)]
TABLE_VALUES = {"params": [7e9, 7e10], "tokens": [2e12, 1.4e12], "loss": [2.1, 1.9]}
TABLE_READ_AS = {"Model Size (B)": "params", "D": "tokens", "loss": "loss"}


def table(name: str, content: str | bytes) -> Fixture:
    return Fixture(write=file(name, content), values=TABLE_VALUES, read_as=TABLE_READ_AS)


def separated(separator: str) -> str:
    return "\n".join(separator.join(map(str, row)) for row in (TABLE, *(row.values() for row in ROWS)))


def parquet(folder: Path, patch: pytest.MonkeyPatch) -> str:
    path = folder / "runs.parquet"
    pd.DataFrame(TABLE).to_parquet(path)
    return str(path)


NANOCHAT = """\
Vocab size: 1,024
wte                     : 65,536
lm_head                 : 65,536
transformer_matrices    : 98,304
total                   : 229,376
Estimated FLOPs per token: 1.376256e+06
Calculated number of iterations from target FLOPs: 100
Total number of training tokens: 409,600
Total training FLOPs estimate: 5.637145e+11
Total batch size 4,096 => gradient accumulation steps: 1
step 00099/00100 (99.00%) | loss: 4.500000 | lrm: 0.06 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
Step 00100 | Validation bpb: 2.000000
"""
TRAINER_STATE = {
    "global_step": 100,
    "max_steps": 100,
    "num_input_tokens_seen": 819200,
    "total_flos": 5e12,
    "log_history": [
        {"step": 90, "loss": 3.0, "learning_rate": 6e-4},
        {"step": 100, "eval_loss": 2.5},
    ],
}
LM_EVAL = {
    "results": {"piqa": {"alias": "piqa", "acc,none": 0.625, "acc_stderr,none": 0.01}},
    "n-samples": {"piqa": {"original": 1838, "effective": 1838}},
    "model_name": "org/small",
}


def tensorboard(folder: Path, patch: pytest.MonkeyPatch) -> str:
    pb2 = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summary = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
    files = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    writer = files.EventFileWriter(str(folder / "run-a"))
    for step, loss in ((1, 4.0), (9, 3.5)):
        value = summary.Value(tag="eval/loss", simple_value=loss)
        writer.add_event(pb2.Event(wall_time=1e9 + step, step=step, summary=summary(value=[value])))
    writer.close()
    return str(folder)


def mlflow(folder: Path, patch: pytest.MonkeyPatch) -> str:
    for name, content in {
        "7/meta.yaml": "experiment_id: '7'\nlifecycle_stage: active\nname: ladder\n",
        "7/a1/meta.yaml": "run_id: a1\nrun_name: d4\nstatus: 3\nstart_time: 1000\nend_time: 61000\n",
        "7/a1/params/num_params": "1000000",
        "7/a1/metrics/eval/loss": "1000 4.0 0\n2000 3.5 9\n",
    }.items():
        file(f"mlruns/{name}", content)(folder, patch)
    return str(folder / "mlruns")


def published(folder: Path, patch: pytest.MonkeyPatch) -> str:
    source = file("prepared.csv", "params,tokens,flops,loss\n1e9,1e10,6e19,2.5\n")(folder, patch)
    found = (Path(source), TableFile(name="prepared.csv"))
    patch.setattr("allometry.runs.importers.published.reading.find_file", lambda _: found)
    return "published:hoffmann2022"


FIXTURES: dict[str, Fixture] = {
    "csv": table("runs.csv", separated(",")),
    "tsv": table("runs.tsv", separated("\t")),
    "parquet": Fixture(write=parquet, values=TABLE_VALUES, read_as=TABLE_READ_AS),
    "jsonl": table("runs.jsonl", "\n".join(map(json.dumps, ROWS))),
    "json": table("runs.json", json.dumps(ROWS)),
    "nanochat": Fixture(
        write=file("d2.log", NANOCHAT),
        values={
            "run_id": ["d2"],
            "status": ["done"],
            "params": [163840],
            "params_total": [229376],
            "tokens": [409600],
            "flops": [5.637145e11],
            "bits_per_byte": [2.0],
        },
        read_as={"params_wte": "params_embedding", "total_training_flops": "flops"},
    ),
    "huggingface": Fixture(
        write=file("run-a/trainer_state.json", json.dumps(TRAINER_STATE)),
        values={"run_id": ["run-a"], "loss": [2.5], "tokens": [819200], "flops": [5e12], "status": ["done"]},
        read_as={"eval_loss": "loss", "total_flos": "flops", "num_input_tokens_seen": "tokens"},
    ),
    "lm_eval": Fixture(
        write=file("results_2026-01-26T15-10-39.json", json.dumps(LM_EVAL)),
        values={"run_id": ["org/small"], "task": ["piqa"], "value": [0.625], "documents": [1838]},
        read_as={"n": "documents", "stderr": "stderr"},
    ),
    "tensorboard": Fixture(
        write=tensorboard,
        values={"run_id": ["run-a"], "loss": [3.5]},
        read_as={"eval/loss": "loss"},
        needs="tensorboard",
    ),
    "wandb": Fixture(
        write=file(
            "export.csv", '"ID","Name","State","Created","Runtime","eval/loss"\nx1,d4,finished,t,60,3.5\n'
        ),
        values={"run_id": ["x1"], "status": ["done"], "seconds": [60], "loss": [3.5]},
        read_as={"Runtime": "seconds", "eval/loss": "loss"},
    ),
    "mlflow": Fixture(
        write=mlflow,
        values={"run_id": ["a1"], "status": ["done"], "params": [1e6], "loss": [3.5], "seconds": [60]},
        read_as={"num_params": "params", "eval/loss": "loss", "duration_seconds": "seconds"},
        needs="yaml",
    ),
    "published": Fixture(
        write=published,
        values={"params": [1e9], "tokens": [1e10], "loss": [2.5], "params_convention": ["total"]},
        read_as={"flops": "flops"},
    ),
}


def test_every_importer_is_held_to_the_contract() -> None:
    assert set(FIXTURES) == set(IMPORTERS)


@pytest.fixture(params=list(FIXTURES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fixture(name: str) -> Fixture:
    return FIXTURES[name]


@pytest.fixture
def importer(name: str) -> Importer:
    return IMPORTERS[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the source alone."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def source(fixture: Fixture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip(fixture.needs, reason=f"the extra {fixture.needs} is not installed")
    return fixture.write(folder, monkeypatch)


@pytest.fixture
def runs(source: str) -> Runs:
    return read_runs(source)


def test_it_says_what_it_reads_and_where_the_format_comes_from(name: str, importer: Importer) -> None:
    assert importer.name == name
    assert importer.reads.endswith(".")
    assert importer.source


def test_it_maps_to_canonical_columns_only(importer: Importer) -> None:
    columns = [text.partition("*")[0].strip() for text in importer.columns.values() if text]

    assert set(columns) <= set(COLUMNS)


def test_its_source_is_recognised_without_naming_the_format(name: str, source: str) -> None:
    assert find_importer(source).name == name


@pytest.mark.parametrize("text", ["", ".csv", "nowhere/at/all", "\0", "odd:thing", "https://x.y/z"])
def test_it_never_fails_to_say_whether_a_source_is_its_own(importer: Importer, text: str) -> None:
    assert importer.recognises(text) in (True, False)


def test_what_was_written_is_read(fixture: Fixture, runs: Runs) -> None:
    assert {column: runs.table[column].tolist() for column in fixture.values} == dict(fixture.values)


def test_naming_the_format_changes_nothing(name: str, source: str, runs: Runs) -> None:
    pd.testing.assert_frame_equal(read_runs(source, format=name).table, runs.table)


def test_the_mapping_is_shown_and_kept(fixture: Fixture, runs: Runs) -> None:
    shown = describe_mapping(runs)

    assert {m.source: m.column for m in runs.mapping}.items() >= fixture.read_as.items()
    assert all(m.source in shown for m in runs.mapping)
    assert {m.column for m in runs.mapping} <= set(runs.table.columns)


def test_reading_twice_gives_the_same_runs(source: str, runs: Runs) -> None:
    again = read_runs(source)

    pd.testing.assert_frame_equal(again.table, runs.table)
    assert again.mapping == runs.mapping


def test_reading_leaves_the_source_as_it_was(source: str, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read_runs(source)

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_user_overrules_the_format(fixture: Fixture, source: str) -> None:
    header, column = next(iter(fixture.read_as.items()))

    runs = read_runs(source, columns={header: None})

    assert header in {m.source for m in runs.mapping}
    assert column not in {m.column for m in runs.mapping if m.source == header}


def test_a_column_that_is_not_there_is_an_error_with_the_way_out(runs: Runs) -> None:
    with pytest.raises(MissingColumn, match=r"has no 'energy_joules'\. It has: .*columns="):
        runs.require("energy_joules")


def test_two_headers_for_one_column_are_an_error_that_names_both(source: str, runs: Runs) -> None:
    first, second = (m.source for m in runs.mapping[:2])

    with pytest.raises(TableError) as refused:
        read_runs(source, columns={first: "tokens", second: "tokens"})

    assert f"'{first}' and '{second}'" in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"\0\xff\xfe\x80 no such format"], ids=["empty", "blank", "garbage"]
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(
    name: str, source: str, folder: Path, content: bytes
) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.write_bytes(content)

    with pytest.raises(TableError) as refused:
        read_runs(source, format=name)

    assert str(refused.value).endswith(".")


def test_a_file_cut_off_anywhere_ends_in_runs_or_in_a_sentence(name: str, source: str, folder: Path) -> None:
    whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    for path, content in whole.items():
        for end in range(0, len(content), max(1, len(content) // 30)):
            path.write_bytes(content[:end])
            runs_or_sentence(name, source)


def test_a_file_with_wrong_bytes_ends_in_runs_or_in_a_sentence(name: str, source: str, folder: Path) -> None:
    draw = random.Random(0)

    for path in [path for path in folder.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for _ in range(20):
            place = draw.randrange(len(content))
            path.write_bytes(content[:place] + draw.randbytes(3) + content[place + 3 :])
            runs_or_sentence(name, source)
        path.write_bytes(content)


def runs_or_sentence(name: str, source: str) -> None:
    try:
        outcome = len(read_runs(source, format=name))
    except AllometryError as error:
        outcome = str(error).endswith(".")
    assert outcome
