"""53 public models, each from the fields that its own `config.json` has, counted exactly.

The table holds their dimensions and their exact counts, as instantiated by Hugging Face's transformers. What
a family calls a dimension stands here.
"""

import csv
from pathlib import Path
from typing import Any

import pytest

from allometry.planning.models import PublicModel, count_model, model_of

TABLE = Path(__file__).parents[4] / "shared" / "facts" / "model_params.csv"
WORDS = ("model", "architecture", "attention", "published_active", "source")

GPT2 = {"n_layer": "n_layers", "n_embd": "d_model", "n_head": "n_heads", "n_inner": "d_ff"}
LLAMA = {
    "num_hidden_layers": "n_layers",
    "hidden_size": "d_model",
    "num_attention_heads": "n_heads",
    "num_key_value_heads": "n_kv_heads",
    "head_dim": "head_dim",
    "intermediate_size": "d_ff",
}
NEOX = {name: column for name, column in LLAMA.items() if name not in ("num_key_value_heads", "head_dim")}
DEEPSEEK = NEOX | {
    "n_routed_experts": "n_experts",
    "n_shared_experts": "n_shared_experts",
    "num_experts_per_tok": "top_k",
    "moe_intermediate_size": "moe_d_ff",
    "first_k_dense_replace": "first_k_dense",
    "q_lora_rank": "q_lora_rank",
    "kv_lora_rank": "kv_lora_rank",
    "qk_nope_head_dim": "qk_nope_head_dim",
    "qk_rope_head_dim": "qk_rope_head_dim",
    "v_head_dim": "v_head_dim",
}
MAMBA = {
    "num_hidden_layers": "n_layers",
    "hidden_size": "d_model",
    "state_size": "ssm_state",
    "conv_kernel": "ssm_conv",
    "expand": "ssm_expand",
}
FIELDS: dict[str, dict[str, str]] = {
    "gpt2": GPT2 | {"n_positions": "learned_positions"},
    "gptj": GPT2,
    "gpt_neox": NEOX,
    "opt": {"ffn_dim": "d_ff"}
    | {name: column for name, column in NEOX.items() if name != "intermediate_size"},
    "bloom": {"n_layer": "n_layers", "hidden_size": "d_model", "num_attention_heads": "n_heads"},
    "falcon": {"num_hidden_layers": "n_layers", "hidden_size": "d_model", "num_attention_heads": "n_heads"},
    "mixtral": LLAMA
    | {"num_local_experts": "n_experts", "num_experts_per_tok": "top_k", "intermediate_size": "moe_d_ff"},
    "qwen3_moe": LLAMA
    | {"num_experts": "n_experts", "num_experts_per_tok": "top_k", "moe_intermediate_size": "moe_d_ff"},
    "gpt_oss": LLAMA
    | {"num_local_experts": "n_experts", "num_experts_per_tok": "top_k", "intermediate_size": "moe_d_ff"},
    "deepseek_v2": DEEPSEEK,
    "deepseek_v3": DEEPSEEK,
    "mamba": MAMBA | {"time_step_rank": "ssm_dt_rank"},
    "mamba2": MAMBA | {"head_dim": "ssm_head_dim", "n_groups": "ssm_n_groups"},
}
STATED: dict[str, dict[str, Any]] = {
    "gptj": {"n_positions": 2048, "rotary_dim": 64},
    "falcon": {"multi_query": True, "parallel_attn": True, "bias": False, "alibi": False},
    "gemma2": {"sliding_window": 4096},
    "gpt_oss": {"sliding_window": 128},
}


def read_table() -> list[dict[str, str]]:
    if not TABLE.is_file():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def configured(row: dict[str, str]) -> PublicModel:
    """The model of a row, by way of the fields of its configuration; an empty cell is null."""
    family = row["architecture"]
    sizes = {name: int(row[column]) if row[column] else None for name, column in named(family).items()}
    positions = int(row["learned_positions"] or 2048) - (2 if family == "opt" else 0)
    shared = {"vocab_size": int(row["vocab_size"]), "tie_word_embeddings": row["tie_embeddings"] == "1"}
    longest = {} if family in ("gpt2", "gptj") else {"max_position_embeddings": positions}
    return model_of({"model_type": family} | shared | longest | sizes | STATED.get(family, {}))


def named(family: str) -> dict[str, str]:
    return FIELDS.get(family, LLAMA)


ROWS = read_table()
pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not ROWS, reason=f"the table of public models is not at {TABLE}"),
]


def test_the_table_has_every_model() -> None:
    assert len(ROWS) == 53


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_a_public_model_is_counted_exactly_from_its_configuration(row: dict[str, str]) -> None:
    counts = count_model(configured(row))

    assert counts.params["total"] == int(row["exact_total_params"])
    assert counts.params["active"] == int(row["active_params"])
    assert counts.params["active_without_lookup"] == int(row["active_excl_input_lookup"])
    assert counts.cache_bytes == int(row["kv_bytes_per_token_bf16"] or 0)
    assert counts.state_bytes == int(row["ssm_state_bytes_per_seq_bf16"] or 0)
