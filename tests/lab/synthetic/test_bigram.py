"""The chain is the one that its table describes, and its entropy rate is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from allometry.errors import RecipeError
from allometry.lab.data import held_out_windows
from allometry.lab.synthetic import bigram, draw_tokens, entropy_rate, loss_floor
from allometry.lab.synthetic.zipf import zipf
from allometry.recipe import ZipfBigram

SOURCE = ZipfBigram(vocab=24, tokens=200_000, coupling=0.7, seed=3)


@given(
    vocab=st.integers(2, 12),
    exponent=st.floats(0, 3),
    coupling=st.floats(0, 0.99),
    sharpness=st.floats(0, 4),
    seed=st.integers(0, 9),
)
def test_zipfs_law_is_left_unchanged_by_a_step(
    vocab: int, exponent: float, coupling: float, sharpness: float, seed: int
) -> None:
    source = ZipfBigram(
        vocab=vocab, tokens=1, exponent=exponent, coupling=coupling, sharpness=sharpness, seed=seed
    )
    table, law = bigram.transitions(source), zipf(vocab, exponent)

    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(law @ table, law, rtol=1e-9)


def test_two_symbols_that_all_but_take_turns_keep_zipfs_law() -> None:
    """The ratio of the two ways to go is e^14 here: balancing takes thousands of rounds."""
    source = ZipfBigram(vocab=2, tokens=1, exponent=0, coupling=0.5, sharpness=4, seed=3)

    np.testing.assert_allclose(bigram.transitions(source) @ [1, 1], [1, 1], rtol=1e-12)
    np.testing.assert_allclose([1, 1] @ bigram.transitions(source), [1, 1], rtol=1e-9)


def test_a_table_that_cannot_be_balanced_is_refused_rather_than_given_a_wrong_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bigram, "_SCALINGS", 10)

    with pytest.raises(RecipeError, match="take another seed, more symbols or a lower sharpness"):
        entropy_rate(ZipfBigram(vocab=2, tokens=1, exponent=0, sharpness=3.5, seed=3))


@pytest.mark.parametrize("coupling", [0.0, 0.5, 0.99])
def test_the_entropy_rate_is_that_of_pairs_less_that_of_symbols(coupling: float) -> None:
    source = ZipfBigram(vocab=50, tokens=1, coupling=coupling)
    law = zipf(50, 1.0)
    pairs = (law[:, None] * bigram.transitions(source)).ravel()

    expected = stats.entropy(pairs) - stats.entropy(law)  # the chain rule, another way to the same number

    assert entropy_rate(source) == pytest.approx(expected, rel=1e-12)


def test_without_coupling_it_is_the_entropy_of_zipfs_law() -> None:
    source = ZipfBigram(vocab=50, tokens=1, coupling=0.0, exponent=1.5)

    assert entropy_rate(source) == pytest.approx(stats.entropy(np.arange(1, 51) ** -1.5), rel=1e-12)


def test_coupling_makes_symbols_easier_to_foresee() -> None:
    rates = [
        entropy_rate(ZipfBigram(vocab=64, tokens=1, coupling=coupling)) for coupling in (0, 0.3, 0.6, 0.9)
    ]

    assert rates == sorted(rates, reverse=True)
    assert rates[0] - rates[-1] > 0.5


def test_pairs_come_as_often_as_the_table_says() -> None:
    chain = draw_tokens(SOURCE).astype(int)
    counts = np.bincount(chain[:-1] * 24 + chain[1:], minlength=24**2)
    law = zipf(24, 1.0)
    expected = (law[:, None] * bigram.transitions(SOURCE)).ravel() * (len(chain) - 1)

    # Successive pairs share a symbol, which makes the statistic wider than of independent draws.
    assert (((counts - expected) ** 2 / expected).sum() - 575) / np.sqrt(2 * 575) < 8


def test_nothing_before_the_last_symbol_matters() -> None:
    chain = draw_tokens(SOURCE)
    common = chain[1:-1] == 0  # what follows the commonest symbol, by what came before it
    table = np.zeros((24, 24))
    np.add.at(table, (chain[:-2][common], chain[2:][common]), 1)

    often = table[:, table.sum(axis=0) > 500][table.sum(axis=1) > 500]

    assert stats.chi2_contingency(often).pvalue > 1e-4


def test_a_perfect_model_scores_the_floor_in_the_labs_windows() -> None:
    windows = held_out_windows(draw_tokens(SOURCE), context=32, tokens=100_000)
    losses = -np.log(bigram.transitions(SOURCE)[windows[:, :-1], windows[:, 1:]])

    error = losses.std() / np.sqrt(losses.size)

    assert abs(losses.mean() - loss_floor(SOURCE, context=32)) < 4 * error


def test_the_chain_is_the_same_every_time_and_another_with_another_seed() -> None:
    first, again = draw_tokens(SOURCE), draw_tokens(SOURCE)
    other = draw_tokens(ZipfBigram(vocab=24, tokens=200_000, coupling=0.7, seed=4))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert len(first) == 200_000


@given(tokens=st.integers(1, 40), coupling=st.floats(0, 0.99))
def test_a_short_chain_is_as_long_as_asked(tokens: int, coupling: float) -> None:
    chain = draw_tokens(ZipfBigram(vocab=5, tokens=tokens, coupling=coupling))

    assert len(chain) == tokens
    assert chain.max() < 5
