"""Readers of families with routed experts."""

from __future__ import annotations

from typing import Any

from allometry.architectures import Latent, MixtureOfExperts
from allometry.architectures.decoder import Bias
from allometry.errors import InputError
from allometry.planning.models.config import Config
from allometry.planning.models.llama import GATED, dimensions, heads, stated_biases
from allometry.planning.models.shapes import GatedSharedExperts
from allometry.planning.models.windows import same_window, window_but_every


def read_mixtral(config: Config) -> MixtureOfExperts:
    """Jiang et al. 2024, arXiv:2401.04088: experts of the full width, a router in every layer."""
    return MixtureOfExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "num_local_experts", width="intermediate_size"),
        attention=heads(config, **same_window(config)),
    )


def read_qwen2_moe(config: Config) -> MixtureOfExperts:
    """Qwen team 2024, arXiv:2407.10671, section 2.2.2: a gate decides how much the shared experts add."""
    _require_one_kind_of_layer(config)
    biases: tuple[Bias, ...] = ("qkv",) if config.flag("qkv_bias", default=True) else ()
    return GatedSharedExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "num_experts", width="moe_intermediate_size"),
        biases=biases,
        shared_experts=_shared(config),
        attention=heads(config),
    )


def read_qwen3_moe(config: Config) -> MixtureOfExperts:
    """Qwen team 2025, arXiv:2505.09388: no shared experts."""
    _require_one_kind_of_layer(config)
    return MixtureOfExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "num_experts", width="moe_intermediate_size"),
        biases=stated_biases(config),
        attention=heads(config, qk_norm="head"),
    )


def read_olmoe(config: Config) -> MixtureOfExperts:
    """Muennighoff et al. 2024, arXiv:2409.02060: `intermediate_size` is that of one expert."""
    return MixtureOfExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "num_experts", width="intermediate_size"),
        biases=stated_biases(config),
        attention=heads(config, qk_norm="width"),
    )


def read_gpt_oss(config: Config) -> MixtureOfExperts:
    """OpenAI 2025, arXiv:2508.10925: every bias, sinks, a window in every other layer."""
    config.refuse_unless("attention_bias", True)
    return MixtureOfExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "num_local_experts", width="intermediate_size"),
        biases=("qkv", "attention_out", "mlp"),
        attention=heads(config, sinks=True, **window_but_every(config, 2)),
    )


def read_deepseek(config: Config) -> MixtureOfExperts:
    """DeepSeek-AI 2024, arXiv:2405.04434 (V2) and arXiv:2412.19437 (V3, without its extra prediction layer).

    The preferences by which V3 evens out its experts' loads are no parameters, and are not counted.
    """
    for name, only in (("moe_layer_freq", 1), ("attention_bias", False), ("mlp_bias", False)):
        config.refuse_unless(name, only)
    return MixtureOfExperts(
        **dimensions(config),
        **GATED,
        **_experts(config, "n_routed_experts", width="moe_intermediate_size"),
        shared_experts=config.count("n_shared_experts", default=0),
        dense_layers=config.count("first_k_dense_replace", default=0),
        attention=_latent(config),
    )


def _latent(config: Config) -> Latent:
    return Latent(
        kv_rank=config.whole("kv_lora_rank"),
        query_rank=config.whole_or_none("q_lora_rank"),
        plain_width=config.whole("qk_nope_head_dim"),
        rotary_width=config.whole("qk_rope_head_dim"),
        value_width=config.whole("v_head_dim"),
    )


def _experts(config: Config, number: str, *, width: str) -> dict[str, Any]:
    # Whether weights add up to 1 changes no count, and with one expert a token it would be refused.
    return {
        "experts": config.whole(number),
        "top_k": config.whole("num_experts_per_tok"),
        "expert_width": config.whole(width),
        "renormalize": False,
    }


def _shared(config: Config) -> int:
    shared, one = config.whole("shared_expert_intermediate_size"), config.whole("moe_intermediate_size")
    if shared % one:
        raise InputError(
            f"shared_expert_intermediate_size = {shared} in {config.source} is not a multiple of "
            f"moe_intermediate_size = {one}; only whole experts are counted."
        )
    return shared // one


def _require_one_kind_of_layer(config: Config) -> None:
    config.refuse_unless("use_sliding_window", False)
    config.refuse_unless("decoder_sparse_step", 1)
    config.refuse_unless("mlp_only_layers", [])
