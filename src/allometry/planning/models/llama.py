"""Readers of dense families with gated feed-forward layers, which name their fields as Llama does."""

from __future__ import annotations

from typing import Any

from allometry.architectures import MultiHead, Transformer
from allometry.architectures.decoder import Bias
from allometry.planning.models.config import Config
from allometry.planning.models.windows import qwen_window, same_window, window_but_every

GATED: dict[str, Any] = {"norm": "rms", "activation": "swiglu"}
_GEMMA: dict[str, Any] = {"norm": "rms", "activation": "geglu"}


def dimensions(config: Config, *, tied: bool = False) -> dict[str, Any]:
    """What the families share; `tied` is what a file that says nothing means."""
    return {
        "vocab": config.whole("vocab_size"),
        "context": config.whole("max_position_embeddings"),
        "width": config.whole("hidden_size"),
        "layers": config.whole("num_hidden_layers"),
        "heads": config.whole("num_attention_heads"),
        "mlp_width": config.whole("intermediate_size"),
        "tied": config.flag("tie_word_embeddings", default=tied),
    }


def heads(config: Config, **more: Any) -> MultiHead:
    """Attention whose heads of keys and values, and their width, may be others than those of queries."""
    return MultiHead(
        kv_heads=config.whole_or_none("num_key_value_heads"),
        head_width=config.whole_or_none("head_dim"),
        **more,
    )


def stated_biases(config: Config) -> tuple[Bias, ...]:
    """Biases of all projections of attention and of the feed-forward layers, where the file asks for them."""
    attention: tuple[Bias, ...] = (
        ("qkv", "attention_out") if config.flag("attention_bias", default=False) else ()
    )
    return attention + (("mlp",) if config.flag("mlp_bias", default=False) else ())


def read_llama(config: Config) -> Transformer:
    """Touvron et al. 2023, arXiv:2302.13971 and arXiv:2307.09288; Llama team 2024, arXiv:2407.21783."""
    return _dense(config, GATED, heads(config))


def read_mistral(config: Config) -> Transformer:
    """Jiang et al. 2023, arXiv:2310.06825: a window in every layer, where there is one."""
    return _dense(config, GATED, heads(config, **same_window(config)))


def read_qwen2(config: Config) -> Transformer:
    """Qwen team 2024, arXiv:2407.10671: biases with queries, keys and values only."""
    return _dense(config, GATED | {"biases": ("qkv",)}, heads(config, **qwen_window(config)))


def read_qwen3(config: Config) -> Transformer:
    """Qwen team 2025, arXiv:2505.09388: heads of a stated width, normed queries and keys."""
    return _dense(config, GATED, heads(config, qk_norm="head", **qwen_window(config)))


def read_phi3(config: Config) -> Transformer:
    """Abdin et al. 2024, arXiv:2404.14219."""
    return _dense(config, GATED, heads(config, **same_window(config)))


def read_gemma(config: Config) -> Transformer:
    """Gemma team 2024, arXiv:2403.08295: a tied head, heads of a stated width."""
    return _dense(config, _GEMMA, heads(config), tied=True)


def read_gemma2(config: Config) -> Transformer:
    """Gemma team 2024, arXiv:2408.00118: norms on both sides, a window in every other layer."""
    chosen = heads(config, **window_but_every(config, 2))
    return _dense(config, _GEMMA | {"norm_at": "sandwich"}, chosen, tied=True)


def read_gemma3(config: Config) -> Transformer:
    """Gemma team 2025, arXiv:2503.19786: a window in five layers of six; text only."""
    every = config.whole("sliding_window_pattern", default=6)
    chosen = heads(config, qk_norm="head", **window_but_every(config, every))
    return _dense(config, _GEMMA | {"norm_at": "sandwich"}, chosen, tied=True)


def read_olmo(config: Config) -> Transformer:
    """Groeneveld et al. 2024, arXiv:2402.00838: norms without parameters."""
    return _dense(config, GATED | {"norm": "layer_fixed"}, heads(config))


def read_olmo2(config: Config) -> Transformer:
    """OLMo team 2024, arXiv:2501.00656: norms of what a branch adds, and of all queries and keys at once."""
    return _dense(config, GATED | {"norm_at": "post"}, heads(config, qk_norm="width"))


def read_olmo3(config: Config) -> Transformer:
    """OLMo team 2025: as OLMo 2, with a window in three layers of four."""
    chosen = heads(config, qk_norm="width", **window_but_every(config, 4))
    return _dense(config, GATED | {"norm_at": "post"}, chosen)


def _dense(config: Config, style: dict[str, Any], chosen: MultiHead, *, tied: bool = False) -> Transformer:
    biases = {"biases": stated_biases(config)} | style
    return Transformer(**dimensions(config, tied=tied), **biases, attention=chosen)
