"""Every family of public models whose `config.json` is read, and the reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.architectures import Architecture
from allometry.planning.models import gpt, llama, recurrences, routed
from allometry.planning.models.config import Config, read_config
from allometry.registry import Catalog

Reader = Callable[[Config], Architecture]

FAMILIES: Catalog[Reader] = Catalog(
    "model family",
    {
        "gpt2": gpt.read_gpt2,
        "gptj": gpt.read_gptj,
        "gpt_neox": gpt.read_neox,
        "opt": gpt.read_opt,
        "bloom": gpt.read_bloom,
        "falcon": gpt.read_falcon,
        "phi": gpt.read_phi,
        "phi3": llama.read_phi3,
        "llama": llama.read_llama,
        "mistral": llama.read_mistral,
        "mixtral": routed.read_mixtral,
        "qwen2": llama.read_qwen2,
        "qwen2_moe": routed.read_qwen2_moe,
        "qwen3": llama.read_qwen3,
        "qwen3_moe": routed.read_qwen3_moe,
        "gemma": llama.read_gemma,
        "gemma2": llama.read_gemma2,
        "gemma3_text": llama.read_gemma3,
        "olmo": llama.read_olmo,
        "olmo2": llama.read_olmo2,
        "olmo3": llama.read_olmo3,
        "olmoe": routed.read_olmoe,
        "gpt_oss": routed.read_gpt_oss,
        "deepseek_v2": routed.read_deepseek,
        "deepseek_v3": routed.read_deepseek,
        "mamba": recurrences.read_mamba,
        "mamba2": recurrences.read_mamba2,
        "lstm": recurrences.read_lstm,
        "gru": recurrences.read_gru,
    },
)


@dataclass(frozen=True, kw_only=True)
class PublicModel:
    """A model as its configuration describes it.

    Attributes:
        family: The `model_type` of its configuration.
        shape: Its dimensions, which count themselves.
        context: Longest sequence, in tokens, that it is stated for.
    """

    family: str
    shape: Architecture
    context: int


def read_model(path: Path) -> PublicModel:
    """Read a model's `config.json`, a local file.

    Raises:
        InputError: For a file that cannot be read, or a field that is missing, odd or not counted; by name.
        UnknownName: For a family that is not in `FAMILIES`, with the nearest that is.
    """
    return _model(read_config(path))


def model_of(fields: Mapping[str, Any]) -> PublicModel:
    """A model from the fields of its configuration.

    >>> gpt2 = {"model_type": "gpt2", "vocab_size": 50_257, "n_positions": 1024, "n_embd": 768, "n_layer": 12,
    ...         "n_head": 12}
    >>> model_of(gpt2).shape.params("total")
    124439808
    >>> model_of(gpt2 | {"model_type": "lama"})
    Traceback (most recent call last):
        ...
    allometry.errors.UnknownName: There is no model family 'lama'. Did you mean 'llama'? There are: gpt2, ...
    """
    return _model(Config(fields))


def _model(config: Config) -> PublicModel:
    family = config.text("model_type")
    shape = FAMILIES[family](config)
    # OPT has two positions that no token is at.
    context = shape.context - 2 if family == "opt" else shape.context
    return PublicModel(family=family, shape=shape, context=context)
