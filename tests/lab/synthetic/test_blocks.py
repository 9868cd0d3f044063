"""Parities and hierarchies: what is drawn obeys the rules, and the floor equals a count of all cases."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from allometry.errors import InputError
from allometry.lab.synthetic import draw_tokens, entropy_rate, hierarchy, loss_floor, parity
from allometry.lab.synthetic.zipf import zipf
from allometry.recipe import RandomHierarchy, SparseParity

PARITY = SparseParity(tasks=20, tokens=64_000, bits=14, subset=3, exponent=1.4)
HIERARCHY = RandomHierarchy(symbols=8, tokens=80_000, rules=4, branching=2, levels=3)
Distribution = Counter[tuple[int, ...]]


def entropy(distribution: Distribution) -> float:
    return -sum(p * math.log(p) for p in distribution.values() if p)


def marginal(distribution: Distribution, length: int) -> Distribution:
    shorter: Distribution = Counter()
    for block, p in distribution.items():
        shorter[block[:length]] += p
    return shorter


def window_floor(blocks: Distribution) -> float:
    """Loss of a perfect model on a window of one block: entropy of each target given all before, counted out.

    The last target is the first token of the next block, which is independent and alike.
    """
    length = len(next(iter(blocks)))
    inside = [
        entropy(marginal(blocks, seen + 1)) - entropy(marginal(blocks, seen)) for seen in range(1, length)
    ]
    return (sum(inside) + entropy(marginal(blocks, 1))) / length


def all_parities(source: SparseParity) -> Distribution:
    blocks: Distribution = Counter()
    for task, p in enumerate(zipf(source.tasks, source.exponent)):
        for bits in itertools.product((0, 1), repeat=source.bits):
            answer = sum(bits[place] for place in parity.subsets(source)[task]) % 2
            blocks[(task + 2, *bits, answer)] += p / 2**source.bits
    return blocks


def all_strings(source: RandomHierarchy) -> Distribution:
    strings: Distribution = Counter({(symbol,): 1 / source.symbols for symbol in range(source.symbols)})
    for depth in range(source.levels):
        rules = hierarchy.productions(source, depth)
        longer: Distribution = Counter()
        for string, p in strings.items():
            for chosen in itertools.product(range(source.rules), repeat=len(string)):
                made = [rules[symbol, rule] for symbol, rule in zip(string, chosen, strict=True)]
                longer[tuple(int(token) for token in np.concatenate(made))] += p / source.rules ** len(string)
        strings = longer
    return strings


@pytest.mark.parametrize(
    "source",
    [
        SparseParity(tasks=3, tokens=1, bits=4, subset=2),
        SparseParity(tasks=1, tokens=1, bits=3, subset=3),
        SparseParity(tasks=5, tokens=1, bits=3, subset=1, exponent=0.5),
    ],
)
def test_the_floor_of_parities_is_that_of_all_samples_counted_out(source: SparseParity) -> None:
    expected = window_floor(all_parities(source))

    assert loss_floor(source, context=source.block) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "source",
    [
        RandomHierarchy(symbols=3, tokens=1, rules=2, branching=2, levels=2),
        RandomHierarchy(symbols=2, tokens=1, rules=2, branching=2, levels=2, seed=4),
        RandomHierarchy(symbols=3, tokens=1, rules=3, branching=3, levels=1),
        RandomHierarchy(symbols=4, tokens=1, rules=1, branching=2, levels=3),
    ],
)
def test_the_floor_of_a_hierarchy_is_that_of_all_strings_counted_out(source: RandomHierarchy) -> None:
    strings = all_strings(source)

    assert loss_floor(source, context=source.block) == pytest.approx(window_floor(strings), rel=1e-12)
    assert sum(strings.values()) == pytest.approx(1)


def test_every_sample_ends_with_the_parity_of_its_tasks_bits() -> None:
    samples = draw_tokens(PARITY).reshape(-1, 16).astype(int)
    tasks, bits, answers = samples[:, 0] - 2, samples[:, 1:-1], samples[:, -1]

    asked_for = np.stack(
        [sample[parity.subsets(PARITY)[task]] for task, sample in zip(tasks, bits, strict=True)]
    )

    np.testing.assert_array_equal(np.bitwise_xor.reduce(asked_for, axis=1), answers)
    assert abs(answers.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(answers))


def test_tasks_come_as_often_as_zipfs_law_says() -> None:
    tasks = draw_tokens(PARITY).reshape(-1, 16)[:, 0].astype(int) - 2
    law = zipf(20, 1.4)

    shares = np.bincount(tasks, minlength=20) / len(tasks)

    assert np.abs(shares - law).max() < 4 * np.sqrt(0.25 / len(tasks))


def test_a_subset_holds_no_bit_twice() -> None:
    chosen = parity.subsets(SparseParity(tasks=50, tokens=1, bits=6, subset=4))

    assert [len(set(one)) for one in chosen.tolist()] == [4] * 50


def test_no_two_productions_of_a_level_are_alike() -> None:
    for depth in range(3):
        rules = hierarchy.productions(HIERARCHY, depth).reshape(-1, 2)

        assert len(np.unique(rules, axis=0)) == 8 * 4


def test_every_string_can_be_derived_and_all_classes_come() -> None:
    tokens = draw_tokens(HIERARCHY).reshape(-1, 8).astype(int)
    classes = []
    for string in tokens[:500]:
        for depth in reversed(range(3)):
            made = {tuple(one): at // 4 for at, one in enumerate(_flat(depth))}
            string = np.array([made[tuple(pair)] for pair in string.reshape(-1, 2).tolist()])
        classes.append(int(string[0]))

    assert set(classes) == set(range(8))


def _flat(depth: int) -> list[list[int]]:
    rules: list[list[int]] = hierarchy.productions(HIERARCHY, depth).reshape(-1, 2).tolist()
    return rules


@pytest.mark.parametrize("source", [PARITY, HIERARCHY])
def test_only_whole_blocks_are_drawn(source: SparseParity | RandomHierarchy) -> None:
    assert len(draw_tokens(source)) % source.block == 0
    assert draw_tokens(source).max() < source.vocab


@pytest.mark.parametrize("source", [PARITY, HIERARCHY])
def test_a_context_that_cuts_blocks_has_no_floor(source: SparseParity | RandomHierarchy) -> None:
    assert loss_floor(source, context=3 * source.block) == entropy_rate(source)
    with pytest.raises(InputError, match=f"make the context a multiple of {source.block}"):
        loss_floor(source, context=3 * source.block + 1)
