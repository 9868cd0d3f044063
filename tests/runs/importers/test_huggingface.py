"""Hugging Face Trainer: one row a run, at its last evaluation, with the model counted from headers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from allometry.errors import MissingColumn, TableError
from allometry.runs.importers.table import describe_mapping, read_runs

Entry = dict[str, Any]


def trained(step: int, rate: float, loss: float = 3.0) -> Entry:
    return {"epoch": step / 100, "learning_rate": rate, "loss": loss, "step": step}


def evaluated(step: int, loss: float, key: str = "eval_loss") -> Entry:
    return {"epoch": step / 100, key: loss, "eval_runtime": 1.5, "step": step}


CURVE = (trained(10, 1e-4), trained(20, 6e-4), evaluated(20, 3.5), trained(90, 3e-5), evaluated(100, 2.9))


def state(folder: Path, log: Sequence[Entry] = CURVE, **fields: Any) -> Path:
    """A trainer_state.json as the Trainer writes it, of 100 steps."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "best_metric": None,
        "epoch": 1.0,
        "global_step": 100,
        "is_world_process_zero": True,
        "log_history": list(log),
        "max_steps": 100,
        "num_input_tokens_seen": 819200,
        "num_train_epochs": 1,
        "total_flos": 5e12,
        "train_batch_size": 4,
    }
    path = folder / "trainer_state.json"
    path.write_text(json.dumps(whole | fields))
    return path


