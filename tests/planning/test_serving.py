"""What serving takes: bounds of public models by their configurations, limits, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allometry.cli import run
from allometry.errors import InputError
from allometry.planning.rates import training_rate
from allometry.planning.serving import serve

LLAMA_3_8B = {
    "model_type": "llama", "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "max_position_embeddings": 8192, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
}  # fmt: skip
LLAMA_2_7B = LLAMA_3_8B | {
    "vocab_size": 32_000, "intermediate_size": 11_008, "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 14_336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8,
    "num_experts_per_tok": 2, "max_position_embeddings": 32_768, "tie_word_embeddings": False,
}  # fmt: skip
Config = Callable[[dict[str, Any]], Path]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    def write(values: dict[str, Any]) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(values))
        return path

    return write


@pytest.mark.parametrize(
    ("model", "device", "milliseconds"),  # weights in bf16 over the bandwidth: 16.06 GB / 3350, 13.48 / 2039
    [(LLAMA_3_8B, "h100-sxm", 4.79), (LLAMA_2_7B, "a100-sxm-80gb", 6.61)],
)
def test_one_sequence_waits_for_the_weights(
    model: dict[str, Any], device: str, milliseconds: float, config: Config
) -> None:
    found = serve(config(model), training_rate(device), batch=1, context=1)

    assert 1000 * found.step.seconds == pytest.approx(milliseconds, abs=0.005)
    assert found.step.limit == "memory"


def test_a_long_context_leaves_room_for_fewer_sequences_and_makes_a_token_slower(config: Config) -> None:
    path, rate = config(LLAMA_3_8B), training_rate("h100-sxm")

    short, long = (serve(path, rate, context=context, batch=4) for context in (1024, 16_384))

    # 2 · 32 layers · 8 heads · 128 · 2 bytes a token; a tenth of 80 GB is left to the rest.
    assert short.model.cache_bytes(1024) == 131_072 * 1024
    assert long.most == int((0.9 * 80e9 - long.model.weight_bytes) / (131_072 * 16_384))
    assert long.step.seconds > short.step.seconds


def test_a_limit_on_a_token_lowers_the_batch_to_the_last_that_keeps_it(config: Config) -> None:
    path, rate = config(LLAMA_3_8B), training_rate("h100-sxm")

    found = serve(path, rate, seconds_per_token=0.01)

    one_more = serve(path, rate, batch=found.batch + 1)
    assert found.step.seconds <= 0.01 < one_more.step.seconds


def test_few_sequences_read_few_experts_and_memory_holds_all(config: Config) -> None:
    path, rate = config(MIXTRAL), training_rate("h100-sxm")

    alone, many = (serve(path, rate, devices=2, batch=batch, context=1) for batch in (1, 64))

    assert alone.model.weight_bytes == pytest.approx(2 * 46.7e9, rel=1e-3)
    routed = 32 * 8 * 3 * 4096 * 14_336 * 2
    assert alone.model.bytes_read(1) == pytest.approx(alone.model.weight_bytes - 0.75 * routed)
    assert many.model.bytes_read(64) == pytest.approx(many.model.weight_bytes, rel=1e-6)


def test_four_bits_are_faster_to_read(config: Config) -> None:
    path, rate = config(LLAMA_3_8B), training_rate("h100-sxm")

    whole, few = (serve(path, rate, weights=weights, batch=1, context=1) for weights in ("bfloat16", "int4"))

    assert whole.step.seconds / few.step.seconds == pytest.approx(16 / 4.25, rel=1e-3)


def test_a_million_tokens_cost_the_hours_they_take(config: Config) -> None:
    rate = training_rate("h100-sxm", usd_per_hour=3.6, price_as_of="2026-05")

    found = serve(config(LLAMA_3_8B), rate, devices=2, batch=8)

    assert found.usd_per_million is not None
    assert found.usd_per_million.value == pytest.approx(2 * 0.001 * 1e6 / found.step.tokens_per_second)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"batch": 10_000}, "memory holds no more; not 10000"),
        ({"seconds_per_token": 0.001}, "even for one sequence, and 1 ms are allowed"),
        ({"seconds_per_token": -1}, "a time above zero for each token; not -1000 ms"),
        ({"seconds_per_token": float("nan")}, "a time above zero"),
        ({"context": 10_000_000}, "no room for the cache of one sequence"),
        ({"devices": 0}, "devices must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_way_out(
    limits: dict[str, Any], words: str, config: Config
) -> None:
    with pytest.raises(InputError, match=words):
        serve(config(LLAMA_3_8B), training_rate("h100-sxm"), **limits)


def test_the_command_prints_the_bounds(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(config(LLAMA_3_8B))

    assert run(["serving", path, "--device", "l4", "--ms-per-token", "60"]) == 0

    said = capsys.readouterr().out
    assert "memory limits" in said
    assert "unknown, as there is no price" in said
