"""lm-evaluation-harness: every score with its standard error, groups apart from tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from allometry.errors import TableError
from allometry.runs.importers import find_importer
from allometry.runs.importers.table import read_runs

RESULTS: dict[str, Any] = {
    "results": {
        "mmlu": {"acc,none": 0.5, "acc_stderr,none": 0.01, "alias": "mmlu"},
        "mmlu_law": {"alias": " - law", "acc,none": 0.25, "acc_stderr,none": 0.1},
        "gsm8k": {
            "alias": "gsm8k",
            "sample_len": 1319,
            "exact_match,strict-match": 0.125,
            "exact_match_stderr,strict-match": 0.009,
            "exact_match,flexible-extract": 0.15,
            "exact_match_stderr,flexible-extract": 0.0098,
        },
        "wikitext": {"word_perplexity,none": 21.5, "word_perplexity_stderr,none": "N/A"},
    },
    "groups": {"mmlu": {"acc,none": 0.5, "acc_stderr,none": 0.01, "alias": "mmlu"}},
    "group_subtasks": {"mmlu": ["mmlu_law"], "gsm8k": [], "wikitext": []},
    "versions": {"mmlu": 2, "mmlu_law": 1.0, "gsm8k": 3.0},
    "n-shot": {"mmlu_law": 5, "gsm8k": 8},
    "higher_is_better": {"gsm8k": {"exact_match": True}, "wikitext": {"word_perplexity": False}},
    "n-samples": {"mmlu_law": {"original": 100, "effective": 20}},
    "config": {"model": "hf", "model_args": {"pretrained": "org/small"}, "model_num_parameters": 160_000_000},
    "date": 1769440186.4,
    "model_name": "org/small",
}


def results(folder: Path, name: str = "results_2026-01-26T15-10-39.json", **fields: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(RESULTS | fields))
    return path


def score(table: pd.DataFrame, task: str, **named: str) -> pd.Series:
    for column, value in ({"task": task} | named).items():
        table = table.loc[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_each_score_is_one_row_with_its_standard_error(tmp_path: Path) -> None:
    table = read_runs(results(tmp_path)).table

    strict = score(table, "gsm8k", filter="strict-match")
    assert (strict["metric"], strict["value"], strict["stderr"]) == ("exact_match", 0.125, 0.009)
    assert score(table, "gsm8k", filter="flexible-extract")["value"] == 0.15
    assert (strict["run_id"], strict["params_total"]) == ("org/small", 1.6e8)
    assert (strict["n_shot"], strict["version"], strict["higher_is_better"]) == (8, 3.0, True)


def test_a_group_is_one_row_and_says_that_it_is_one(tmp_path: Path) -> None:
    table = read_runs(results(tmp_path)).table

    assert score(table, "mmlu")["kind"] == "group"
    assert score(table, "mmlu_law")["kind"] == "task"


def test_documents_are_those_that_were_scored_not_those_there_are(tmp_path: Path) -> None:
    assert score(read_runs(results(tmp_path)).table, "mmlu_law")["documents"] == 20


def test_a_standard_error_that_is_not_available_is_missing(tmp_path: Path) -> None:
    perplexity = score(read_runs(results(tmp_path)).table, "wikitext")

    assert pd.isna(perplexity["stderr"])
    assert perplexity["higher_is_better"] is False


@pytest.mark.parametrize(
    ("fields", "run"),
    [
        ({"model_name": "org/small"}, "org/small"),
        ({"model_name": ""}, "org/small"),
        ({"config": {"model_args": "pretrained=org/small,revision=step1000"}}, "org/small@step1000"),
        ({"config": {"model_args": "pretrained=org/small,revision=main"}}, "org/small"),
        ({"model_name": None, "config": {"model_args": "pretrained=a,peft=b"}}, "b"),
        ({"model_name": None, "config": None}, "results_2026-01-26T15-10-39"),
    ],
)
def test_a_run_is_a_model_at_a_revision(tmp_path: Path, fields: dict[str, Any], run: str) -> None:
    assert set(read_runs(results(tmp_path, **fields)).table["run_id"]) == {run}


def test_a_folder_is_read_whole_and_other_json_is_passed_over(tmp_path: Path) -> None:
    results(tmp_path, "a/results_2026-01-26T15-10-39.json")
    results(tmp_path, "b/mine_2026-01-27T15-10-39.1.json", model_name="org/large")
    (tmp_path / "a" / "results_table.json").write_text("[]")
    (tmp_path / "a" / "samples_gsm8k_2026-01-26T15-10-39.jsonl").write_text("{}")

    assert find_importer(str(tmp_path)).name == "lm_eval"
    assert set(read_runs(tmp_path).table["run_id"]) == {"org/small", "org/large"}


def test_results_of_version_0_3_are_read_without_filters(tmp_path: Path) -> None:
    old = {"results": {"piqa": {"acc": 0.7, "acc_stderr": 0.01}}, "versions": {"piqa": 0}, "config": {}}
    (tmp_path / "old.json").write_text(json.dumps(old))

    row = score(read_runs(tmp_path / "old.json").table, "piqa")

    assert (row["metric"], row["filter"], row["value"], row["stderr"]) == ("acc", "none", 0.7, 0.01)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "is not a result of lm-evaluation-harness"),
        ('{"results": {"piqa": 3}}', "is not a result of lm-evaluation-harness"),
        ('{"results": {"piqa": {"alias": "piqa"}}}', "holds no scores"),
        ('{"results": {"piqa": {"acc,', "not JSON"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "results_1.json").write_text(content)

    with pytest.raises(TableError, match=words):
        read_runs(tmp_path / "results_1.json", format="lm_eval")
