"""A configuration that is missing, odd or of an unknown family is refused in a sentence that names it."""

import json
from pathlib import Path
from typing import Any

import pytest

from allometry.errors import InputError, UnknownName
from allometry.planning.models import model_of, read_model

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 32_000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}


def layer_types(*kinds: str) -> dict[str, Any]:
    names = {"s": "sliding_attention", "f": "full_attention"}
    return {"layer_types": [names[kind] for kind in kinds], "sliding_window": 8, "head_dim": 16}


def test_an_unknown_family_is_refused_by_name_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no model family 'qwen4'. Did you mean 'qwen"):
        model_of(LLAMA | {"model_type": "qwen4"})


def test_a_missing_field_is_named() -> None:
    without = {name: value for name, value in LLAMA.items() if name != "num_hidden_layers"}

    with pytest.raises(InputError, match=r"config.json has no 'num_hidden_layers'"):
        model_of(without)


def test_a_configuration_without_a_family_says_so() -> None:
    with pytest.raises(InputError, match="no 'model_type'"):
        model_of({"vocab_size": 32_000})


@pytest.mark.parametrize("value", ["64", 64.0, True, 0, -1, [64]])
def test_a_dimension_that_is_no_whole_number_is_refused_with_its_name(value: Any) -> None:
    with pytest.raises(InputError, match=r"'hidden_size' in config\.json must be a whole number"):
        model_of(LLAMA | {"hidden_size": value})


def test_null_is_a_field_that_is_not_there() -> None:
    assert model_of(LLAMA | {"num_key_value_heads": None, "head_dim": None}) == model_of(LLAMA)


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        ("qwen3_moe", "mlp_only_layers", [0]),
        ("qwen2_moe", "decoder_sparse_step", 2),
        ("opt", "do_layer_norm_before", False),
        ("mamba2", "use_bias", True),
        ("gpt_oss", "attention_bias", False),
        ("deepseek_v3", "moe_layer_freq", 2),
    ],
)
def test_a_build_that_is_not_counted_is_refused_and_not_guessed(
    family: str, field: str, value: object
) -> None:
    with pytest.raises(InputError, match=f"config.json has {field} = "):
        model_of(LLAMA | {"model_type": family, field: value})


def test_stated_layer_types_decide_which_layers_have_a_window() -> None:
    shape = model_of(LLAMA | {"model_type": "olmo3"} | layer_types(*"ssfssf")).shape

    assert shape.spans() == [8, 8, 256] * 2  # type: ignore[attr-defined]


def test_layers_in_no_regular_order_are_refused() -> None:
    with pytest.raises(InputError, match="not every so manieth one"):
        model_of(LLAMA | {"model_type": "gemma2"} | layer_types(*"fsssff"))


def test_a_kind_of_layer_that_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match="type 'linear_attention'"):
        model_of(LLAMA | {"model_type": "gemma2", "layer_types": ["linear_attention"] * 6})


@pytest.mark.parametrize(("text", "reason"), [("{", "cannot be read as JSON"), ("[1]", "one JSON object")])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)

    with pytest.raises(InputError, match=reason):
        read_model(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no configuration at"):
        read_model(tmp_path / "config.json")


def test_a_file_is_read_as_its_fields_are(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))

    assert read_model(path) == model_of(LLAMA)
