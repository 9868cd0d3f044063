"""FLOP, cache and memory of public models against published figures, and what other planners get wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from allometry.cli import run
from allometry.errors import InputError
from allometry.planning.models import ModelCounts, count_file, count_model, flops_per_token, model_of

PUBLISHED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("published.json").read_text())
LLAMA_7B: dict[str, Any] = PUBLISHED["Llama-2-7b"]["config"]
DEEPSEEK_V3: dict[str, Any] = PUBLISHED["DeepSeek-V3"]["config"]
LLAMA_405B = LLAMA_7B | {
    "vocab_size": 128_256,
    "hidden_size": 16_384,
    "intermediate_size": 53_248,
    "num_hidden_layers": 126,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
}
QWEN_72B = PUBLISHED["Qwen2.5-7B"]["config"] | {
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
}
DEEPSEEK_CONTEXT = 4096  # of DeepSeek-AI 2025, table 2
DEEPSEEK_TOLERANCE = 0.011  # what the notes' own sum differs by for the 405B model; the others round to it


def counted(fields: dict[str, Any], context: int | None = None) -> ModelCounts:
    return count_model(model_of(fields), context=context)


@pytest.mark.parametrize(
    ("fields", "gigaflops"),
    [(DEEPSEEK_V3, 250), (PUBLISHED["DeepSeek-V2"]["config"], 155), (LLAMA_405B, 2448)],
    ids=["DeepSeek-V3", "DeepSeek-V2", "Llama-3.1-405B"],
)
def test_training_flop_with_causal_attention_are_those_deepseek_states(
    fields: dict[str, Any], gigaflops: float
) -> None:
    flops = flops_per_token(model_of(fields).shape, "with_causal_attention", context=DEEPSEEK_CONTEXT)

    assert flops == pytest.approx(gigaflops * 1e9, rel=DEEPSEEK_TOLERANCE)


@pytest.mark.parametrize(
    ("fields", "stated"),
    [
        (DEEPSEEK_V3, 70_272),
        (QWEN_72B, 327_680),
        (LLAMA_405B, 516_096),
    ],
    ids=["DeepSeek-V3", "Qwen2.5-72B", "Llama-3.1-405B"],
)
def test_the_cache_per_token_is_what_deepseek_states(fields: dict[str, Any], stated: int) -> None:
    assert counted(fields).cache_bytes == stated  # DeepSeek-AI 2025, table 1, arXiv:2505.09343


def test_attention_adds_what_palms_appendix_says_and_half_of_it_when_causal() -> None:
    flops = counted(LLAMA_7B, 2048).flops_per_token

    full = 12 * 32 * 4096 * 2048  # 12 * layers * width * context, Chowdhery et al. 2022, appendix B
    assert flops["with_attention"] - flops["matmul"] == full
    assert flops["with_causal_attention"] - flops["matmul"] == full / 2


def test_an_untied_head_is_counted_apart_from_the_embedding() -> None:
    untied, tied = counted(LLAMA_7B), counted(LLAMA_7B | {"tie_word_embeddings": True})

    assert untied.params["total"] - tied.params["total"] == 32_000 * 4096
    assert untied.params["matmul"] == tied.params["matmul"]  # a tied head is a product all the same


def test_heads_of_a_stated_width_need_not_add_up_to_the_models() -> None:
    gemma = PUBLISHED["gemma-7b"]["config"]

    attention = 28 * 4 * 3072 * (16 * 256)  # heads of 256, 4,096 wide together, in a model of 3,072
    assert counted(gemma).groups["attention"] == attention


def test_the_stated_width_of_the_feed_forward_decides_its_flop() -> None:
    wider = LLAMA_7B | {"intermediate_size": 2 * 11_008}

    more = counted(wider).flops_per_token["matmul"] - counted(LLAMA_7B).flops_per_token["matmul"]
    assert more == 6 * 32 * 3 * 4096 * 11_008  # three matrices in each of 32 layers


def test_biases_and_norms_of_queries_and_keys_are_counted() -> None:
    qwen3 = PUBLISHED["Qwen3-8B"]["config"]  # 36 layers, 32 heads of 128 with 8 of keys and values
    plain = qwen3 | {"model_type": "llama"}

    more = {family: counted(plain | {"model_type": family}).params["total"] for family in ("qwen2", "qwen3")}
    assert more["qwen2"] - counted(plain).params["total"] == 36 * (32 + 2 * 8) * 128
    assert more["qwen3"] - counted(plain).params["total"] == 36 * 2 * 128


def test_a_mixtures_flop_are_those_of_the_experts_a_token_goes_to() -> None:
    mixtral = PUBLISHED["Mixtral-8x7B"]["config"]
    one, two = (counted(mixtral | {"num_experts_per_tok": top}) for top in (1, 2))

    assert two.flops_per_token["matmul"] - one.flops_per_token["matmul"] == 6 * 32 * 3 * 4096 * 14_336
    # 25.76 GFLOP forward, of which the embedding, that is only looked up, is 0.26.
    assert two.params["active"] * 2 == pytest.approx(25.76e9, rel=1e-4)
    assert two.weight_bytes == one.weight_bytes  # all experts take their place


def test_fewer_heads_of_keys_shrink_the_cache_and_not_the_scores() -> None:
    grouped = LLAMA_7B | {"num_key_value_heads": 8}

    assert counted(grouped).cache_bytes * 4 == counted(LLAMA_7B).cache_bytes
    attention = [
        c.flops_per_token["with_attention"] - c.flops_per_token["matmul"]
        for c in map(counted, (grouped, LLAMA_7B))
    ]
    assert attention[0] == attention[1]


def test_a_full_window_stops_the_cache_and_the_scores_from_growing() -> None:
    mistral = PUBLISHED["Mistral-7B"]["config"]
    at, beyond = counted(mistral, 4096), counted(mistral, 16_384)

    assert at.sequence_bytes == beyond.sequence_bytes == 4096 * 131_072
    assert at.flops_per_token["with_attention"] == beyond.flops_per_token["with_attention"]
    # With 4 windows to the context nearly every query has a full one: 1 - 1/8 of the scores, not a half.
    causal = beyond.flops_per_token["with_causal_attention"] - beyond.flops_per_token["matmul"]
    assert causal == 7 / 8 * (beyond.flops_per_token["with_attention"] - beyond.flops_per_token["matmul"])


def test_half_of_gemmas_layers_keep_a_window_only() -> None:
    gemma = PUBLISHED["gemma-2-9b"]["config"]

    per_layer = counted(gemma).cache_bytes // 42
    assert counted(gemma, 8192).sequence_bytes == 21 * per_layer * (4096 + 8192)


def test_active_parameters_are_what_each_publisher_means_by_them() -> None:
    oss = counted(PUBLISHED["gpt-oss-120b"]["config"]).params[
        "active_without_lookup"
    ]  # OpenAI 2025, table 1: 5.13B
    mixtral = counted(PUBLISHED["Mixtral-8x7B"]["config"]).params["active"]  # Jiang et al. 2024: 12.9B

    assert (round(oss / 1e9, 2), round(mixtral / 1e9, 1)) == (5.13, 12.9)


def test_opts_two_spare_positions_are_parameters_and_not_context() -> None:
    opt = counted(PUBLISHED["opt-125m"]["config"])

    assert opt.groups["positions"] == 2050 * 768
    assert opt.context == 2048


def test_the_large_lstm_of_zaremba_has_66_million_parameters() -> None:
    large = {"model_type": "lstm", "vocab_size": 10_000, "hidden_size": 1500, "num_layers": 2}

    assert round(counted(large).params["total"] / 1e6) == 66  # Zaremba et al. 2014, section 4.1
    assert counted(large).groups["cells"] == 36_024_000  # torch.nn.LSTM(1500, 1500, 2)


@pytest.mark.parametrize(("cell", "cells"), [("lstm", 3_678_208), ("gru", 2_758_656)])
def test_cells_over_a_narrow_embedding_are_counted_as_pytorch_does(cell: str, cells: int) -> None:
    narrow = {"vocab_size": 100, "input_size": 256, "hidden_size": 512, "num_layers": 2}

    assert counted({"model_type": cell} | narrow).groups["cells"] == cells


def test_what_is_counted_only_says_so_when_asked_to_train() -> None:
    for name in ("mamba-130m", "Qwen1.5-MoE-A2.7B"):
        with pytest.raises(InputError, match="counted and not trained"):
            model_of(PUBLISHED[name]["config"]).shape.build()


def test_the_command_counts_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_7B))

    assert run(["count", str(path), "--context", "2048", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["params"]["total"], shown["context"]) == (6_738_415_616, 2048)
    assert run(["count", str(path)]) == 0
    assert "6,738,415,616" in capsys.readouterr().out


def test_a_recipe_states_its_own_context(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="states its own context"):
        count_file(tmp_path / "recipe.toml", context=2048)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a recipe"):
        count_file(tmp_path / "model.safetensors")
