"""IsoFLOP designs, Chinchilla ladders, replicates and learning-rate checks: budget in, recipes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from allometry.architectures import Transformer
from allometry.errors import InputError, RecipeError
from allometry.recipe import Bpe, Recipe
from allometry.runs.run import Runs
from allometry.sweeps.designs import (
    IsoFlop,
    Ladder,
    LearningRateCheck,
    Replicates,
    Size,
    Target,
    half_decades,
)

BUDGETS = half_decades(1e12, 1e13)
SIZES = tuple(Size(width=width, layers=1, heads=1) for width in (16, 32, 64, 96, 128))


@pytest.fixture(scope="module")
def profiles(tiny: Recipe) -> IsoFlop:
    """Three budgets with derived sizes."""
    return IsoFlop(base=tiny, budgets=BUDGETS)


def flops_of(design: IsoFlop) -> np.ndarray:
    return np.array([planned.recipe.flops() for planned in design.outline()])


def test_every_run_of_a_profile_spends_its_budget_within_a_hundredth(profiles: IsoFlop) -> None:
    nearest = np.abs(flops_of(profiles)[:, None] / np.array(BUDGETS) - 1).min(axis=1)

    assert nearest.max() <= 0.01


def test_a_profile_reaches_both_sides_of_twenty_tokens_per_parameter(profiles: IsoFlop) -> None:
    for budget in BUDGETS:
        runs = [p.recipe for p in profiles.outline() if abs(p.recipe.flops() / budget - 1) < 0.02]
        ratios = [recipe.tokens / recipe.architecture.params() for recipe in runs]
        assert len(runs) >= 5
        assert min(ratios) < 8 < 50 < max(ratios)


def test_derived_sizes_count_their_head_and_reach_both_ratios(tiny: Recipe) -> None:
    vocab, data = 8000, replace(tiny.data, tokenizer=Bpe(vocab=8000))
    large_head = replace(tiny, architecture=replace(tiny.architecture, vocab=vocab), data=data)
    recipes = [planned.recipe for planned in IsoFlop(base=large_head, budgets=(1e15,)).outline()]

    ratios = [recipe.tokens / recipe.architecture.params() for recipe in recipes]
    wanted = np.geomspace(160, 2.5, 7)[
        -len(ratios) :
    ]  # the smallest model that there is has too large a head
    np.testing.assert_allclose(ratios, wanted, rtol=0.25)
    assert len(ratios) >= 6


def test_a_size_that_is_given_twice_is_no_second_point_of_a_profile(tiny: Recipe) -> None:
    once = IsoFlop(base=tiny, budgets=(1e12,), sizes=SIZES)

    assert IsoFlop(base=tiny, budgets=(1e12,), sizes=(*SIZES, *SIZES)).outline() == once.outline()
    with pytest.raises(RecipeError, match="has runs of 1 sizes, and a profile needs 3"):
        IsoFlop(base=tiny, budgets=(1e12,), sizes=(SIZES[3],) * 3)


def test_rates_of_a_profile_follow_the_rule(profiles: IsoFlop, tiny: Recipe) -> None:
    for planned in profiles.outline():
        recipe = planned.recipe
        wider, longer = recipe.architecture.width / 16, recipe.tokens / tiny.tokens
        assert recipe.optimizer.learning_rate == pytest.approx(0.01 / wider * longer**-0.5, rel=0.005)


def test_a_size_that_cannot_spend_a_budget_is_dropped_with_the_reason(tiny: Recipe) -> None:
    wide = Size(width=512, layers=2, heads=8)
    design = IsoFlop(base=tiny, budgets=(1e12,), sizes=(*SIZES, wide))

    (dropped,) = [one for one in design.dropped() if one.params > 1e6]
    assert "tokens per parameter, outside 2.5 to 160" in dropped.reason
    assert all(planned.recipe.architecture.width < 512 for planned in design.outline())


def test_tokens_that_whole_steps_cannot_spend_within_a_hundredth_are_dropped(tiny: Recipe) -> None:
    coarse = replace(
        tiny, tokens=16 * 2816, batch_tokens=16 * 2816, schedule=replace(tiny.schedule, warmup_tokens=0)
    )
    sizes = tuple(Size(width=width, layers=1, heads=1) for width in range(48, 100, 4))
    design = IsoFlop(base=coarse, budgets=(3e11,), sizes=sizes)

    reasons = [one.reason for one in design.dropped()]
    assert any("off, and 1% is allowed: take a smaller batch" in reason for reason in reasons)
    assert np.abs(flops_of(design) / 3e11 - 1).max() <= 0.01


@pytest.mark.parametrize("changes", [{"budgets": (1e7,)}, {"budgets": (1e7,), "sizes": SIZES}])
def test_a_budget_below_the_cheapest_run_says_what_that_costs(tiny: Recipe, changes: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"budget of 1e7 FLOP has runs of 0 sizes.* costs at least"):
        IsoFlop(base=tiny, **changes)


def test_budgets_at_half_decades_end_at_the_highest() -> None:
    np.testing.assert_allclose(half_decades(1e17, 1e19), 10 ** np.array([17, 17.5, 18, 18.5, 19]), rtol=1e-5)
    with pytest.raises(InputError, match="from a low one to a high one"):
        half_decades(1e19, 1e17)


def test_a_profile_may_have_a_target_beyond(profiles: IsoFlop) -> None:
    (planned,) = Target(ladder=profiles, size=SIZES[-1], tokens=64 * 1000).recipes(Runs.of([]))

    assert (planned.design, planned.recipe.architecture.width) == ("target", 128)


def test_multiples_give_each_size_its_own_horizons(ladder: Ladder) -> None:
    chinchilla = replace(ladder, horizons=(), multiples=(0.5, 1.0, 2.0))

    branches = [planned.recipe for planned in chinchilla.outline() if planned.design == "ladder"]
    ratios = [recipe.tokens / recipe.architecture.params() for recipe in branches]
    assert ratios == pytest.approx([10, 20, 40, 10, 20, 40], rel=64 / (10 * 5e3))  # whole steps of 64 tokens


def test_a_ladder_has_horizons_or_multiples(ladder: Ladder) -> None:
    with pytest.raises(RecipeError, match="horizons in tokens or multiples of 20 tokens a parameter"):
        replace(ladder, multiples=(1.0,))


def test_a_trunk_keeps_its_state_wherever_a_branch_may_leave_it(ladder: Ladder) -> None:
    trunk, *branches = ladder.outline()[:3]

    assert trunk.partings == tuple(branch.recipe.trunk_steps for branch in branches) == (21, 33)


def test_a_branch_takes_only_its_decay_itself(ladder: Ladder) -> None:
    trunk, short, long = ladder.outline()[:3]

    assert [trunk.own_tokens, short.own_tokens, long.own_tokens] == [33 * 64, 7 * 64, 11 * 64]
    assert long.own_flops == long.recipe.architecture.flops_per_token() * 11 * 64


def test_replicates_differ_in_nothing_but_the_seed(tiny: Recipe) -> None:
    design = Replicates(base=tiny, sizes=SIZES[:2], seeds=(3, 4, 5))

    runs = [planned.recipe for planned in design.outline()]
    assert [(run.architecture.width, run.seed) for run in runs] == [
        (w, s) for w in (16, 32) for s in (3, 4, 5)
    ]
    assert len({replace(run, seed=0) for run in runs}) == 2
    with pytest.raises(RecipeError, match="seeds"):
        Replicates(base=tiny, seeds=(1,))
    with pytest.raises(RecipeError, match=r"seeds must differ from each other, not \(1, 1\)"):
        Replicates(base=tiny, seeds=(1, 1))


def test_a_learning_rate_check_tries_each_multiple_at_each_size(tiny: Recipe) -> None:
    design = LearningRateCheck(base=tiny, sizes=SIZES[:2], factors=(0.5, 1.0, 2.0))

    rates = [planned.recipe.optimizer.learning_rate for planned in design.outline()]
    assert rates == pytest.approx([0.005, 0.01, 0.02, 0.0025, 0.005, 0.01], rel=0.005)
    with pytest.raises(RecipeError, match="factors must differ"):
        replace(design, factors=(1.0, 1.0))


def test_a_width_that_heads_do_not_divide_is_refused_before_any_run(tiny: Recipe) -> None:
    assert isinstance(tiny.architecture, Transformer)
    with pytest.raises(RecipeError, match="heads must split the width 16"):
        Replicates(base=tiny, sizes=(Size(width=16, layers=1, heads=3),))
