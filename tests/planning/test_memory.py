"""Memory against the figures that its papers state."""

import dataclasses

import pytest

from allometry.architectures import Latent, MixtureOfExperts, MultiHead, StateSpace, Transformer
from allometry.errors import InputError, UnknownName
from allometry.planning.memory import (
    Recompute,
    cache_bytes,
    layer_activations,
    model_states,
    training_memory,
    weight_bytes,
)

GPT3 = Transformer(vocab=51_200, context=2048, width=12_288, layers=96, heads=96, activation="gelu")
MT_NLG = dataclasses.replace(GPT3, width=20_480, layers=105, heads=128)
SMALL = Transformer(vocab=1000, context=64, width=32, layers=3, heads=4, activation="gelu")


@pytest.mark.parametrize(("zero", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.88)])
def test_stages_of_zero_leave_what_figure_1_of_the_paper_says(zero: int, gigabytes: float) -> None:
    states = model_states(7.5e9, devices=64, zero=zero)

    assert states.total / 1e9 == pytest.approx(gigabytes, rel=3e-3)  # digits of the figure, 1.9 being 1.875


@pytest.mark.parametrize(("shape", "scores", "saved"), [(GPT3, 80, 0.70), (MT_NLG, 64, 0.65)])
def test_recomputing_scores_saves_what_korthikanti_states(
    shape: Transformer, scores: float, saved: float
) -> None:
    """Section 5: 5 a s / h is 80 for GPT-3 and 64 for MT-NLG; 70% and 65% of activations are saved."""
    layer = layer_activations(shape, context=2048, dropout=True)
    kept = {way: activations(shape, way, tensor_parallel=8, sequence_parallel=True) for way in ways()}

    assert layer.scores / shape.width == scores
    assert 1 - kept["selective"] / kept["none"] == pytest.approx(saved, abs=0.005)


@pytest.mark.parametrize("group", [1, 8])
def test_a_layers_activations_are_those_of_korthikantis_table_2(group: int) -> None:
    scores = 80
    per_value = {way: activations(GPT3, way, tensor_parallel=group) / 96 / 2048 / 12_288 for way in ways()}

    assert per_value["none"] == pytest.approx(10 + 24 / group + scores / group)
    assert per_value["selective"] == pytest.approx(10 + 24 / group)
    assert per_value["full"] == 2


def test_sharing_the_sequence_divides_all_of_a_layer() -> None:
    shared = activations(GPT3, "selective", tensor_parallel=8, sequence_parallel=True)

    assert shared / 96 / 2048 / 12_288 == pytest.approx(34 / 8)


def ways() -> tuple[Recompute, ...]:
    return ("none", "selective", "full")


def activations(
    shape: Transformer, recompute: Recompute, *, tensor_parallel: int = 1, sequence_parallel: bool = False
) -> float:
    memory = training_memory(
        shape,
        sequences=1,
        context=2048,
        tensor_parallel=tensor_parallel,
        sequence_parallel=sequence_parallel,
        recompute=recompute,
        dropout=True,
    )
    return memory.activations


def test_logits_take_four_bytes_and_their_gradients_four_more() -> None:
    llama3 = dataclasses.replace(SMALL, vocab=128_256)

    assert training_memory(llama3, sequences=2, context=4096).logits == 8192 * 128_256 * 8


def test_all_parts_add_up() -> None:
    memory = training_memory(SMALL, sequences=2, context=64)

    assert memory.total == 16 * SMALL.params("total") + memory.activations + memory.logits


def test_heads_of_keys_that_are_shared_keep_less_for_the_backward_pass() -> None:
    grouped = dataclasses.replace(SMALL, attention=MultiHead(kv_heads=1))
    saved = layer_activations(SMALL, context=64).split - layer_activations(grouped, context=64).split

    assert saved == 2 * 2 * 3 * 8  # two bytes of a key and a value of three heads of eight dimensions


def test_a_gated_layer_keeps_four_hidden_values_and_a_plain_one_two() -> None:
    plain = layer_activations(SMALL, context=64).split
    gated = layer_activations(dataclasses.replace(SMALL, activation="swiglu"), context=64).split

    assert gated - plain == 2 * 2 * SMALL.inner_width


def test_a_mixture_keeps_hidden_values_of_the_experts_that_a_token_goes_to() -> None:
    two, three = (layer_activations(mixture(top_k=k), context=64).split for k in (2, 3))

    assert three - two == 2 * 2 * 4 * 32


def mixture(**chosen: int) -> MixtureOfExperts:
    few = {"vocab": 1000, "context": 64, "width": 32, "layers": 3, "heads": 4, "experts": 8, "top_k": 2}
    return MixtureOfExperts(**few | chosen)  # type: ignore[arg-type]


def test_shared_experts_keep_an_input_and_hidden_values_of_their_own() -> None:
    routed, shared = (layer_activations(mixture(shared_experts=n), context=64) for n in (0, 1))

    assert shared.whole - routed.whole == 2 * 32
    assert shared.split - routed.split == 2 * 2 * 4 * 32


def test_experts_that_a_token_does_not_use_take_their_memory_all_the_same() -> None:
    shape = mixture()

    assert training_memory(shape, sequences=1, context=64).states.total == 16 * shape.params("total")


def test_devices_that_share_each_matrix_share_the_states_and_the_logits_too() -> None:
    alone, shared = (training_memory(SMALL, sequences=1, context=64, tensor_parallel=n) for n in (1, 4))

    assert (alone.states.total, alone.logits) == (4 * shared.states.total, 4 * shared.logits)


def test_a_latent_layer_keeps_its_short_vectors_too() -> None:
    latent = Latent(kv_rank=16, query_rank=8, plain_width=8, rotary_width=4, value_width=8)
    shape = dataclasses.replace(SMALL, attention=latent)

    heads = 4 * (12 + 12 + 8 + 8)  # query, key, value, and what attention gives
    assert layer_activations(shape, context=64).split == 2 * (heads + 16 + 8 + 2 * 128)


@pytest.mark.parametrize(
    ("all_params", "experts", "gibibytes"),
    [(20.91e9, 24 * 32 * 3 * 2880**2, 12.8), (116.83e9, 36 * 128 * 3 * 2880**2, 60.8)],
    ids=["gpt-oss-20b", "gpt-oss-120b"],
)
def test_checkpoints_with_experts_in_mxfp4_are_as_large_as_their_card_says(
    all_params: float, experts: int, gibibytes: float
) -> None:
    stored = weight_bytes(experts, "mxfp4") + weight_bytes(all_params - experts, "bfloat16")

    assert stored / 2**30 == pytest.approx(gibibytes, abs=0.05)  # OpenAI 2025, table 1, arXiv:2508.10925


def test_a_cache_grows_with_sequences_and_context_and_a_state_with_sequences_only() -> None:
    state = StateSpace(vocab=256, context=128, width=32, layers=2)

    assert cache_bytes(SMALL, context=64, sequences=3) == 3 * 64 * SMALL.cache_bytes()
    assert cache_bytes(state, context=64) == cache_bytes(state, context=10**6) == state.state_bytes()


def test_what_cannot_be_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="0 to 3, not 4"):
        model_states(1e9, zero=4)
    with pytest.raises(InputError, match="recompute = 'scores' is not known"):
        training_memory(SMALL, sequences=1, context=64, recompute="scores")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sequences must be a whole number"):
        cache_bytes(SMALL, context=64, sequences=0)
    with pytest.raises(UnknownName, match="no precision 'bfloat8'"):
        weight_bytes(1e9, "bfloat8")
