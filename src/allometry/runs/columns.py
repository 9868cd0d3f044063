"""The canonical columns of a table of runs: name, unit, meaning. Every reader maps to these names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from allometry.registry import Catalog


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One canonical column.

    Attributes:
        kind: "number" (float64, missing is NaN), "text" or "flag" (true/false).
        unit: Base unit; "1" for counts and ratios, "" for text and flags.
        meaning: One sentence.
        positive: A value that is zero or negative is an error of the table.
    """

    name: str
    kind: Literal["number", "text", "flag"]
    unit: str
    meaning: str
    positive: bool = False


def _number(name: str, unit: str, meaning: str, *, positive: bool = True) -> Column:
    return Column(name=name, kind="number", unit=unit, meaning=meaning, positive=positive)


def _text(name: str, meaning: str) -> Column:
    return Column(name=name, kind="text", unit="", meaning=meaning)


_COLUMNS = (
    _text("run_id", "identity of the run; for the lab's own runs the content hash of the recipe"),
    _text(
        "parent",
        "run_id this run was started from (a decay branch: its trunk; a fine-tune: its parent); empty from "
        "scratch",
    ),
    _text("status", "done, diverged, failed or stopped"),
    _text(
        "design",
        "why the run was made: ladder, trunk, learning_rate_check, target, grid, given (by `train`), "
        "learning_rate_transfer, quantization",
    ),
    _number("params", "1", "trainable parameters N under params_convention"),
    _text(
        "params_convention", "which parameters params counts: matmul, total, non_embedding, active, stated"
    ),
    _number("params_total", "1", "all trainable parameters"),
    _number("params_embedding", "1", "input embeddings, token and position", positive=False),
    _number("params_head", "1", "output projection; 0 when tied to the embedding", positive=False),
    _number("params_matmul", "1", "parameters that take part in matrix products: blocks and head"),
    _number("params_active", "1", "parameters used per token; below the total for mixtures of experts"),
    _number("tokens", "token", "tokens trained on D, repeats counted"),
    _number("unique_tokens", "token", "distinct training tokens available U"),
    _number("epochs", "1", "tokens / unique_tokens"),
    _number("flops", "FLOP", "training compute C under flops_convention"),
    _text("flops_convention", "how flops was counted: 6ND, matmul, with_attention, stated"),
    _number("loss", "nat/token", "held-out cross-entropy L"),
    _number(
        "bits_per_byte", "bit/byte", "held-out cross-entropy per byte of text; comparable over tokenizers"
    ),
    _number("learning_rate", "1", "peak learning rate"),
    _number("batch_tokens", "token", "tokens per optimizer step B"),
    _number("steps", "1", "optimizer steps S"),
    _number("warmup_steps", "1", "steps of learning-rate warmup", positive=False),
    _text("schedule", "learning-rate schedule: wsd, cosine, linear, constant"),
    Column(
        name="decayed", kind="flag", unit="", meaning="the schedule was finished, so loss is a final loss"
    ),
    _number("width", "1", "model dimension"),
    _number("layers", "1", "number of blocks"),
    _number("heads", "1", "attention heads"),
    _number("context", "token", "sequence length"),
    _number("vocab", "1", "vocabulary size"),
    _number("seed", "1", "seed of initialisation and data order", positive=False),
    _number("seconds", "s", "time spent training, over all sittings"),
    _number("energy_joules", "J", "energy of the training; energy_method says how it is known"),
    _number("energy_joules_low", "J", "lower end of its range", positive=False),
    _number("energy_joules_high", "J", "upper end of its range", positive=False),
    _text("energy_method", "measured, modelled or unavailable"),
    _number("tokens_per_second", "token/s", "speed of the training"),
    _number("flops_per_second", "FLOP/s", "speed of the training, attention counted with all scores"),
    _number("peak_flops_per_second", "FLOP/s", "fastest matrix product that was measured on this device"),
    _number("peak_share", "1", "flops_per_second / peak_flops_per_second"),
    _number("peak_memory_bytes", "byte", "most memory in use while training"),
    _number("price_usd", "USD", "price of the training"),
    _number("power_watts", "W", "mean power while training"),
    # What the laws of precision, experts, mixtures and transfer read.
    _number("weight_bits", "bit", "precision of the weights in training"),
    _number("activation_bits", "bit", "precision of the activations in training"),
    _number("cache_bits", "bit", "precision of the attention cache in training"),
    _number("quantized_bits", "bit", "precision of the weights after training"),
    _number("experts", "1", "experts of a layer"),
    _number("granularity", "1", "how many times smaller an expert is than the dense layer it replaces"),
    _number("sparsity", "1", "share of the experts that a token does not use", positive=False),
    _number("finetune_tokens", "token", "tokens fine-tuned on"),
    _number("pretraining_tokens", "token", "tokens that the run it was started from was trained on"),
    _text("teacher", "run_id of the run whose predictions it learned from"),
    _number("transferred_tokens", "token", "tokens from scratch that pre-training was worth"),
    _number("proportion", "1", "share of the training tokens from one domain", positive=False),
    _number("critical_batch_tokens", "token", "batch from which larger ones save few steps"),
    # Scores, attempts and the calendar.
    _number("score", "1", "share of a task done right, in [0, 1]", positive=False),
    _number("error", "1", "share of a task done wrong, in [0, 1]", positive=False),
    _number("attempts", "1", "samples drawn for each problem"),
    _number("coverage", "1", "share of problems that one of the attempts solves: pass@k", positive=False),
    _number("minutes", "min", "time that a task takes a person"),
    _number("success", "1", "share of attempts at a task that succeed", positive=False),
    _number("year", "year", "date as a decimal year: 2024.5 is the middle of 2024", positive=False),
    # One row an evaluation, for tables of benchmarks rather than of runs.
    _text("task", "benchmark, or group of benchmarks, that value is a score on"),
    _text("metric", "what value is: acc, acc_norm, exact_match, word_perplexity"),
    _number("value", "1", "score as the metric defines it; an accuracy lies in [0, 1]", positive=False),
    _number("stderr", "1", "standard error of value over the documents", positive=False),
    _number("documents", "1", "documents (questions, problems) that value was measured on"),
    Column(name="higher_is_better", kind="flag", unit="", meaning="whether a larger value is the better one"),
)

COLUMNS: Catalog[Column] = Catalog("column", {column.name: column for column in _COLUMNS})
