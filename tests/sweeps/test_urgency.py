"""The order in which runs are started."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace

import pytest

from allometry.recipe import Recipe
from allometry.sweeps.designs import Planned
from allometry.sweeps.urgency import most_urgent_first

WORKERS = 3


def planned(tiny: Recipe, width: int, batches: int, design: str = "grid") -> Planned:
    shape = replace(tiny.architecture, width=width)
    return Planned(recipe=replace(tiny, architecture=shape, tokens=64 * batches), design=design)


def makespan(runs: list[Planned]) -> float:
    """FLOP of the worker that ends last when each takes the next run as it comes free."""
    workers = [0.0] * WORKERS
    for run in runs:
        heapq.heappush(workers, heapq.heappop(workers) + run.own_flops)
    return max(workers)


def test_a_small_model_on_many_tokens_starts_before_a_large_one_on_few(tiny: Recipe) -> None:
    small, large = planned(tiny, 16, 4000), planned(tiny, 64, 10)

    assert most_urgent_first([large, small]) == [small, large]


def test_the_last_run_ends_within_four_thirds_of_the_least_time(tiny: Recipe) -> None:
    runs = [planned(tiny, width, batches) for width in (16, 64) for batches in (40, 60, 100)]
    least = min(makespan(list(order)) for order in itertools.permutations(runs))

    assert least <= makespan(most_urgent_first(runs)) <= 4 / 3 * least


@pytest.mark.parametrize("stage", ["trunk", "learning_rate_check"])
def test_what_others_of_its_size_wait_for_starts_before_them(tiny: Recipe, stage: str) -> None:
    awaited, branch = planned(tiny, 16, 20, stage), planned(tiny, 16, 4000, "ladder")
    other = planned(tiny, 24, 100, "ladder")

    assert most_urgent_first([other, branch, awaited]) == [awaited, branch, other]


def test_checks_of_a_rate_come_before_the_trunk_that_takes_it(tiny: Recipe) -> None:
    check, trunk = planned(tiny, 16, 20, "learning_rate_check"), planned(tiny, 16, 200, "trunk")

    assert most_urgent_first([trunk, check]) == [check, trunk]
