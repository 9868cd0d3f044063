"""read_runs: what is understood, what is said about it, and what is refused in one clear sentence."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allometry.errors import AllometryError, InputError, MissingColumn, TableError, UnknownName
from allometry.runs.columns import COLUMNS
from allometry.runs.importers.headers import read_header
from allometry.runs.importers.table import describe_mapping, read_runs
from allometry.runs.run import ColumnMapping, Run, Runs
from allometry.runs.study import Study

PUBLIC = Path(__file__).resolve().parents[4] / "shared" / "data"


def read_text(
    folder: Path, text: str, name: str = "runs.csv", columns: Mapping[str, str | None] | None = None
) -> Runs:
    (folder / name).write_bytes(text.encode())
    return read_runs(folder / name, columns=columns)


def public(name: str) -> Path:
    if not (PUBLIC / name).is_file():
        pytest.skip(f"public table {name} is not in {PUBLIC}")
    return PUBLIC / name


# --- what is understood


@pytest.mark.parametrize(
    ("header", "column", "scale"),
    [
        ("N", "params", 1.0),
        ("D", "tokens", 1.0),
        ("Model Size", "params", 1.0),
        ("Training FLOP", "flops", 1.0),
        ("parameters", "params", 1.0),
        ("compute_budget", "flops", 1.0),
        ("final_loss", "loss", 1.0),
        ("val_bpb", "bits_per_byte", 1.0),
        ("tokens_trained", "tokens", 1.0),
        ("Model Size (B)", "params", 1e9),
        ("Pretraining Data Size (T)", "tokens", 1e12),
        ("FLOPs (1E21)", "flops", 1e21),
        ("Compute (PF-days)", "flops", 8.64e19),  # 1e15 FLOP/s for 86,400 s
        ("total_gflops", "flops", 1e9),
        ("N (non-embedding)", "params", 1.0),
        ("tokens [billions]", "tokens", 1e9),
        ("params_M", "params", 1e6),
        ("energy (kWh)", "energy_joules", 3.6e6),
        ("train_time_sec", "seconds", 1.0),
        ("loss (bits/token)", "loss", math.log(2)),
    ],
)
def test_a_header_of_the_field_means_a_column_and_a_scale(header: str, column: str, scale: float) -> None:
    meaning = read_header(header)

    assert meaning is not None
    assert (meaning.column, meaning.scale) == (column, scale)


@pytest.mark.parametrize(
    "header",
    [
        "bs",
        "flops_budget",
        "batch_size",
        "train_loss",
        "n",
        "c",
        "D/N",
        "train_time",
        "loss (bits)",
        "tokens_t",
        "",
    ],
)
def test_a_header_that_leaves_open_what_it_counts_is_not_guessed(header: str) -> None:
    assert read_header(header) is None


def test_units_in_headers_and_prefixes_in_cells_become_base_units(tmp_path: Path) -> None:
    runs = read_text(tmp_path, 'Model Size (B),D,C,loss\n1.07,1.4T,5.88e23,2.1\n7,"1,000,000",1e21,2.5\n')

    assert runs.table["params"].tolist() == [1.07e9, 7e9]  # 1.07 * 1e9 is 1070000000.0000001
    assert runs.table["tokens"].tolist() == [1.4e12, 1e6]
    assert runs.table["flops"].tolist() == [5.88e23, 1e21]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.csv.gz", gzip.compress(b"N,loss\n7e9,2.5\n", mtime=0)),
        ("runs.tsv.GZ", gzip.compress(b"N\tloss\n7e9\t2.5\n", mtime=0)),
        ("runs.jsonl.zst", pa.compress(b'{"N": 7e9, "loss": 2.5}\n', codec="zstd", asbytes=True)),
        ("runs.csv", "N,loss\n7e9,2.5\n".encode("utf-16")),
        ("runs.csv", b"N;loss\n7e9;2.5\n"),
    ],
)
def test_a_table_is_read_through_its_packing_encoding_and_separator(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    assert read_runs(tmp_path / name).table[["params", "loss"]].iloc[0].tolist() == [7e9, 2.5]


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allometry.runs.importers.files._UNPACKED_BYTES", 1000)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"N,loss\n" + b"1,2\n" * 1000, mtime=0))

    with pytest.raises(TableError, match="unpacks to more than 1000 bytes"):
        read_runs(tmp_path / "bomb.csv.gz")


def test_flops_are_not_invented_from_parameters_and_tokens(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "N,D,loss\n1e6,2e7,4\n")

    assert "flops" not in runs.table.columns


def test_a_missing_value_stays_missing(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "N,loss,note\n1e6,,\n,NA,x\n")

    assert np.isnan(runs.column("loss")).all()
    assert np.isnan(runs.column("params")[1])
    assert runs.table["note"].isna().tolist() == [True, False]


def test_a_column_that_is_not_known_stays_as_found(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "loss,depth of tree,code,name\n3,12,007,2e84104x\n4,13,008,b\n")

    assert runs.table["depth of tree"].tolist() == [12, 13]
    assert runs.table["code"].tolist() == ["007", "008"]
    assert runs.table["name"].tolist() == ["2e84104x", "b"]


def test_the_name_of_a_run_is_text_even_if_it_looks_like_a_number(tmp_path: Path) -> None:
    assert read_text(tmp_path, "run_id,loss\n2e84104,3\n").table["run_id"].tolist() == ["2e84104"]


def test_the_convention_of_the_parameter_count_is_named(tmp_path: Path) -> None:
    stated = read_text(tmp_path, "N,loss\n1e6,3\n")
    without = read_text(tmp_path, "Non-embedding params,loss\n1e6,3\n")

    assert stated.table["params_convention"].tolist() == ["stated"]
    assert without.table["params_convention"].tolist() == ["non_embedding"]


def test_csv_tsv_jsonl_json_and_parquet_of_one_table_read_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame({"N": [1e6, 2e6], "D": [3e7, 4e7], "final_loss": [3.5, math.nan], "tag": ["a", "b"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "t.json", orient="records")
    frame.to_parquet(tmp_path / "t.parquet")

    tables = [read_runs(tmp_path / f"t.{s}").table for s in ("csv", "tsv", "jsonl", "json", "parquet")]
    for table in [*tables, read_runs(frame).table]:
        pd.testing.assert_frame_equal(table, tables[0], check_dtype=False)


def test_a_table_written_by_excel_with_a_byte_order_mark_reads(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("N,loss\r\n1e6,3\r\n".encode("utf-8-sig"))

    assert read_runs(tmp_path / "t.csv").table["params"].tolist() == [1e6]


def test_a_study_folder_gives_its_runs(tmp_path: Path) -> None:
    study = Study.create(tmp_path / "study", 'name = "demo"')
    study.save_run(Run(run_id="a1", status="done", values={"params": 1e6, "loss": 3.2}))

    assert read_runs(tmp_path / "study").table["run_id"].tolist() == ["a1"]


# --- what is said about it


def test_the_mapping_is_kept_and_described(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "Model Size (B),loss,MMLU,bs,loss (bits)\n7,2,0.5,64,2.9\n")

    assert runs.mapping[0] == ColumnMapping(source="Model Size (B)", column="params", scale=1e9)
    assert describe_mapping(runs).splitlines()[1:] == [
        "  Model Size (B) -> params, times 1e9",
        "  loss -> loss",
        "  bs: as found; it may count sequences or tokens",
        "  loss (bits): as found; the unit 'bits' of loss is not known",
        "  as found: MMLU",
    ]


def test_a_canonical_name_wins_over_an_alias_and_the_loser_is_named(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "params_no_embed,params,loss\n6e9,7e9,2\n")

    assert runs.table["params"].tolist() == [7e9]
    assert runs.table["params_no_embed"].tolist() == [6e9]
    assert "params_no_embed: as found; params is read from 'params'" in describe_mapping(runs)


def test_what_the_user_asks_for_wins_over_every_header(tmp_path: Path) -> None:
    text = "tokens,toks,bs,loss\n1,2e9,64,3\n"
    runs = read_text(tmp_path, text, columns={"toks": "tokens", "bs": "batch_tokens * 2048"})

    assert runs.table["tokens"].tolist() == [2e9]
    assert runs.table["tokens_as_found"].tolist() == [1]
    assert runs.table["batch_tokens"].tolist() == [64 * 2048]
    assert "tokens: as found under 'tokens_as_found'; tokens is read from 'toks'" in describe_mapping(runs)


def test_two_columns_can_change_names_with_each_other(tmp_path: Path) -> None:
    runs = read_text(
        tmp_path, "params,tokens,loss\n9e9,1e6,3\n", columns={"params": "tokens", "tokens": "params"}
    )

    assert runs.table["params"].tolist() == [1e6]
    assert runs.table["tokens"].tolist() == [9e9]


def test_a_column_can_be_left_as_found_on_request(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "flops,loss\n-4273379252772012032,3\n", columns={"flops": None})

    assert "flops" not in runs.table.columns
    assert runs.table["flops_as_found"].tolist() == [-4273379252772012032]
    assert "not taken for flops, as columns= or its format says" in describe_mapping(runs)


# --- what is refused


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("N,Model Size,loss\n1,2,3\n", None, ["'N' and 'Model Size'", "params", "columns="]),
        ("N,loss\n1e6,3\nlots,4\n", None, ["runs.csv", "'N'", "row 2", "'lots'", "columns="]),
        ("N,loss\n1e6,3\n1e6,4k\n", None, ["'loss'", "row 2", "'4k'"]),
        ("N,loss\n1e6,0\n", None, ["'loss'", "row 1", "not positive"]),
        ("N,loss\n-5,3\n", None, ["'N'", "row 1", "not positive"]),
        ('N,loss\n"1,5",3\n', None, ["row 1", "'1,5'", "comma"]),
        ("N (B),loss\n7B,3\n", None, ["row 1", "'7B'", "prefix"]),
        ("N,N,loss\n1,2,3\n", None, ["more than one column 'N'"]),
        ("N,loss\n1,2\n1,2,3\n", None, ["row 2 has 3 fields", "header has 2"]),
        ("N,D,loss\n1,2\n", None, ["row 1 has 2 fields", "header has 3"]),
        ("N;D;loss\n1,5;2;3\n", None, ["header is one field", "separated by ';'"]),
        ("N,loss\n7,3\n70B,2\n", None, ["'N'", "row 1", "7 has no prefix and '70B' in row 2 has one"]),
        ("1e6,2e9,3.2\n1e7,2e9,3\n", None, ["'1e6, 2e9, 3.2'", "numbers only", "params,tokens,loss"]),
        ("N,loss\n", None, ["no rows"]),
        ('N,loss\n"1,2', None, ["not a table", "line 2"]),
        ("", None, ["empty"]),
        (" \n \n", None, ["empty"]),
        ("status,loss\nfinished,3\n", None, ["'status'", "'finished'", "done, diverged"]),
        ("decayed,loss\nperhaps,3\n", None, ["'decayed'", "neither true nor false"]),
        ("N,loss\n1,2\n", {"M": "params"}, ["no column 'M'", "N, loss"]),
        ("size,loss\n1,2\n", {"sise": "params"}, ["Did you mean 'size'?"]),
        ("size,loss\n1,2\n", {"size": "parms"}, ["no canonical column 'parms'", "'params'"]),
        ("size,loss\n1,2\n", {"size": "params * many"}, ["'many'"]),
        ("size,loss\n1,2\n", {"size": "params * 0"}, ["positive"]),
        ("a,b,loss\n1,2,3\n", {"a": "params", "b": "params"}, ["'a' and 'b'", "params"]),
        ("tokens,tokens_as_found,toks\n1,2,3\n", {"toks": "tokens"}, ["'tokens_as_found'", "rename"]),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused_with_the_place(
    tmp_path: Path, text: str, columns: Mapping[str, str | None] | None, words: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        read_text(tmp_path, text, columns=columns)

    for word in words:
        assert word in str(refused.value)


def test_a_number_in_full_may_stand_beside_one_with_a_prefix(tmp_path: Path) -> None:
    runs = read_text(tmp_path, "N,steps,loss\n70000000,500,3\n7B,10k,2\n")

    assert runs.column("params").tolist() == [7e7, 7e9]
    assert runs.column("steps").tolist() == [500, 10_000]


def test_each_kind_of_refusal_has_its_type(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn):
        read_text(tmp_path, "a,loss\n1,2\n", columns={"b": "params"})
    with pytest.raises(UnknownName):
        read_text(tmp_path, "a,loss\n1,2\n", columns={"a": "b"})
    with pytest.raises(TableError):
        read_text(tmp_path, "a,a\n1,2\n")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"N,loss\n\xff,3\n", "not UTF-8"),
        ("t.csv", b"\xff\xfeN\x00,", "not UTF-16"),
        ("t.csv.gz", gzip.compress(b"N,loss\n1,3\n", mtime=0)[:-9], "compressed with gzip and damaged"),
        ("t.csv", b"\x28\xb5\x2f\xfd and no more", "compressed with zstd and damaged"),
        ("t.parquet", b"PAR1 and no more", "not a Parquet file"),
        ("t.jsonl", b'{"N": 1}\n{"N": \n', "line 2 is not JSON"),
        ("t.jsonl", b'{"N": 1}\n3\n', "row 2 is not an object"),
        ("t.json", b'{"N": 1}', "not a list of runs"),
        ("t.json", b"[" * 100_000, "not JSON"),
        ("t.jsonl", b'{"N": true}', "not a number"),
        ("t.jsonl", b'{"N": ' + b"9" * 400 + b"}", "too large"),
        ("t.xlsx", b"PK", "format="),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=words):
        read_runs(tmp_path / name)


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_runs(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"holds no study\.toml"):
        read_runs(tmp_path)
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        read_runs("a" * 5000)
    with pytest.raises(InputError, match=r"format 'parket'.*Did you mean 'parquet'"):
        read_runs(tmp_path / "none.csv", format="parket")


# --- anything at all ends in runs or in a sentence


cells = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["7B", "1.4T", "1e9", "-1", "nan", "", "1,5", "1e99999999999", "true", "0", "١٢"]),
    st.floats().map(repr),
)
headers = st.one_of(
    st.sampled_from(
        [*COLUMNS, "N", "D", "C", "Model Size (B)", "loss (bits)", "val_bpb", "total_gflops", "lr"]
    ),
    st.text(max_size=12),
)
fast = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def runs_or_sentence(path: Path) -> None:
    try:
        runs = read_runs(path)
    except AllometryError:
        return
    assert describe_mapping(runs)
    assert all(runs.column(c).dtype == np.float64 for c in map(str, runs.table.columns) if _is_number(c))


def _is_number(column: str) -> bool:
    return column in COLUMNS and COLUMNS[column].kind == "number"


@fast
@given(content=st.binary(max_size=200), suffix=st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]))
def test_arbitrary_bytes_end_in_runs_or_in_a_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"bytes.{suffix}"
    path.write_bytes(content)

    runs_or_sentence(path)


@fast
@given(data=st.data(), separator=st.sampled_from([",", "\t"]))
def test_a_random_table_ends_in_runs_or_in_a_sentence(
    tmp_path: Path, data: st.DataObject, separator: str
) -> None:
    names = data.draw(st.lists(headers, min_size=1, max_size=4))
    rows = data.draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=4))
    path = tmp_path / ("table.csv" if separator == "," else "table.tsv")
    path.write_text("\n".join(separator.join(row) for row in [names, *rows]), errors="replace")

    runs_or_sentence(path)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), cells),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@fast
@given(items=st.lists(st.one_of(st.dictionaries(headers, json_values, max_size=4), json_values), max_size=4))
def test_random_json_ends_in_runs_or_in_a_sentence(tmp_path: Path, items: list[Any]) -> None:
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(item) for item in items), errors="replace")
    (tmp_path / "t.json").write_text(json.dumps(items), errors="replace")

    runs_or_sentence(tmp_path / "t.jsonl")
    runs_or_sentence(tmp_path / "t.json")


# --- public tables


@pytest.mark.public_data
def test_the_runs_of_hoffmann_et_al_read_as_published() -> None:
    runs = read_runs(public("hoffmann_chinchilla_epoch.csv"))

    assert len(runs) == 245
    assert len(runs.where("excluded_in_published_fit = 0")) == 240
    # The table's own convention: flops is 6 * params * tokens.
    ratio = runs.column("flops") / (6 * runs.column("params") * runs.column("tokens"))
    np.testing.assert_allclose(ratio, 1, rtol=1e-6)


@pytest.mark.public_data
def test_the_table_of_open_models_reads_with_the_units_of_its_headers() -> None:
    runs = read_runs(public("obs_base_llm_benchmark_eval.csv"))
    llama = runs.table.loc[runs.table["Model"] == "meta-llama/Llama-2-7b-hf"].iloc[0]

    assert len(runs) == 148
    assert (llama["params"], llama["tokens"], llama["flops"]) == (7e9, 2e12, 8.4e22)  # 6 * 7e9 * 2e12


@pytest.mark.public_data
def test_a_table_whose_flops_overflowed_is_refused_and_read_without_them() -> None:
    path = public("gemstones_hot.csv")

    with pytest.raises(TableError, match=r"'flops', row 1.*not positive"):
        read_runs(path)
    assert len(read_runs(path, columns={"flops": None})) == 220
