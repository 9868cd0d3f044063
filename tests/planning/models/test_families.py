"""Public models counted from the fields of their `config.json`, against published totals."""

from typing import Any

import pytest

from allometry.planning.models import FAMILIES, model_of

LLAMA_7B: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 4096,
}
DEEPSEEK_V3: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "vocab_size": 129_280,
    "hidden_size": 7168,
    "intermediate_size": 18_432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "moe_layer_freq": 1,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "max_position_embeddings": 163_840,
}
GPT_OSS_120B: dict[str, Any] = {
    "model_type": "gpt_oss",
    "vocab_size": 201_088,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 36,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "attention_bias": True,
    "max_position_embeddings": 131_072,
}


def changed(base: dict[str, Any], family: str, **fields: Any) -> dict[str, Any]:
    return base | {"model_type": family} | fields


def gated(family: str, width: int, layers: int, heads: int, inner: int, vocab: int, **more: Any) -> Any:
    """Fields under the names that Llama and most later families have."""
    dimensions = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    sizes = {"intermediate_size": inner, "vocab_size": vocab, "max_position_embeddings": 4096}
    return {"model_type": family} | dimensions | sizes | more


# What the checkpoints hold, as the publishers' pages on Hugging Face state it: all parameters, to the last.
PUBLISHED: dict[str, tuple[dict[str, Any], int]] = {
    "gpt2-xl": (
        {"model_type": "gpt2", "vocab_size": 50_257, "n_positions": 1024, "n_embd": 1600}
        | {"n_layer": 48, "n_head": 25},
        1_557_611_200,
    ),
    "gpt-j-6b": (
        {"model_type": "gptj", "vocab_size": 50_400, "n_positions": 2048, "n_embd": 4096}
        | {"n_layer": 28, "n_head": 16, "rotary_dim": 64, "n_inner": None, "tie_word_embeddings": False},
        6_050_882_784,
    ),
    "gpt-neox-20b": (
        gated("gpt_neox", 6144, 44, 64, 24_576, 50_432, rotary_pct=0.25),
        20_554_567_680,
    ),
    "opt-125m": (
        {"model_type": "opt", "vocab_size": 50_272, "hidden_size": 768, "ffn_dim": 3072}
        | {"num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 2048}
        | {"word_embed_proj_dim": 768, "do_layer_norm_before": True},
        125_239_296,
    ),
    "bloom-560m": (
        {"model_type": "bloom", "vocab_size": 250_880, "n_embed": 1024, "n_layer": 24}
        | {"num_attention_heads": 16, "seq_length": 2048},
        559_214_592,
    ),
    "falcon-7b": (
        {"model_type": "falcon", "vocab_size": 65_024, "hidden_size": 4544, "num_hidden_layers": 32}
        | {"num_attention_heads": 71, "multi_query": True, "parallel_attn": True, "bias": False},
        6_921_720_704,
    ),
    "falcon-40b": (
        {"model_type": "falcon", "vocab_size": 65_024, "hidden_size": 8192, "num_hidden_layers": 60}
        | {"num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": True},
        41_303_293_952,
    ),
    "phi-2": (
        gated("phi", 2560, 32, 32, 10_240, 51_200, partial_rotary_factor=0.4),
        2_779_683_840,
    ),
    "phi-3-mini": (
        gated("phi3", 3072, 32, 32, 8192, 32_064, num_key_value_heads=32, sliding_window=2047),
        3_821_079_552,
    ),
    "Llama-2-7b": (LLAMA_7B, 6_738_415_616),
    "Llama-3.1-8B": (gated("llama", 4096, 32, 32, 14_336, 128_256, num_key_value_heads=8), 8_030_261_248),
    "Mistral-7B": (
        gated("mistral", 4096, 32, 32, 14_336, 32_000, num_key_value_heads=8, sliding_window=4096),
        7_241_732_096,
    ),
    "Mixtral-8x7B": (
        gated("mixtral", 4096, 32, 32, 14_336, 32_000, num_key_value_heads=8)
        | {"num_local_experts": 8, "num_experts_per_tok": 2},
        46_702_792_704,
    ),
    "Qwen2.5-7B": (
        gated("qwen2", 3584, 28, 28, 18_944, 152_064, num_key_value_heads=4)
        | {"use_sliding_window": False, "sliding_window": 131_072, "max_window_layers": 28},
        7_615_616_512,
    ),
    "Qwen1.5-MoE-A2.7B": (
        gated("qwen2_moe", 2048, 24, 16, 5632, 151_936, num_key_value_heads=16)
        | {"num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408}
        | {"shared_expert_intermediate_size": 5632, "decoder_sparse_step": 1},
        14_315_784_192,
    ),
    "Qwen3-8B": (
        gated("qwen3", 4096, 36, 32, 12_288, 151_936, num_key_value_heads=8, head_dim=128),
        8_190_735_360,
    ),
    "Qwen3-30B-A3B": (
        gated("qwen3_moe", 2048, 48, 32, 6144, 151_936, num_key_value_heads=4, head_dim=128)
        | {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
        | {"mlp_only_layers": [], "decoder_sparse_step": 1},
        30_532_122_624,
    ),
    "gemma-7b": (
        gated("gemma", 3072, 28, 16, 24_576, 256_000, num_key_value_heads=16, head_dim=256),
        8_537_680_896,
    ),
    "gemma-2-9b": (
        gated("gemma2", 3584, 42, 16, 14_336, 256_000, num_key_value_heads=8, head_dim=256)
        | {"sliding_window": 4096},
        9_241_705_984,
    ),
    "gemma-3-1b": (
        gated("gemma3_text", 1152, 26, 4, 6912, 262_144, num_key_value_heads=1, head_dim=256)
        | {"sliding_window": 512, "sliding_window_pattern": 6},
        999_885_952,
    ),
    "OLMo-1B": (gated("olmo", 2048, 16, 16, 8192, 50_304, tie_word_embeddings=True), 1_176_764_416),
    "OLMo-2-7B": (gated("olmo2", 4096, 32, 32, 11_008, 100_352), 7_298_617_344),
    "OLMo-3-7B": (gated("olmo3", 4096, 32, 32, 11_008, 100_278, sliding_window=4096), 7_298_011_136),
    "OLMoE-1B-7B": (
        gated("olmoe", 2048, 16, 16, 1024, 50_304, num_experts=64, num_experts_per_tok=8),
        6_919_161_856,
    ),
    "gpt-oss-120b": (GPT_OSS_120B, 116_829_156_672),
    "DeepSeek-V2": (
        changed(DEEPSEEK_V3, "deepseek_v2", vocab_size=102_400, hidden_size=5120, intermediate_size=12_288)
        | {"moe_intermediate_size": 1536, "num_hidden_layers": 60, "n_routed_experts": 160}
        | {"n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1},
        235_741_434_880,
    ),
    "DeepSeek-V3": (DEEPSEEK_V3, 671_026_404_352),
    "mamba-130m": (
        {"model_type": "mamba", "vocab_size": 50_280, "hidden_size": 768, "num_hidden_layers": 24}
        | {"state_size": 16, "conv_kernel": 4, "expand": 2, "time_step_rank": 48, "use_bias": False},
        129_135_360,
    ),
    "Mamba-Codestral-7B": (
        {"model_type": "mamba2", "vocab_size": 32_768, "hidden_size": 4096, "num_hidden_layers": 64}
        | {"state_size": 128, "head_dim": 64, "num_heads": 128, "n_groups": 8, "expand": 2},
        7_285_403_648,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_checkpoint_is_counted_to_the_last_parameter(name: str) -> None:
    fields, published = PUBLISHED[name]

    assert model_of(fields).shape.params("total") == published


def test_every_family_with_checkpoints_is_held_against_one() -> None:
    counted = {fields["model_type"] for fields, _ in PUBLISHED.values()}

    assert set(FAMILIES) - counted == {"lstm", "gru"}  # which no publisher's files name