def safetensors(path: Path, **shapes: Sequence[int]) -> None:
    """A file of weights, all zero bytes, behind a true header."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name.replace("__", ".")] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


def test_a_run_is_read_at_its_last_evaluation(tmp_path: Path) -> None:
    row = read_runs(state(tmp_path / "run-a")).table.iloc[0]

    assert (row["run_id"], row["status"], row["loss"], row["steps"]) == ("run-a", "done", 2.9, 100)
    assert (row["tokens"], row["flops"], row["flops_convention"]) == (819200, 5e12, "6ND")
    assert (row["learning_rate"], row["warmup_steps"], row["epochs"]) == (6e-4, 20, 1.0)
    assert row["train_loss"] == 3.0


def test_a_schedule_is_finished_when_its_last_rate_is_a_tenth_of_its_peak_or_less(tmp_path: Path) -> None:
    state(tmp_path / "annealed")
    state(tmp_path / "cut", [trained(10, 6e-4), trained(90, 1e-4), evaluated(100, 2.9)])
    state(tmp_path / "unlogged", [evaluated(100, 2.9)])

    table = read_runs(tmp_path).table

    assert table["run_id"].tolist() == ["annealed", "cut", "unlogged"]
    assert table["decayed"].tolist() == [True, False, None]


def test_of_the_checkpoints_of_one_run_the_one_with_most_steps_counts(tmp_path: Path) -> None:
    state(tmp_path / "run-a", CURVE[:3], global_step=20)  # left from before the run was resumed
    state(tmp_path / "run-a" / "checkpoint-20", CURVE[:3], global_step=20)
    state(tmp_path / "run-a" / "checkpoint-100")
    state(tmp_path / "run-b" / "checkpoint-20", CURVE[:3], global_step=20)

    table = read_runs(tmp_path).table

    assert table["run_id"].tolist() == ["run-a", "run-b"]
    assert table["loss"].tolist() == [2.9, 3.5]
    assert table["status"].tolist() == ["done", "stopped"]


@pytest.mark.parametrize("below", ["checkpoint-100", "checkpoint-100/trainer_state.json"])
def test_a_checkpoint_is_named_after_its_run(tmp_path: Path, below: str) -> None:
    state(tmp_path / "run-a" / "checkpoint-100")

    assert read_runs(tmp_path / "run-a" / below).table["run_id"].tolist() == ["run-a"]


def test_tokens_and_flop_are_those_up_to_the_last_evaluation(tmp_path: Path) -> None:
    row = read_runs(state(tmp_path, CURVE[:4])).table.iloc[0]

    assert (row["loss"], row["steps"]) == (3.5, 20)
    assert (row["tokens"], row["flops"]) == (819200 * 20 / 100, 5e12 * 20 / 100)


def test_tokens_that_were_not_counted_are_missing_and_not_zero(tmp_path: Path) -> None:
    runs = read_runs(state(tmp_path, num_input_tokens_seen=0, total_flos=0))

    assert math.isnan(runs.column("tokens")[0])
    assert math.isnan(runs.column("flops")[0])


def test_a_training_loss_is_not_taken_for_a_held_out_one(tmp_path: Path) -> None:
    path = state(tmp_path, CURVE[:2])
    runs = read_runs(path)

    with pytest.raises(MissingColumn, match=r"no 'loss'.*train_loss.*columns="):
        runs.require("loss")
    assert "train_loss: as found; a training loss is not a held-out one" in describe_mapping(runs)
    assert read_runs(path, columns={"train_loss": "loss"}).column("loss").tolist() == [3.0]


def test_of_several_evaluation_sets_the_user_says_which_is_the_loss(tmp_path: Path) -> None:
    log = [evaluated(100, 2.9, "eval_c4_loss") | {"eval_code_loss": 1.4}]
    path = state(tmp_path, log)

    assert "loss" not in read_runs(path).table.columns
    assert read_runs(path, columns={"eval_code_loss": "loss"}).column("loss").tolist() == [1.4]


def test_a_run_whose_loss_is_nan_diverged(tmp_path: Path) -> None:
    assert read_runs(state(tmp_path, [evaluated(100, math.nan)])).table["status"].tolist() == ["diverged"]


def test_parameters_are_counted_from_the_headers_of_the_weights(tmp_path: Path) -> None:
    path = state(tmp_path)
    safetensors(tmp_path / "model-00001-of-00002.safetensors", model__embed_tokens__weight=(100, 8))
    safetensors(
        tmp_path / "model-00002-of-00002.safetensors",
        model__layers__0__mlp__up_proj__weight=(32, 8),
        lm_head__weight=(100, 8),
    )
    (tmp_path / "config.json").write_text('{"n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 100}')

    row = read_runs(path).table.iloc[0]

    assert (row["params"], row["params_convention"], row["params_total"]) == (1856, "total", 1856)
    assert (row["params_embedding"], row["params_head"]) == (800, 800)
    assert (row["width"], row["layers"], row["heads"], row["vocab"]) == (8, 1, 2, 100)


def test_a_tied_head_counts_once(tmp_path: Path) -> None:
    path = state(tmp_path / "run" / "checkpoint-100")
    safetensors(path.parent / "model.safetensors", transformer__wte__weight=(100, 8), h__0__weight=(8, 8))

    row = read_runs(tmp_path).table.iloc[0]

    assert (row["params_total"], row["params_embedding"], row["params_head"]) == (864, 800, 0)


@pytest.mark.parametrize(
    ("metadata", "config"),
    [
        ({"total_size": 2000}, {"torch_dtype": "bfloat16"}),
        ({"total_size": 4000}, {"dtype": "float32"}),
        ({"total_size": 9999, "total_parameters": 1000}, {}),
    ],
)
def test_the_index_of_the_weights_gives_the_total(tmp_path: Path, metadata: Entry, config: Entry) -> None:
    path = state(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": metadata}))

    assert read_runs(path).column("params_total").tolist() == [1000]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"global_step": 3}', '{"global_step": "3", "log_history": [3]}']
)
def test_a_file_that_is_no_state_of_a_trainer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "trainer_state.json").write_text(content)

    with pytest.raises(TableError, match="not"):
        read_runs(tmp_path / "trainer_state.json")


@pytest.mark.parametrize(
    "content", [b"", b"\x05", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"[:9], b"\x03" + b"\0" * 7 + b'"x"']
)
def test_damaged_weights_are_refused_and_never_unpickled(tmp_path: Path, content: bytes) -> None:
    path = state(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(TableError, match="not a safetensors file"):
        read_runs(path)
