"""Public models, counted from their configuration by the shapes that the lab trains.

The table holds 53 models' dimensions and their exact counts, as instantiated by Hugging Face's transformers.
What a family does not say in its dimensions, such as which products have a bias, stands here.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from allometry.architectures import (
    Architecture,
    Latent,
    MixtureOfExperts,
    MultiHead,
    StateSpace,
    Transformer,
)

TABLE = Path(__file__).parents[3] / "shared" / "facts" / "model_params.csv"
CONTEXT = 2048  # of families without learned positions, whose counts do not depend on it

LLAMA: dict[str, Any] = {"norm": "rms", "activation": "swiglu"}
GEMMA: dict[str, Any] = {"norm": "rms", "activation": "geglu"}
EVERY_BIAS: dict[str, Any] = {"norm": "layer_with_bias", "biases": ("qkv", "attention_out", "mlp")}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {**EVERY_BIAS, "positions": "learned", "activation": "gelu"},
    "opt": {**EVERY_BIAS, "positions": "learned", "activation": "relu"},
    "bloom": {**EVERY_BIAS, "positions": "alibi", "activation": "gelu", "embedding_norm": True},
    "gpt_neox": {**EVERY_BIAS, "activation": "gelu", "branches": "parallel", "rotary_fraction": 0.25},
    "gptj": {
        **EVERY_BIAS,
        "activation": "gelu",
        "branches": "parallel_one_norm",
        "rotary_fraction": 0.25,
        "biases": ("mlp", "head"),
    },
    "falcon": {"norm": "layer_with_bias", "activation": "gelu", "branches": "parallel_one_norm"},
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": {**LLAMA, "biases": ("qkv",)},
    "qwen3": LLAMA,
    "olmo": {**LLAMA, "norm": "layer_fixed"},
    "olmo2": {**LLAMA, "norm_at": "post"},
    "gemma": GEMMA,
    "gemma2": {**GEMMA, "norm_at": "sandwich"},
    "mixtral": LLAMA,
    "qwen3_moe": LLAMA,
    "gpt_oss": {**LLAMA, "biases": ("qkv", "attention_out", "mlp")},
    "deepseek_v2": LLAMA,
    "deepseek_v3": {**LLAMA, "scores": "sigmoid"},
    "mamba2": {},
}
ATTENTION: dict[str, dict[str, Any]] = {
    "qwen3": {"qk_norm": "head"},
    "qwen3_moe": {"qk_norm": "head"},
    "olmo2": {"qk_norm": "width"},
    "gemma2": {"window": 4096, "global_every": 2},
    "gpt_oss": {"window": 128, "global_every": 2, "sinks": True},
}
NOT_TRAINED = {"mamba"}  # the first Mamba, whose recurrence has no product of matrices


@dataclass(frozen=True)
class Published:
    """One row of the table; a dimension that a model does not have is 0."""

    name: str
    family: str
    numbers: dict[str, int]

    def __getitem__(self, column: str) -> int:
        return self.numbers.get(column, 0)


def read_table() -> list[Published]:
    if not TABLE.is_file():
        return []
    with TABLE.open(newline="") as file:
        return [_published(row) for row in csv.DictReader(file)]


def _published(row: dict[str, str]) -> Published:
    words = {"model", "architecture", "attention", "published_active", "source"}
    numbers = {column: int(text or 0) for column, text in row.items() if column not in words}
    return Published(row["model"], row["architecture"], numbers)


def shape_of(model: Published) -> Architecture:
    if model.family == "mamba2":
        return state_space(model)
    return mixture(model) if model["n_experts"] else Transformer(**dimensions(model))


def dimensions(model: Published) -> dict[str, Any]:
    return {
        "vocab": model["vocab_size"],
        "context": model["learned_positions"] or CONTEXT,
        "width": model["d_model"],
        "layers": model["n_layers"],
        "heads": model["n_heads"],
        "mlp_width": model["d_ff"],
        "tied": bool(model["tie_embeddings"]),
        "attention": attention(model),
        **FAMILIES[model.family],
    }


def attention(model: Published) -> MultiHead | Latent:
    if not model["kv_lora_rank"]:
        chosen = ATTENTION.get(model.family, {})
        return MultiHead(kv_heads=model["n_kv_heads"] or None, head_width=model["head_dim"] or None, **chosen)
    return Latent(
        kv_rank=model["kv_lora_rank"],
        query_rank=model["q_lora_rank"] or None,
        plain_width=model["qk_nope_head_dim"],
        rotary_width=model["qk_rope_head_dim"],
        value_width=model["v_head_dim"],
    )


def mixture(model: Published) -> MixtureOfExperts:
    return MixtureOfExperts(
        **dimensions(model),
        experts=model["n_experts"],
        top_k=model["top_k"],
        expert_width=model["moe_d_ff"],
        shared_experts=model["n_shared_experts"],
        dense_layers=model["first_k_dense"],
    )


def state_space(model: Published) -> StateSpace:
    return StateSpace(
        vocab=model["vocab_size"],
        context=CONTEXT,
        width=model["d_model"],
        layers=model["n_layers"],
        expand=model["ssm_expand"],
        head_width=model["ssm_head_dim"],
        state_width=model["ssm_state"],
        state_groups=model["ssm_n_groups"],
        kernel=model["ssm_conv"],
        tied=bool(model["tie_embeddings"]),
    )


MODELS = read_table()
TRAINED = [model for model in MODELS if model.family not in NOT_TRAINED]
of_the_table = pytest.mark.skipif(not MODELS, reason=f"the table of public models is not at {TABLE}")


@pytest.mark.public_data
@of_the_table
def test_all_but_the_first_mambas_are_counted() -> None:
    assert len(MODELS) == 53
    assert {model.family for model in MODELS} == set(FAMILIES) | NOT_TRAINED
    assert len(TRAINED) == 49


@pytest.mark.public_data
@of_the_table
@pytest.mark.parametrize("model", TRAINED, ids=lambda model: model.name)
def test_a_public_model_is_counted_exactly(model: Published) -> None:
    shape = shape_of(model)

    assert shape.params("total") == model["exact_total_params"]
    assert shape.params("active") == model["active_params"]
    assert shape.cache_bytes(bytes_per_value=2) == model["kv_bytes_per_token_bf16"]
    assert shape.state_bytes(bytes_per_value=2) == model["ssm_state_bytes_per_seq_bf16"]


@pytest.mark.public_data
@of_the_table
@pytest.mark.parametrize("model", TRAINED, ids=lambda model: model.name)
def test_what_is_only_looked_up_is_told_apart(model: Published) -> None:
    groups = shape_of(model).groups()

    looked_up = 0 if model["tie_embeddings"] else groups["embedding"].total
    looked_up += groups["positions"].total if "positions" in groups else 0

    assert shape_of(model).params("active") - looked_up == model["active_excl_input_lookup"]


# Four families without the table: model, family, dimensions, and the total that its checkpoint has.
CHECKPOINTS: list[tuple[str, str, dict[str, int], int]] = [
    (
        "gpt-j-6b",
        "gptj",
        {"vocab_size": 50_400, "d_model": 4096, "n_layers": 28, "n_heads": 16, "d_ff": 16_384},
        6_050_882_784,
    ),
    (
        "gemma-2-2b",
        "gemma2",
        {"vocab_size": 256_000, "d_model": 2304, "n_layers": 26, "n_heads": 8, "n_kv_heads": 4}
        | {"head_dim": 256, "d_ff": 9216, "tie_embeddings": 1},
        2_614_341_888,
    ),
    (
        "Qwen3-0.6B",
        "qwen3",
        {"vocab_size": 151_936, "d_model": 1024, "n_layers": 28, "n_heads": 16, "n_kv_heads": 8}
        | {"head_dim": 128, "d_ff": 3072, "tie_embeddings": 1},
        596_049_920,
    ),
    (
        "DeepSeek-V3",
        "deepseek_v3",
        {"vocab_size": 129_280, "d_model": 7168, "n_layers": 61, "n_heads": 128, "d_ff": 18_432}
        | {"n_experts": 256, "top_k": 8, "moe_d_ff": 2048, "n_shared_experts": 1, "first_k_dense": 3}
        | {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64}
        | {"v_head_dim": 128},
        671_026_404_352,
    ),
]


@pytest.mark.parametrize(
    ("name", "family", "numbers", "total"), CHECKPOINTS, ids=[name for name, *_ in CHECKPOINTS]
)
def test_four_families_are_counted_without_the_table(
    name: str, family: str, numbers: dict[str, int], total: int
) -> None:
    assert shape_of(Published(name, family, numbers)).params("total") == total


def small(**changes: Any) -> Transformer:
    """The dimensions of GPT-2 small, OPT-125m and Pythia-160m."""
    dimensions: dict[str, Any] = {"vocab": 50_257, "context": 1024, "width": 768, "layers": 12, "heads": 12}
    return Transformer(**{**dimensions, **changes})


@pytest.mark.parametrize(
    ("shape", "total"),
    [
        (small(tied=True, **FAMILIES["gpt2"]), 124_439_808),
        (small(tied=True, vocab=50_272, context=2050, **FAMILIES["opt"]), 125_239_296),
        (small(vocab=50_304, **FAMILIES["gpt_neox"]), 162_322_944),  # Biderman et al. 2023, table 1
    ],
    ids=["gpt2", "opt-125m", "pythia-160m"],
)
def test_small_public_models_are_counted_as_published(shape: Transformer, total: int) -> None:
    assert shape.params("total") == total


def test_kaplans_count_leaves_out_the_positions() -> None:
    gpt2 = small(tied=True, **FAMILIES["gpt2"])

    blocks_and_last_norm = gpt2.params("total") - 50_257 * 768 - 1024 * 768  # Kaplan et al. 2020, section 2.1
    assert gpt2.params("non_embedding") == blocks_and_last_norm
