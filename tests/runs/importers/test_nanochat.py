"""nanochat: what its logs and its sweep tables say, and that a run cut short is not taken for a whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.errors import TableError
from allometry.runs.importers import find_importer
from allometry.runs.importers.table import describe_mapping, read_runs

# A transformer of 2 blocks, width 64, vocabulary 1024, context 256, one batch of 4096 tokens a step.
# FLOP per token: 6 * (98,304 + 65,536) + 2 * 12 * 64 * 256 = 1,376,256.
HEAD = """\
Autodetected device type: cuda
Vocab size: 1,024
Model config:
{
  "sequence_len": 256,
  "vocab_size": 1024,
  "n_layer": 2,
  "n_head": 1,
  "n_kv_head": 1,
  "n_embd": 64,
  "window_pattern": "L"
}
Parameter counts:
wte                     : 65,536
value_embeds            : 65,536
lm_head                 : 65,536
transformer_matrices    : 98,304
scalars                 : 4
total                   : 294,916
Estimated FLOPs per token: 1.376256e+06
Calculated number of iterations from target data:param ratio: 100
Total number of training tokens: 409,600
Tokens : Scaling params ratio: 2.50
Total training FLOPs estimate: 5.637145e+11
Total batch size 4,096 => gradient accumulation steps: 1
Step 00000 | Validation bpb: 3.100000
step 00000/00100 (0.00%) | loss: 6.931000 | lrm: 0.50 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
step 00049/00100 (49.00%) | loss: 5.100000 | lrm: 1.00 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
Step 00050 | Validation bpb: 2.200000
step 00050/00100 (50.00%) | loss: 5.000000 | lrm: 1.00 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
step 00060/00100 (60.00%) | loss: 4.900000 | lrm: 0.80 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
"""
TAIL = """\
step 00099/00100 (99.00%) | loss: 4.500000 | lrm: 0.06 | dt: 9.00ms | tok/sec: 1,000 | epoch: 1
Step 00100 | Validation bpb: 2.000000
Step 00100 | CORE metric: 0.0123
Total training time: 1.50m
Minimum validation bpb: 1.990000
"""


def log(folder: Path, text: str, name: str = "d2.log") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_log_is_one_run_with_its_granular_counts(tmp_path: Path) -> None:
    row = read_runs(log(tmp_path, HEAD + TAIL)).table.iloc[0]

    assert (row["run_id"], row["status"]) == ("d2", "done")
    assert (row["params_embedding"], row["params_head"], row["params_total"]) == (65536, 65536, 294916)
    assert (row["params"], row["params_convention"]) == (98304 + 65536, "matmul")
    assert (row["layers"], row["width"], row["heads"], row["context"], row["vocab"]) == (2, 64, 1, 256, 1024)
    assert (row["steps"], row["batch_tokens"], row["tokens"]) == (100, 4096, 409600)
    assert (row["bits_per_byte"], row["min_val_bpb"], row["core_score"]) == (2.0, 1.99, 0.0123)
    assert (row["flops"], row["flops_convention"]) == (5.637145e11, "with_attention")
    assert row["seconds"] == 90
    assert row["decayed"]


def test_a_log_that_ends_early_is_described_at_its_last_evaluation(tmp_path: Path) -> None:
    table = read_runs(log(tmp_path, HEAD)).table
    row = table.iloc[0]

    assert row["status"] == "stopped"
    assert (row["steps"], row["tokens"], row["bits_per_byte"]) == (50, 50 * 4096, 2.2)
    assert row["flops"] == pytest.approx(1376256 * 50 * 4096, rel=1e-6)
    assert table["decayed"].tolist() == [False]


def test_a_run_that_diverged_or_never_stepped_says_so(tmp_path: Path) -> None:
    log(tmp_path, HEAD + TAIL.replace("2.000000", "nan"), "diverged.log")
    log(tmp_path, HEAD.partition("Step 00000")[0], "failed.log")

    runs = read_runs(tmp_path)

    assert dict(zip(runs.table["run_id"], runs.table["status"], strict=True)) == {
        "diverged": "diverged",
        "failed": "failed",
    }


def test_a_run_that_was_started_again_counts_from_its_last_start(tmp_path: Path) -> None:
    again = HEAD.replace("2.200000", "2.700000").replace("size 4,096", "size 8,192")
    row = read_runs(log(tmp_path, HEAD + TAIL + again)).table.iloc[0]

    assert (row["bits_per_byte"], row["steps"], row["tokens"]) == (2.7, 50, 50 * 8192)
    assert row["status"] == "stopped"


def test_an_evaluation_is_found_in_the_middle_of_a_line(tmp_path: Path) -> None:
    text = (HEAD + TAIL).replace("epoch: 1\nStep 00100", "epoch: 1 Step 00100")

    assert read_runs(log(tmp_path, text)).table["bits_per_byte"].tolist() == [2.0]


def test_the_records_of_newer_logs_are_read_as_the_prose_of_older_ones(tmp_path: Path) -> None:
    newer = (
        (HEAD + TAIL)
        .replace("Step 00000 | Validation bpb: 3.1", "eval step=0 val_bpb=3.1")
        .replace("Step 00050 | Validation bpb: 2.2", "eval step=50 val_bpb=2.2")
        .replace("Step 00100 | Validation bpb: 2.0", "eval step=100 val_bpb=2.0")
        .replace("Step 00100 | CORE metric: ", "core step=100 core=")
    )
    old, new = (read_runs(log(tmp_path, text)).table for text in (HEAD + TAIL, newer))

    assert new.equals(old)


def test_a_log_of_the_first_versions_gives_the_counts_it_prints(tmp_path: Path) -> None:
    older = (
        "Vocab size: 1,024\nnum_layers: 2\nmodel_dim: 64\nnum_heads: 1\nnum_kv_heads: 1\n"
        "Number of parameters: 229,376\nEstimated" + HEAD.partition("Estimated")[2] + TAIL
    ).replace("| lrm", "| grad norm: 0.5120 | lrm")
    table = read_runs(log(tmp_path, older)).table
    row = table.iloc[0]

    assert (row["params_total"], row["layers"], row["width"], row["heads"]) == (229376, 2, 64, 1)
    assert (row["bits_per_byte"], row["tokens"], row["decayed"]) == (2.0, 409600, True)
    assert "params" not in table.columns


def test_a_folder_is_one_run_a_training_log_and_other_logs_are_passed_over(tmp_path: Path) -> None:
    log(tmp_path, HEAD + TAIL, "flops1e18_d2/base_train.log")
    log(tmp_path, HEAD, "flops1e18_d4/base_train.log")
    log(tmp_path, "Finished training: 32503 merges completed\n", "tok_train.log")

    runs = read_runs(tmp_path)

    assert runs.table["run_id"].tolist() == ["flops1e18_d2/base_train", "flops1e18_d4/base_train"]
    assert runs.table["status"].tolist() == ["done", "stopped"]


def test_the_budget_that_was_asked_for_is_not_taken_for_the_compute_that_was_spent(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        "flops_budget,depth,model_dim,params_wte,params_value_embeds,params_lm_head,params_transformer,"
        "params_scalars,params_total,num_iterations,tokens_trained,val_bpb,core_score,train_time_sec\n"
        "1e18,10,640,20971520,104857600,20971520,49152000,20,195952660,3000,1572864000,0.95,0.12,1200\n",
        "results.csv",
    )
    runs = read_runs(path)
    row = runs.table.iloc[0]

    assert find_importer(str(path)).name == "nanochat"
    assert row["flops_budget"] == 1e18
    assert "flops" not in runs.table.columns
    assert "flops_budget: as found; what was asked for" in describe_mapping(runs)
    assert (row["params"], row["params_convention"]) == (20971520 + 49152000, "matmul")
    assert (row["params_embedding"], row["params_head"]) == (20971520, 20971520)
    assert (row["tokens"], row["steps"], row["seconds"]) == (1572864000, 3000, 1200)
    assert (row["bits_per_byte"], row["layers"], row["width"]) == (0.95, 10, 640)


def test_a_miniseries_counts_params_as_its_version_did_and_says_stated(tmp_path: Path) -> None:
    row = read_runs(
        log(
            tmp_path,
            "depth,model_dim,num_params,num_scaling_params,num_iterations,tokens_trained,param_data_ratio,"
            "val_bpb,core_score,train_time_sec\n"
            "12,768,286000000,110000000,2000,1048576000,9.53,0.87,0.15,700\n",
            "results.csv",
        )
    ).table.iloc[0]

    assert (row["params_total"], row["params"], row["params_convention"]) == (286e6, 110e6, "stated")


def test_the_curve_of_an_experiment_is_one_run_a_record(tmp_path: Path) -> None:
    runs = read_runs(
        log(
            tmp_path,
            "model model_tag=d12 depth=12 base.num_params=286261730 base.num_scaling_params=110100672 "
            "base.tokens_trained=1321205760 base.val_bpb=0.85 base.gpu='NVIDIA H100' chat.chatcore=0.2\n"
            "model model_tag=d14 depth=14 base.tokens_trained=2000000000 base.val_bpb=0.83\n",
            "curve.log",
        )
    )

    assert runs.table["run_id"].tolist() == ["d12", "d14"]
    assert runs.table["bits_per_byte"].tolist() == [0.85, 0.83]
    assert runs.table["params_total"].iloc[0] == 286261730
    assert runs.table["gpu"].iloc[0] == "NVIDIA H100"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.log", "loss 3.2\n", "is not a training log of nanochat"),
        ("curve.log", "model model_tag=d12 depth\n", "is not a record of nanochat's curve.log"),
        ("curve.log", "model model_tag=d12 name='d\n", "is not a record of nanochat's curve.log"),
        ("folder/other.txt", "loss 3.2\n", "holds no training log of nanochat"),
    ],
)
def test_what_is_no_output_of_nanochat_is_refused(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = log(tmp_path, text, name)

    with pytest.raises(TableError, match=words):
        read_runs(path.parent if "/" in name else path, format="nanochat")
