"""Parameters and dimensions of a saved Hugging Face model; headers are read, weights never."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.files import read_json

_EMBEDDINGS = (
    "embed_tokens",
    "wte",
    "wpe",
    "embed_in",
    "word_embeddings",
    "position_embeddings",
    "embed_positions",
)
_HEADS = ("lm_head", "embed_out")
_HEADER_BYTES = 100_000_000  # the format's own limit
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_DIMENSIONS = {  # as most configurations name it -> other names for it
    "hidden_size": ("n_embd", "d_model"),
    "num_hidden_layers": ("n_layer", "num_layers"),
    "num_attention_heads": ("n_head", "num_heads"),
    "vocab_size": (),
}


def model_cells(folders: Sequence[Path]) -> dict[str, Any]:
    """What the first folder that holds a model says of it: parameters and dimensions; nothing if none does.

    A tied output projection is stored once, as the embedding: then `params_head` is 0. Where only the index
    of the weights is there, the total is read from it, and where that gives bytes, from them and the data
    type of the configuration.

    Raises:
        TableError: If a file of the model is damaged.
    """
    for folder in folders:
        config = _config(folder)
        if cells := _dimensions(config) | _params(folder, config):
            return cells
    return {}


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    if not isinstance(config, dict):
        raise TableError(f"{path} is not the configuration of a model; remove it to read the run without it.")
    return config


def _dimensions(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, others in _DIMENSIONS.items():
        values = [config[key] for key in (name, *others) if isinstance(config.get(key), int)]
        found |= {name: values[0]} if values else {}
    return found


def _params(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    shards = sorted([*folder.glob("model.safetensors"), *folder.glob("model-*-of-*.safetensors")])
    sizes = {name: size for shard in shards for name, size in _tensor_sizes(shard).items()}
    total = sum(sizes.values()) if sizes else _total_of_index(folder / "model.safetensors.index.json", config)
    if not total:
        return {}
    cells = {"params": total, "params_convention": "total", "params_total": total}
    if embedding := _sum_of(sizes, _EMBEDDINGS):
        cells |= {"params_embedding": embedding, "params_head": _sum_of(sizes, _HEADS)}
    return cells


def _sum_of(sizes: Mapping[str, int], layers: Sequence[str]) -> int:
    return sum(
        size for name, size in sizes.items() if name.removesuffix(".weight").rpartition(".")[2] in layers
    )


def _tensor_sizes(path: Path) -> dict[str, int]:
    """Tensor to number of values, from the header: 8 bytes for its length, then JSON."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length <= _HEADER_BYTES else b""
    try:
        header = json.loads(text)
        return {
            name: math.prod(map(index, header[name]["shape"])) for name in header if name != "__metadata__"
        }
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise TableError(
            f"{path} is not a safetensors file that can be read; copy it again, or remove it to read the run "
            f"without counts of parameters."
        ) from error


def _total_of_index(path: Path, config: Mapping[str, Any]) -> int | None:
    shards = read_json(path) if path.is_file() else {}
    metadata = shards.get("metadata") if isinstance(shards, dict) else None
    if not isinstance(metadata, dict):
        return None
    count, size = metadata.get("total_parameters"), metadata.get("total_size")
    if isinstance(count, int):
        return count
    width = _BYTES.get(str(config.get("torch_dtype", config.get("dtype"))))
    return size // width if width and isinstance(size, int) else None
