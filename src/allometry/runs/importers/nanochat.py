"""nanochat: the logs of its pretraining script, and the tables that its sweep scripts make of them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells, cells_of_rows, read_cells, read_content
from allometry.runs.importers.folders import any_below, files_below, head, is_csv, run_name
from allometry.runs.importers.nanochat_log import read_log

_LOGS = ("*.log", "*.txt")
_IS_LOG = re.compile(rb"^Total training FLOPs estimate: ", re.MULTILINE)
_HEAD = 1 << 18  # bytes; what imports print before the training begins can be long
_IS_CURVE = re.compile(rb"model model_tag=")
_COUNT = re.compile(r"[0-9]{1,18}")
_HEADERS = {b"val_bpb", b"tokens_trained", b"num_iterations"}  # of the sweep and of the miniseries


def _recognises(source: str) -> bool:
    path = Path(source)
    if path.is_dir():
        return any(_is_log(file) for file in any_below(source, *_LOGS))
    return _is_table(path) or _is_log(path) or _IS_CURVE.match(head(path)) is not None


def _is_log(path: Path) -> bool:
    return (
        path.suffix.lower() in (".log", ".txt", ".out", "") and _IS_LOG.search(head(path, _HEAD)) is not None
    )


def _is_table(path: Path) -> bool:
    header = head(path).partition(b"\n")[0].strip()
    return is_csv(path) and set(header.split(b",")) >= _HEADERS


def _read(source: str) -> Cells:
    path = Path(source)
    if path.is_dir():
        return _read_logs(source)
    if is_csv(path):
        return _with_params(read_cells(path, "csv"))
    text = _text(path)
    if _IS_CURVE.match(text.encode()[:100]):
        records = [_record(line) for line in text.splitlines() if line.strip()]
        return Cells(cells_of_rows(records, path.name).columns, typed=False)
    return cells_of_rows([read_log(text, run_name(path, source))], path.name)


def _read_logs(folder: str) -> Cells:
    # A folder of a sweep holds the logs of its tokenizer, its evaluations and its chat model too.
    logs = [file for file in files_below(folder, *_LOGS) if _is_log(file)]
    if not logs:
        raise TableError(
            f"{folder} holds no training log of nanochat; give the folder with the output of "
            f"scripts/base_train.py, as .log or .txt, one file a run."
        )
    return cells_of_rows([read_log(_text(file), run_name(file, folder)) for file in logs], folder)


def _text(path: Path) -> str:
    # A log may be cut off in the middle of a character.
    return read_content(path).decode("utf-8", errors="replace")


def _record(line: str) -> dict[str, Any]:
    """One record of an experiment's curve.log, the fields of its pretraining under their own names."""
    try:
        fields = shlex.split(line)
        return {key.removeprefix("base."): value for key, value in (f.split("=", 1) for f in fields[1:])}
    except ValueError as error:  # no closing quotation, or a field without "="
        raise TableError(
            f"'{line[:60]}' is not a record of nanochat's curve.log: {error}. Make the file again with "
            f"scripts/curve.py, or give the folder of the logs."
        ) from error


def _with_params(cells: Cells) -> Cells:
    """Add what nanochat takes for N in scaling laws, the transformer's matrices and the head."""
    groups = ("params_transformer", "params_lm_head")
    if not set(groups) <= set(cells.columns) or "params" in cells.columns:
        return cells
    pairs = zip(*(cells.columns[group] for group in groups), strict=True)
    params = [str(int(a) + int(b)) if _COUNT.fullmatch(a) and _COUNT.fullmatch(b) else "" for a, b in pairs]
    conventions = ["matmul"] * len(params)
    added = {"params": params, "params_matmul": params, "params_convention": conventions}
    return Cells(cells.columns | added, typed=False)


importer = Importer(
    name="nanochat",
    reads=(
        "The log of nanochat's pretraining (.log, .txt), a folder of such logs, one run each, the "
        "results.csv of its scaling-law sweep or of its miniseries, or an experiment's curve.log."
    ),
    source=(
        "scripts/base_train.py, runs/scaling_laws.sh and runs/miniseries.sh of "
        "https://github.com/karpathy/nanochat, as of July 2026"
    ),
    recognises=_recognises,
    read=_read,
    columns={
        "model_tag": "run_id",
        "params_wte": "params_embedding",
        "params_lm_head": "params_head",
        "num_params": "params_total",
        # What it counts has changed over nanochat's versions, so its convention is "stated".
        "num_scaling_params": "params",
        "total_batch_size": "batch_tokens",
        "total_training_flops": "flops",
        "sequence_len": "context",
        "train_time_sec": "seconds",
    },
)
