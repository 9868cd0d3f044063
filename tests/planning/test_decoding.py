"""Serving bounds against published figures and by hand."""

from __future__ import annotations

import pytest

from allometry.errors import InputError
from allometry.planning.decoding import (
    Experts,
    ServedModel,
    batch_crossover,
    decode_step,
    largest_batch,
    prefill_seconds,
)
from allometry.planning.devices import DEVICES

H100, A100 = DEVICES["h100-sxm"], DEVICES["a100-sxm-80gb"]
# Llama 3.1 405B: 126 layers, 8 key heads of 128, 516,096 cache bytes (DeepSeek-AI 2025, arXiv:2505.09343).
LLAMA_405B = ServedModel(params=405.85e9, cache_bytes_per_token=516_096, score_flops=4 * 126 * 128 * 128)


def test_one_sequence_waits_for_the_weights_to_be_read() -> None:
    # 13.48 GB over 2,039 GB/s for Llama 2 7B: 151 tokens a second at most.
    step = decode_step(ServedModel(params=6.738e9), A100)

    assert step.limit == "memory"
    assert step.seconds == pytest.approx(6.61e-3, rel=1e-3)
    assert step.tokens_per_second == pytest.approx(151, abs=0.5)


def test_beyond_the_crossover_computing_is_the_limit() -> None:
    model, crossover = ServedModel(params=8.03e9), batch_crossover(H100)

    assert decode_step(model, H100, batch=int(crossover)).limit == "memory"
    assert decode_step(model, H100, batch=int(crossover) + 1).limit == "compute"


def test_long_contexts_are_read_at_every_step() -> None:
    short, long = (decode_step(LLAMA_405B, H100, devices=16, context=c) for c in (0, 131_072))

    extra = (long.memory_seconds - short.memory_seconds) * 16 * H100.bandwidth.value
    assert extra == pytest.approx(131_072 * 516_096)
    assert long.compute_seconds - short.compute_seconds == pytest.approx(
        4 * 126 * 128 * 128 * 131_072 / 16 / 989.4e12
    )


def test_a_small_batch_reads_only_the_experts_it_is_sent_to() -> None:
    # Mixtral 8x7B: 46.7e9 parameters, 45.1e9 of them in 8 experts, 2 chosen.
    model = ServedModel(
        params=46.7e9, active_params=12.88e9, experts=Experts(params=45.1e9, count=8, chosen=2)
    )

    assert model.bytes_read(1) == pytest.approx(2 * (1.6e9 + 45.1e9 / 4))
    assert model.bytes_read(1000) == pytest.approx(2 * 46.7e9)
    assert model.weight_bytes == 2 * 46.7e9  # memory holds every expert
    assert decode_step(model, H100).compute_seconds == pytest.approx(2 * 12.88e9 / 989.4e12)


def test_the_largest_batch_fills_memory_and_one_more_would_not_fit() -> None:
    batch = largest_batch(LLAMA_405B, H100, context=8192, devices=16)
    each, room = 8192 * 516_096, 16 * 80e9 * 0.9 - 2 * 405.85e9

    assert batch * each <= room < (batch + 1) * each


def test_weights_that_do_not_fit_say_how_many_devices_hold_them() -> None:
    with pytest.raises(InputError, match="take 12 of"):  # 811.7 GB over 72 GB
        largest_batch(LLAMA_405B, H100, context=8192, devices=8)


def test_quantized_weights_are_read_faster_by_their_bytes() -> None:
    full, quarter = (decode_step(ServedModel(params=8e9, bytes_per_param=b), H100) for b in (2.0, 0.5))

    assert full.seconds / quarter.seconds == pytest.approx(4)


def test_a_state_that_does_not_grow_takes_the_same_memory_at_any_context() -> None:
    model = ServedModel(params=2.7e9, cache_bytes_per_sequence=84e6)

    assert largest_batch(model, H100, context=1e3) == largest_batch(model, H100, context=1e6)


def test_prefill_computes_half_of_the_scores() -> None:
    seconds = prefill_seconds(LLAMA_405B, H100, prompt=8192, utilisation=0.4)

    by_hand = sum(2 * 405.85e9 + 4 * 126 * 128 * 128 * position for position in range(8192))
    assert seconds == pytest.approx(by_hand / (0.4 * 989.4e12), rel=1e-4)  # the half token of the diagonal


def test_what_cannot_be_served_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        decode_step(LLAMA_405B, H100, batch=0)
    with pytest.raises(InputError, match="zero or more"):
        decode_step(LLAMA_405B, H100, context=-1)
    with pytest.raises(InputError, match="share of the peak"):
        prefill_seconds(LLAMA_405B, H100, prompt=10, utilisation=40)
    with pytest.raises(InputError, match="reserved share"):
        largest_batch(LLAMA_405B, H100, context=1, devices=16, reserved=1.0)
    with pytest.raises(InputError, match="without a cache"):
        largest_batch(ServedModel(params=1e9), H100, context=1)
    with pytest.raises(InputError, match="no negative cache"):
        ServedModel(params=1, score_flops=-1)
