"""Readers of dense families with feed-forward layers that are not gated, each with names of its own."""

from __future__ import annotations

from typing import Any

from allometry.architectures import MultiHead, Transformer
from allometry.architectures.decoder import Branches
from allometry.planning.models.config import Config
from allometry.planning.models.llama import dimensions

_EVERY_BIAS: dict[str, Any] = {
    "norm": "layer_with_bias",
    "biases": ("qkv", "attention_out", "mlp"),
    "activation": "gelu",
}


def read_gpt2(config: Config) -> Transformer:
    """Radford et al. 2019: learned positions, a tied head."""
    config.refuse_unless("add_cross_attention", False)
    return Transformer(**_radford(config, tied=True), **_EVERY_BIAS, positions="learned")


def read_gptj(config: Config) -> Transformer:
    """Wang and Komatsuzaki 2021: one norm before both branches, biases in the MLP and the head only."""
    shared = _radford(config, tied=False)
    turned = config.whole_or_none("rotary_dim")
    style = _EVERY_BIAS | {"branches": "parallel_one_norm", "biases": ("mlp", "head")}
    head_width = shared["width"] // shared["heads"]
    return Transformer(**shared, **style, rotary_fraction=(turned or head_width) / head_width)


def read_neox(config: Config) -> Transformer:
    """Black et al. 2022, arXiv:2204.06745, and Pythia, Biderman et al. 2023, arXiv:2304.01373."""
    parallel = config.flag("use_parallel_residual", default=True)
    qkv = ("qkv", "attention_out") if config.flag("attention_bias", default=True) else ()
    return Transformer(
        **dimensions(config),
        **_EVERY_BIAS | {"biases": (*qkv, "mlp")},
        branches="parallel" if parallel else "sequential",
        rotary_fraction=config.fraction("rotary_pct", "partial_rotary_factor", default=0.25),
    )


def read_phi(config: Config) -> Transformer:
    """Phi-1, 1.5 and 2, Gunasekar et al. 2023, arXiv:2306.11644: one norm a block, every bias."""
    config.refuse_unless("qk_layernorm", False)
    return Transformer(
        **dimensions(config),
        **_EVERY_BIAS | {"biases": ("qkv", "attention_out", "mlp", "head")},
        branches="parallel_one_norm",
        attention=MultiHead(kv_heads=config.whole_or_none("num_key_value_heads")),
        rotary_fraction=config.fraction("partial_rotary_factor", default=0.5),
    )


def read_opt(config: Config) -> Transformer:
    """Zhang et al. 2022, arXiv:2205.01068: two positions more than the context, which no token has."""
    config.refuse_unless("do_layer_norm_before", True)
    config.refuse_unless("enable_bias", True)
    config.refuse_unless("word_embed_proj_dim", config.whole("hidden_size", "d_model"))
    return Transformer(
        vocab=config.whole("vocab_size"),
        context=config.whole("max_position_embeddings") + 2,
        width=config.whole("hidden_size", "d_model"),
        layers=config.whole("num_hidden_layers"),
        heads=config.whole("num_attention_heads"),
        mlp_width=config.whole("ffn_dim"),
        tied=config.flag("tie_word_embeddings", default=True),
        **_EVERY_BIAS,
        positions="learned",
    )


def read_bloom(config: Config) -> Transformer:
    """BigScience 2022, arXiv:2211.05100: a normed embedding, no positions but falling scores."""
    return Transformer(**_bloom(config), **_EVERY_BIAS, positions="alibi", embedding_norm=True)


def read_falcon(config: Config) -> Transformer:
    """Almazrouei et al. 2023, arXiv:2311.16867: three ways to arrange a block, two kinds of positions."""
    alibi = config.flag("alibi", default=False)
    bias = config.flag("bias", default=False)
    style = _EVERY_BIAS if bias else _EVERY_BIAS | {"biases": ()}
    return Transformer(
        **_bloom(config),
        **style,
        positions="alibi" if alibi else "rotary",
        branches=_falcon_branches(config),
        attention=MultiHead(kv_heads=_falcon_kv_heads(config)),
    )


def _falcon_branches(config: Config) -> Branches:
    if config.flag("new_decoder_architecture", default=False):
        norms = config.whole("num_ln_in_parallel_attn", default=2)
        return "parallel" if norms == 2 else "parallel_one_norm"
    return "parallel_one_norm" if config.flag("parallel_attn", default=True) else "sequential"


def _falcon_kv_heads(config: Config) -> int | None:
    if config.flag("new_decoder_architecture", default=False):
        return config.whole_or_none("num_kv_heads", "n_head_kv")
    return 1 if config.flag("multi_query", default=True) else None


def _radford(config: Config, *, tied: bool) -> dict[str, Any]:
    width = config.whole("n_embd")
    return {
        "vocab": config.whole("vocab_size"),
        "context": config.whole("n_positions"),
        "width": width,
        "layers": config.whole("n_layer"),
        "heads": config.whole("n_head"),
        "mlp_width": config.whole("n_inner", default=4 * width),
        "tied": config.flag("tie_word_embeddings", default=tied),
    }


def _bloom(config: Config) -> dict[str, Any]:
    width = config.whole("hidden_size", "n_embed")
    return {
        "vocab": config.whole("vocab_size"),
        "context": config.whole("seq_length", "max_position_embeddings", default=2048),
        "width": width,
        "layers": config.whole("num_hidden_layers", "n_layer"),
        "heads": config.whole("num_attention_heads", "n_head"),
        "mlp_width": config.whole("n_inner", "ffn_hidden_size", default=4 * width),
        "tied": config.flag("tie_word_embeddings", default=True),
    }
