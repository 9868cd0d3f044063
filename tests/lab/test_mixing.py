"""A mixture keeps its proportions, batch by batch, and each domain is gone through before it is repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.errors import InputError
from allometry.lab.data import Batches, Part
from allometry.lab.mixing import Rota, apportioned

SHARES = st.lists(st.floats(0.02, 1), min_size=2, max_size=5).map(lambda raw: [one / sum(raw) for one in raw])


def mixture(
    shares: Sequence[float] = (0.5, 0.3, 0.2), *, windows: Sequence[int] = (7, 40, 23), batch: int = 10
) -> Batches:
    """Windows of 4 tokens; a token is its own place, so that windows and domains can be told apart."""
    stops = np.cumsum([4 * count + 2 for count in windows]).tolist()
    parts = [
        Part(name=f"d{at}", start=start, stop=stop, share=share)
        for at, (start, stop, share) in enumerate(zip([0, *stops], stops, shares, strict=False))
    ]
    ids = np.arange(stops[-1], dtype=np.uint16)
    return Batches(ids, context=4, batch_tokens=4 * batch, seed=1, parts=parts)


def domains_of(starts: npt.NDArray[np.int64], windows: Sequence[int] = (7, 40, 23)) -> list[int]:
    stops = np.cumsum([4 * count + 2 for count in windows])
    return [int(domain) for domain in np.searchsorted(stops, starts, side="right")]


@given(count=st.integers(0, 10_000), shares=SHARES)
def test_apportioned_counts_add_up_and_are_less_than_one_off(count: int, shares: list[float]) -> None:
    counts = apportioned(count, np.array(shares))

    assert counts.sum() == count
    assert np.abs(counts - count * np.array(shares)).max() < 1


@given(shares=SHARES, batch=st.integers(1, 20), steps=st.integers(1, 6))
def test_domains_number_their_windows_without_gap_or_repeat(
    shares: list[float], batch: int, steps: int
) -> None:
    rota = Rota(shares, batch=batch, seed=0)
    block = rota.block // batch
    dealt = [rota.batch(step) for step in range(steps * block)]
    domains, numbers = (np.concatenate(one) for one in zip(*dealt, strict=True))

    for domain in range(len(shares)):
        own = np.sort(numbers[domains == domain])
        np.testing.assert_array_equal(own, np.arange(len(own)))
        assert abs(len(own) - len(domains) * shares[domain]) < 1


def test_every_batch_holds_the_stated_proportions() -> None:
    run = mixture()

    for step in range(50):
        assert np.bincount(domains_of(run.windows(step))).tolist() == [5, 3, 2]


def test_a_share_below_one_window_a_batch_is_kept_over_several_batches() -> None:
    run = mixture((0.9, 0.08, 0.02), batch=10)

    drawn = np.bincount(np.concatenate([domains_of(run.windows(step)) for step in range(20)]))

    assert drawn.tolist() == [180, 16, 4]


def test_each_domain_is_gone_through_before_it_is_repeated() -> None:
    run = mixture()
    starts = np.concatenate([run.windows(step) for step in range(140)])  # 700, 420 and 280 windows
    domains = np.array(domains_of(starts))

    for domain, windows in enumerate((7, 40, 23)):
        own = starts[domains == domain]
        for epoch in range(len(own) // windows):
            assert len(set(own[epoch * windows : (epoch + 1) * windows])) == windows


def test_no_window_reaches_into_the_next_domain() -> None:
    run = mixture()

    for step in range(60):
        batch = run.batch(step)
        assert all(len(set(domains_of(window))) == 1 for window in batch)


@given(step=st.integers(0, 3000), others=st.lists(st.integers(0, 3000), max_size=5))
def test_a_batch_depends_on_seed_and_step_and_on_nothing_before(step: int, others: list[int]) -> None:
    used = mixture((0.9, 0.06, 0.04))
    for other in others:
        used.batch(other)

    np.testing.assert_array_equal(used.batch(step), mixture((0.9, 0.06, 0.04)).batch(step))


def test_windows_are_where_the_batch_comes_from() -> None:
    run = mixture()

    np.testing.assert_array_equal(run.ids[run.windows(5)[:, None] + np.arange(5)], run.batch(5))


def test_the_distinct_tokens_are_those_of_all_domains() -> None:
    assert mixture().unique_tokens == 4 * (7 + 40 + 23)


def test_a_domain_below_one_window_is_named() -> None:
    with pytest.raises(InputError, match="domain 'd0' has 2 tokens, less than one window of 5; give it more"):
        mixture(windows=(0, 40, 23))


def test_a_share_that_would_never_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match=r"a share of 1\.0e-09, less than one window in 1e\+07; leave"):
        Rota([1 - 1e-9, 1e-9], batch=10, seed=0)
