"""Batches are a function of seed and step, and every token is met once an epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.lab.data import Batches, held_out_windows


def batches(length: int = 997, *, context: int = 8, sequences: int = 3, seed: int = 0) -> Batches:
    ids = np.arange(length, dtype=np.uint16)  # a token is its own place, so windows can be told apart
    return Batches(ids, context=context, batch_tokens=context * sequences, seed=seed)


@given(seed=st.integers(0, 2**32), step=st.integers(0, 5000), others=st.lists(st.integers(0, 5000)))
def test_a_batch_depends_on_seed_and_step_and_on_nothing_before(
    seed: int, step: int, others: list[int]
) -> None:
    used = batches(seed=seed)
    for other in others:
        used.batch(other)

    np.testing.assert_array_equal(used.batch(step), batches(seed=seed).batch(step))


@given(length=st.integers(60, 400), context=st.integers(1, 9), sequences=st.integers(1, 5))
def test_an_epoch_visits_every_window_exactly_once(length: int, context: int, sequences: int) -> None:
    windows = (length - 1) // context
    run = batches(length, context=context, sequences=sequences)
    starts = [start for step in range(2 * windows) for start in run.batch(step)[:, 0]]

    for epoch in range(2 * sequences):
        seen = sorted(starts[epoch * windows : (epoch + 1) * windows])
        assert seen == [context * k for k in range(windows)]


def test_each_epoch_has_an_order_of_its_own() -> None:
    run = batches(97, context=8, sequences=12)

    first, second = run.batch(0)[:, 0], run.batch(1)[:, 0]

    assert sorted(first) == sorted(second)
    assert list(first) != list(second)


def test_seeds_order_the_text_differently() -> None:
    assert (batches(seed=0).batch(0) != batches(seed=1).batch(0)).any()


def test_targets_are_the_next_tokens() -> None:
    batch = batches().batch(7)

    assert batch.shape == (3, 9)
    np.testing.assert_array_equal(batch[:, 1:], batch[:, :-1] + 1)


def test_the_distinct_tokens_are_the_whole_windows() -> None:
    assert batches(98).unique_tokens == 96
    assert batches(97).unique_tokens == 96
    assert batches(96).unique_tokens == 88


def test_less_text_than_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match="has 24 tokens, less than one batch of 24"):
        batches(24)


@given(length=st.integers(9, 500), tokens=st.integers(1, 600))
def test_held_out_windows_are_distinct_whole_and_no_more_than_asked(length: int, tokens: int) -> None:
    windows = held_out_windows(np.arange(length, dtype=np.uint16), context=8, tokens=tokens)

    assert len(windows) == min((length - 1) // 8, max(1, tokens // 8))
    assert len(set(windows[:, 0])) == len(windows)
    np.testing.assert_array_equal(windows, windows[:, :1] + np.arange(9))


def test_held_out_windows_are_spread_over_the_whole_text() -> None:
    windows = held_out_windows(np.arange(801, dtype=np.uint16), context=8, tokens=80)

    np.testing.assert_array_equal(windows[:, 0], 80 * np.arange(10))


def test_held_out_text_below_a_window_is_refused() -> None:
    with pytest.raises(InputError, match="has 8 tokens, less than one window of 9; give more text"):
        held_out_windows(np.arange(8, dtype=np.uint16), context=8, tokens=80)


def test_the_order_of_windows_is_one_permutation_an_epoch_drawn_by_seed_and_epoch() -> None:
    run = batches(200, context=8, sequences=4, seed=5)  # 24 windows: 6 steps an epoch

    for step in range(18):
        epoch, place = divmod(step, 6)
        order = np.random.default_rng([5, epoch]).permutation(24)[4 * place : 4 * place + 4]
        np.testing.assert_array_equal(run.windows(step), 8 * order)


def test_windows_are_where_the_batch_comes_from() -> None:
    run = batches()

    np.testing.assert_array_equal(run.ids[run.windows(9)[:, None] + np.arange(9)], run.batch(9))
