"""Hugging Face Trainer: one run a `trainer_state.json`, with the model that lies beside it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.curves import is_decayed
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells, cells_of_rows, read_json
from allometry.runs.importers.folders import any_below, files_below
from allometry.runs.importers.huggingface_model import model_cells

_STATE = "trainer_state.json"
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_HELD_OUT = re.compile(r"eval(_.+)?_loss")


def _recognises(source: str) -> bool:
    return Path(source).name == _STATE or any(True for _ in any_below(source, _STATE))


def _read(source: str) -> Cells:
    """One row a run: of the checkpoints of one run, the state with the most steps.

    Each value is that of the last evaluation. Where it came before the last step, tokens and FLOP are
    taken in proportion to the steps. `total_flos` is 6 FLOP per token and parameter outside the input
    embedding; it was inflated by resuming on several devices until transformers 4.6 (pull request 11383)
    and stood still on one node in 4.6 (11844). `num_input_tokens_seen` counts padding too, and is 0 unless
    `include_num_input_tokens_seen` was set: then tokens are missing. `warmup_steps` is the step with the
    highest learning rate in the log, right to one logging interval.

    Raises:
        InputError: If there is no such file or folder.
        TableError: If a file is not the state of a Trainer.
    """
    files = files_below(source, _STATE)
    if not files:
        raise TableError(f"{source} holds no {_STATE}; give the output folder of a Hugging Face Trainer.")
    runs: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        runs[_run_folder(file)].append(file)
    return cells_of_rows([_row(folder, states, source) for folder, states in runs.items()], source)


def _run_folder(state: Path) -> Path:
    return state.parent.parent if _CHECKPOINT.fullmatch(state.parent.name) else state.parent


def _row(folder: Path, files: Sequence[Path], source: str) -> dict[str, Any]:
    states = {file: _state(file) for file in files}
    latest = max(files, key=lambda file: (states[file]["global_step"], -len(file.parts)))
    below = folder.relative_to(source) if folder.is_relative_to(source) and folder != Path(source) else None
    name = below.as_posix() if below else folder.resolve().name
    return {"run_id": name} | _measured(states[latest]) | model_cells([latest.parent, folder])


def _state(file: Path) -> dict[str, Any]:
    state = read_json(file)
    log = state.get("log_history") if isinstance(state, dict) else None
    step = state.get("global_step") if isinstance(state, dict) else None
    if (
        not isinstance(log, list)
        or not all(isinstance(entry, dict) for entry in log)
        or type(step) is not int
    ):
        raise TableError(
            f"{file} is not the state of a Hugging Face Trainer: it needs 'global_step' and 'log_history'."
        )
    return dict(state)


def _measured(state: Mapping[str, Any]) -> dict[str, Any]:
    log = state["log_history"]
    evaluations = [entry for entry in log if any(_HELD_OUT.fullmatch(key) for key in entry)]
    last = evaluations[-1] if evaluations else {}
    end = _positive(state["global_step"])
    step = _positive(last.get("step")) or end
    share = step / end if step and end else math.nan
    losses = {key: value for key, value in last.items() if _HELD_OUT.fullmatch(key)}
    trained = [value for entry in log if (value := _number(entry.get("loss"))) is not None]
    return {
        "status": _status(state, [*trained[-1:], *map(_number, losses.values())]),
        "global_step": step,
        "max_steps": state.get("max_steps"),
        "epoch": _positive(last.get("epoch", state.get("epoch"))),
        "num_input_tokens_seen": _share(state.get("num_input_tokens_seen"), share),
        "total_flos": _share(state.get("total_flos"), share),
        "flops_convention": "6ND",
        **losses,
        "train_loss": trained[-1] if trained else None,
        **_schedule([entry for entry in log if (_number(entry.get("step")) or 0) <= (step or 0)]),
    }


def _status(state: Mapping[str, Any], losses: Sequence[float | None]) -> str:
    if any(loss is not None and not math.isfinite(loss) for loss in losses):
        return "diverged"
    return "done" if state["global_step"] == state.get("max_steps") else "stopped"


def _schedule(log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    logged = [
        (rate, entry.get("step"))
        for entry in log
        if (rate := _number(entry.get("learning_rate"))) is not None
    ]
    rates = [rate for rate, _ in logged]
    peak = max(rates, default=0.0)
    warmed = bool(rates) and rates[0] < peak
    return {
        "learning_rate": peak or None,
        "warmup_steps": logged[rates.index(peak)][1] if warmed else None,
        "decayed": is_decayed(rates),
    }


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON has integers of any length
        return math.inf


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _share(value: Any, share: float) -> float | None:
    number = _positive(value)
    return None if number is None else number * share


importer = Importer(
    name="huggingface",
    reads=(
        "A trainer_state.json of the Hugging Face Trainer, the checkpoint or output folder that holds it, or "
        "a folder of such runs; parameters are counted from the safetensors files beside it."
    ),
    source="transformers.TrainerState of https://github.com/huggingface/transformers, versions 4 and 5",
    recognises=_recognises,
    read=_read,
    columns={
        "global_step": "steps",
        "max_steps": None,
        "epoch": "epochs",
        "eval_loss": "loss",
        "total_flos": "flops",
        "hidden_size": "width",
        "num_hidden_layers": "layers",
        "num_attention_heads": "heads",
        "vocab_size": "vocab",
    },
)
