"""What a column header of a foreign table means: a canonical column and the scale its unit asks for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from allometry.runs.columns import COLUMNS

# Canonical column -> headers seen in published tables, trainers and trackers, as `_key` writes them. A header
# that leaves open what it counts is not here: a training loss, a batch size in sequences or tokens.
_ALIASES = {
    "run_id": "run run_name experiment_id exp_name",
    "params": (
        "model_size n_params num_params param_count params_count parameter_count parameters "
        "num_parameters n_parameters model_params model_parameters non_embedding_params "
        "non_embedding_parameters params_no_embed params_non_embedding non_emb_params n_non_embedding "
        "num_non_embedding_params"
    ),
    "params_total": "total_params total_parameters n_params_total num_params_total",
    "params_embedding": "embedding_params params_embed n_params_embedding",
    "params_head": "params_lm_head lm_head_params",
    "params_active": "active_params active_parameters n_active_params num_active_params",
    "tokens": (
        "training_tokens train_tokens n_tokens num_tokens total_tokens tokens_trained tokens_seen "
        "trained_tokens pretraining_data_size pretraining_tokens training_data_size "
        "num_input_tokens_seen throughput_total_tokens"
    ),
    "unique_tokens": "n_unique_tokens num_unique_tokens unique_training_tokens",
    "epochs": "num_epochs n_epochs",
    "flops": (
        "flop training_flop training_flops train_flop train_flops total_flop total_flops total_flos "
        "total_training_flops compute training_compute compute_flop compute_flops compute_budget "
        ""
    ),
    "loss": (
        "final_loss val_loss valid_loss validation_loss eval_loss test_loss final_val_loss "
        "final_validation_loss final_eval_loss heldout_loss held_out_loss cross_entropy"
    ),
    "bits_per_byte": "bpb val_bpb eval_bpb validation_bpb final_bpb valid_bpb",
    "learning_rate": "lr peak_lr lr_peak max_lr peak_learning_rate max_learning_rate",
    "batch_tokens": (
        "batch_size_tokens batch_size_in_tokens tokens_per_batch tokens_per_step global_batch_tokens "
        "total_batch_size_tokens"
    ),
    "steps": ("num_steps n_steps total_steps train_steps training_steps max_steps num_iterations iterations"),
    "warmup_steps": "warmup num_warmup_steps warmup_iters warmup_iterations",
    "schedule": "lr_schedule lr_scheduler lr_scheduler_type scheduler learning_rate_schedule",
    "width": "d_model hidden_size model_dim n_embd embed_dim hidden_dim",
    "layers": "depth n_layer n_layers num_layers num_hidden_layers",
    "heads": "n_head n_heads num_heads num_attention_heads",
    "context": "context_length seq_len seq_length sequence_length block_size max_seq_len",
    "vocab": "vocab_size vocabulary_size n_vocab",
    "seed": "random_seed rng_seed",
    "seconds": "train_time train_seconds training_seconds training_time duration runtime",
    "energy_joules": "energy total_energy training_energy",
    "price_usd": "cost price training_cost",
    "power_watts": "power mean_power average_power",
}

# Single letters as the literature uses them. Case is part of the name: n and c often count attempts.
_LETTERS = {"N": "params", "D": "tokens", "C": "flops", "L": "loss", "U": "unique_tokens"}
_NON_EMBEDDING = re.compile(r"non_?emb|no_?emb")
_COUNTED = {"params", "tokens", "flops", "unique_tokens", "batch_tokens", "params_total", "params_active"}
_COUNTED |= {"params_embedding", "params_head", "params_matmul", "steps"}
_POWERS = {
    "k": 3,
    "thousand": 3,
    "m": 6,
    "million": 6,
    "b": 9,
    "bn": 9,
    "g": 9,
    "billion": 9,
    "t": 12,
    "trillion": 12,
}
_FLOP_POWERS = {"": 0, "k": 3, "m": 6, "g": 9, "t": 12, "p": 15, "e": 18, "z": 21}

# Units other than prefixes, by the canonical unit they are turned into.
_UNITS: dict[str, dict[str, float]] = {
    "1": {},
    "token": {"token": 1.0, "tokens": 1.0},
    "FLOP": {f"{prefix}flop{s}": 10.0**power for prefix, power in _FLOP_POWERS.items() for s in ("", "s")}
    | {"pf-days": 8.64e19, "pfs-days": 8.64e19, "petaflop/s-days": 8.64e19},
    "nat/token": {"nat": 1.0, "nats": 1.0, "nat/token": 1.0, "nats/token": 1.0}
    | dict.fromkeys(("bit/token", "bits/token"), math.log(2)),
    "bit/byte": {"bit/byte": 1.0, "bits/byte": 1.0},
    "s": {"s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
    | {"h": 3600.0, "hours": 3600.0, "d": 86400.0, "days": 86400.0},
    "J": {"j": 1.0, "kj": 1e3, "mj": 1e6, "joules": 1.0, "wh": 3.6e3, "kwh": 3.6e6, "mwh": 3.6e9},
    "USD": {"usd": 1.0, "$": 1.0, "us$": 1.0},
    "W": {"w": 1.0, "watts": 1.0, "kw": 1e3},
}
# A time, an energy or a price without its unit is not read: "train_time" may be hours as well as seconds.
_NEEDS_UNIT = {"energy_joules", "price_usd", "power_watts", "seconds"}
_BATCH = "it may count sequences or tokens"
_UNSAID = dict.fromkeys(
    ("bs", "batch", "batch_size", "global_bs", "global_batch_size", "train_batch_size", "total_batch_size"),
    _BATCH,
)
_UNSAID |= dict.fromkeys(("train_loss", "training_loss"), "a training loss is not a held-out one")
_UNSAID["flops_budget"] = "what was asked for, often rounded, is not the compute that was spent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """The canonical column a header means, its unit's scale, and whether it is that column's own name."""

    column: str
    scale: float = 1.0
    own_name: bool = False


def read_header(header: str) -> Meaning | None:
    """Say which canonical column a header means; None if it is not known or its unit is not.

    >>> read_header("Model Size (B)")
    Meaning(column='params', scale=1000000000.0, own_name=False)
    >>> read_header("total_gflops").scale, read_header("FLOPs (1E21)").scale
    (1000000000.0, 1e+21)
    >>> read_header("batch_size") is None     # sequences or tokens: the header does not say
    True
    """
    if header in COLUMNS:
        return Meaning(column=header, own_name=True)
    name, unit = _split_unit(header)
    column = _LETTERS.get(name) or _BY_HEADER.get(_key(name))
    if column is None:
        return None if unit else _with_unit_as_last_word(name)
    if not unit and column in _NEEDS_UNIT:
        return None
    scale = unit_scale(unit, column)
    return None if scale is None else Meaning(column=column, scale=scale)


def unit_scale(unit: str, column: str) -> float | None:
    """The factor from a unit as written in a header to the column's base unit; None if it is not known.

    >>> unit_scale("billion tokens", "tokens"), unit_scale("hours", "seconds"), unit_scale("bits", "loss")
    (1000000000.0, 3600.0, None)
    """
    text = re.sub(r"\s+", " ", unit.strip().lower())
    known = _UNITS.get(COLUMNS[column].unit, {})
    if text in known or not text:
        return known.get(text, 1.0)
    if column not in _COUNTED:
        return None
    if column == "params" and _NON_EMBEDDING.search(_key(text)):
        return 1.0
    words = re.sub(r" ?(tokens?|params|parameters|flops?)$", "", text) or "1"
    if (power := re.fullmatch(r"[x×]?\s*(?:1(?:\.0)?e\+?|10\^|10\*\*)(\d{1,2})", words)) is not None:
        return float(f"1e{power[1]}")
    if words == "1":
        return 1.0
    exponent = _POWERS.get(words, _POWERS.get(words.removesuffix("s")))
    return None if exponent is None else 10.0**exponent


def counts_without_embedding(header: str) -> bool:
    """Whether a header of parameters says that embeddings are left out."""
    return _NON_EMBEDDING.search(_key(header)) is not None


def takes_prefix(column: str) -> bool:
    """Whether a prefix in a cell ("7B") is read for a column: counts only, "3m" is no learning rate."""
    return column in _COUNTED


def why_left(header: str) -> str:
    """Why a header that looks known is left as found, or nothing."""
    if _key(header) in _UNSAID:
        return _UNSAID[_key(header)]
    name, unit = _split_unit(header)
    column = _LETTERS.get(name) or _BY_HEADER.get(_key(name))
    if column is None:
        return ""
    return f"the unit '{unit}' of {column} is not known" if unit else f"it names no unit of {column}"


def _split_unit(header: str) -> tuple[str, str]:
    text = header.strip()
    start = max(text.rfind("("), text.rfind("["))
    if start < 1 or text[-1] not in ")]":
        return text, ""
    return text[:start].rstrip(" _"), text[start + 1 : -1].strip()


def _with_unit_as_last_word(name: str) -> Meaning | None:
    # "params_M", "tokens_b", "energy_kwh", "total_gflops". A small k, t or g more often is an index.
    match = re.fullmatch(r"(.+)[\s_-]([A-Za-z]+)", name)
    if match is None or match[2] in ("k", "t", "g"):
        return None
    column, unit = _LETTERS.get(match[1]) or _BY_HEADER.get(_key(match[1])), match[2]
    if column is None and re.fullmatch(r"[a-z]flops?", unit.lower()):
        column = "flops" if _key(match[1]) in ("total", "training", "train", "compute") else None
    scale = unit_scale(unit, column) if column else None
    return Meaning(column=column, scale=scale) if column and scale else None


def _key(header: str) -> str:
    """Lower case, words joined by one underscore: "Training FLOP" and "training-flop" are one header."""
    return re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")


_BY_HEADER = {key: column for column, keys in _ALIASES.items() for key in keys.split()}
_BY_HEADER |= {_key(column): column for column in COLUMNS}
