"""What the log of one nanochat pretraining says, as one row under the headers of nanochat's sweep tables."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.curves import is_decayed

_COUNTS = {  # as printed -> as the sweep's results.csv heads it
    "wte": "params_wte",
    "value_embeds": "params_value_embeds",
    "lm_head": "params_lm_head",
    "transformer_matrices": "params_transformer",
    "scalars": "params_scalars",
}
_NUMBER = r"([\d,.eE+-]+|nan|inf)"
_FACTS = {
    "depth": rf'(?:"n_layer"|^num_layers): {_NUMBER}',
    "model_dim": rf'(?:"n_embd"|^model_dim): {_NUMBER}',
    "n_head": rf'(?:"n_head"|^num_heads): {_NUMBER}',
    "sequence_len": rf'"sequence_len": {_NUMBER}',
    "vocab_size": rf"^Vocab size: {_NUMBER}",
    "params_total": rf"^(?:total *|Number of parameters): {_NUMBER}",
    "flops_per_token": rf"^Estimated FLOPs per token: {_NUMBER}",
    "num_iterations": rf"number of iterations.*: {_NUMBER}$",
    "total_batch_size": rf"^Total batch size {_NUMBER} ",
    "planned_tokens": rf"^Total number of training tokens: {_NUMBER}",
    "planned_flops": rf"^Total training FLOPs estimate: {_NUMBER}",
    "train_time_min": rf"^Total training time: {_NUMBER}m",
    "min_val_bpb": rf"^Minimum validation bpb: {_NUMBER}",
}
# The older lines are prose; since July 2026 evaluations are records, "eval step=250 val_bpb=0.91".
# Where two streams write one file, an evaluation can begin in the middle of a line.
_EVALUATION = rf"(?:\bStep |^eval step=)(\d+)(?: \| Validation bpb: | val_bpb=){_NUMBER}"
_CORE = rf"(?:\bStep |^core step=)\d+(?: \| CORE metric: | core=){_NUMBER}"
_STEP = rf"^step (\d+)/\d+ .*?\| loss: {_NUMBER} (?:\|.*?\blrm: {_NUMBER} )?"


@dataclass(frozen=True, kw_only=True)
class _Log:
    """One log taken apart: what it says once, and its two curves."""

    facts: dict[str, float]
    evaluations: list[tuple[float, float]]  # step, bits per byte
    losses: list[tuple[float, float]]  # step, training loss in nat per token, smoothed
    rates: list[float]  # learning rate as a share of its peak

    @property
    def ended(self) -> bool:
        if self.evaluations:
            return self.evaluations[-1][0] == self.facts.get("num_iterations")
        return "train_time_min" in self.facts

    @property
    def step(self) -> float | None:
        """The step that the row describes: that of the last evaluation, so that its numbers fit together."""
        if self.evaluations:
            return self.evaluations[-1][0]
        if self.ended and "num_iterations" in self.facts:
            return self.facts["num_iterations"]
        return self.losses[-1][0] if self.losses else None

    @property
    def status(self) -> str:
        last = [curve[-1][1] for curve in (self.evaluations, self.losses) if curve]
        if not last:
            return "failed"
        if not all(math.isfinite(value) for value in last):
            return "diverged"
        return "done" if self.ended else "stopped"


def read_log(text: str, run_id: str) -> dict[str, Any]:
    """Read one log of `scripts/base_train.py` as a row.

    A log that ends early is a run with status "stopped", described at its last evaluation; one without a
    step is "failed". `params` counts the transformer's matrices and the head, nanochat's own choice for
    scaling laws, so its convention is "matmul"; the FLOP count the attention's scores over each layer's
    window. The training time leaves out evaluations and the first ten steps.

    Raises:
        TableError: If it is no such log.
    """
    log = _take_apart(text.replace("\r", "\n"))
    if not {"flops_per_token", "planned_flops"} & set(log.facts):
        raise TableError(
            f"{run_id} is not a training log of nanochat: it has no line 'Total training FLOPs estimate: …'. "
            f"Give the output of scripts/base_train.py, or name another format=."
        )
    return {"run_id": run_id, "status": log.status} | _model(log.facts) | _training(log) | _results(log, text)


def _take_apart(text: str) -> _Log:
    prose = re.sub("^step .*", "", text, flags=re.MULTILINE)  # nearly all lines are steps and say no facts
    found = {name: _numbers(pattern, prose) for name, pattern in _FACTS.items()}
    found |= {header: _numbers(rf"^{name} *: {_NUMBER}$", prose) for name, header in _COUNTS.items()}
    evaluations = re.findall(_EVALUATION, text, re.MULTILINE)
    steps = re.findall(_STEP, text, re.MULTILINE)
    return _Log(
        # The last of each: a run that was resumed prints its beginning again.
        facts={name: numbers[-1] for name, numbers in found.items() if numbers},
        evaluations=[(float(step), _number(bpb)) for step, bpb in evaluations],
        losses=[(float(step), _number(loss)) for step, loss, _ in steps],
        rates=[_number(rate) for _, _, rate in steps if rate],
    )


def _model(facts: dict[str, float]) -> dict[str, Any]:
    dimensions = ("depth", "model_dim", "n_head", "sequence_len", "vocab_size")
    counts = (*_COUNTS.values(), "params_total")
    row: dict[str, Any] = {name: facts.get(name) for name in (*dimensions, *counts)}
    if "params_transformer" in facts and "params_lm_head" in facts:
        row["params"] = row["params_matmul"] = facts["params_transformer"] + facts["params_lm_head"]
        row["params_convention"] = "matmul"
    return row


def _training(log: _Log) -> dict[str, Any]:
    facts, step = log.facts, log.step
    batch = facts.get("total_batch_size", math.nan)
    whole = step == facts.get("num_iterations")
    tokens = facts.get("planned_tokens", math.nan) if whole else (step or math.nan) * batch
    flops = facts.get("planned_flops") if whole else None
    minutes = facts.get("train_time_min")
    return {
        "num_iterations": facts.get("num_iterations"),
        "steps": step or None,
        "total_batch_size": facts.get("total_batch_size"),
        "tokens_trained": tokens,
        "total_training_flops": flops or facts.get("flops_per_token", math.nan) * tokens,
        "flops_convention": "with_attention",
        "train_time_sec": None if minutes is None else 60 * minutes,
        "decayed": is_decayed(log.rates),
    }


def _results(log: _Log, text: str) -> dict[str, Any]:
    bpb = [value for _, value in log.evaluations]
    core = _numbers(_CORE, text)
    return {
        "val_bpb": bpb[-1] if bpb else None,
        "min_val_bpb": log.facts.get("min_val_bpb", min(bpb, default=None)),
        "core_score": core[-1] if core else None,
        "train_loss": log.losses[-1][1] if log.losses else None,
    }


def _numbers(pattern: str, text: str) -> list[float]:
    return [_number(found) for found in re.findall(pattern, text, re.MULTILINE)]


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:  # a line cut off in the middle of a number
        return math.nan
