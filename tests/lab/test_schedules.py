"""The learning rate at the steps where a schedule changes its mind."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.architectures import Transformer
from allometry.lab.schedules import rate_at
from allometry.recipe import AdamW, Bpe, Constant, Cosine, Data, Linear, Recipe, StandardLibrary, Wsd

RECIPE = Recipe(
    architecture=Transformer(vocab=300, context=16, width=16, layers=1, heads=1),
    optimizer=AdamW(learning_rate=0.01),
    schedule=Wsd(warmup_tokens=640, decay_fraction=0.25),
    data=Data(corpus=StandardLibrary(bytes=1), tokenizer=Bpe(vocab=300)),
    tokens=100 * 64,
    batch_tokens=64,
)
SCHEDULES = [
    *(kind(warmup_tokens=640) for kind in (Wsd, Constant, Cosine, Linear)),
    *(kind(warmup_fraction=0.1) for kind in (Wsd, Constant, Cosine, Linear)),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_is_linear_and_ends_at_the_peak(schedule: Wsd | Constant | Cosine | Linear) -> None:
    recipe = replace(RECIPE, schedule=schedule)

    assert [rate_at(recipe, step) for step in range(10)] == pytest.approx([k / 10 for k in range(1, 11)])
    assert rate_at(recipe, 10) == 1.0


@given(steps=st.integers(4, 3000), decay=st.floats(0.01, 0.6), warmup=st.floats(0.0, 0.3))
@pytest.mark.parametrize("stated", ["warmup_tokens", "warmup_fraction"])
def test_before_its_decay_a_run_has_the_rates_of_its_trunk(
    steps: int, decay: float, warmup: float, stated: str
) -> None:
    length = int(warmup * steps) * 64 if stated == "warmup_tokens" else warmup
    schedule = Wsd(decay_fraction=decay, **{stated: length})  # type: ignore[arg-type]
    recipe = replace(RECIPE, tokens=steps * 64, schedule=schedule)
    trunk = recipe.trunk()

    assert isinstance(trunk.schedule, Constant)
    for step in range(recipe.trunk_steps):
        assert rate_at(recipe, step) == rate_at(trunk, step)


def test_the_decay_starts_with_the_branch_and_every_step_of_it_trains() -> None:
    rates = [rate_at(RECIPE, step) for step in range(100)]

    assert RECIPE.trunk_steps == 75
    assert rates[74] == 1.0
    assert all(later < earlier for earlier, later in pairwise(rates[74:]))
    assert rates[-1] > 0


def test_the_decay_follows_one_minus_the_root_of_progress() -> None:
    quarter = RECIPE.trunk_steps + (25 + 1) / 4 - 1  # a quarter of the way from the peak to zero

    rate = rate_at(RECIPE, quarter)  # type: ignore[arg-type]  # between two steps, where the root is exact

    assert rate == pytest.approx(1 - math.sqrt(1 / 4))  # Hägele et al. 2024, eq. 1


def test_the_decay_would_reach_zero_right_after_the_last_step() -> None:
    assert rate_at(RECIPE, RECIPE.steps) == 0.0


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_a_cosine_falls_from_the_peak_to_its_final_share(final: float) -> None:
    recipe = replace(RECIPE, schedule=Cosine(warmup_tokens=640, final_fraction=final))

    assert rate_at(recipe, 10) == 1.0
    assert rate_at(recipe, 55) == pytest.approx((1 + final) / 2)  # half way between the ends
    assert rate_at(recipe, recipe.steps) == final
    assert rate_at(recipe, recipe.steps - 1) == pytest.approx(final, abs=1e-3)


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_a_line_falls_from_the_peak_to_its_final_share(final: float) -> None:
    recipe = replace(RECIPE, schedule=Linear(warmup_tokens=640, final_fraction=final))

    assert rate_at(recipe, 10) == 1.0
    falls = [rate_at(recipe, step) - rate_at(recipe, step + 1) for step in range(10, 100)]
    assert falls == pytest.approx([(1 - final) / 90] * 90)  # Defazio et al. 2023, section 1: 1 - t / T
    assert rate_at(recipe, recipe.steps) == pytest.approx(final)


def test_a_warmup_stated_in_tokens_and_as_a_share_is_the_same() -> None:
    in_tokens, as_share = (replace(RECIPE, schedule=one) for one in (SCHEDULES[3], SCHEDULES[7]))

    assert [rate_at(in_tokens, step) for step in range(100)] == [
        rate_at(as_share, step) for step in range(100)
    ]
