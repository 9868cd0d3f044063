"""Designs say which runs to make, and in which order; they train nothing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from allometry.architectures import Recurrent
from allometry.errors import RecipeError, Refusal
from allometry.recipe import AdamW, Cosine, Muon, MuP, Recipe, Wsd
from allometry.runs.run import Run, Runs
from allometry.sweeps.designs import Grid, Ladder, Planned, Size, Target, rate_trend

RATE_DIGITS = 0.005  # a rate is written with three digits
CHECK, MIDDLE = 16 * 64, 64 * math.sqrt(28 * 44)  # tokens of a check; geometric mean of the horizons


def rule(width: int, tokens: float) -> float:
    """Base rate 0.01 at width 16 and 44 * 64 tokens; muP over the width, inverse root over the horizon."""
    return 0.01 * (16 / width) * math.sqrt(44 * 64 / tokens)


def ended(recipe: Recipe, loss: float) -> Run:
    if math.isnan(loss):
        return Run(run_id=recipe.run_id, status="diverged")
    return Run(run_id=recipe.run_id, status="done", values={"loss": loss})


def checks_of(ladder: Ladder, width: int) -> list[Recipe]:
    return [
        planned.recipe
        for planned in ladder.outline()
        if planned.design == "learning_rate_check" and planned.recipe.architecture.width == width
    ]


def parabola(recipe: Recipe, best: float) -> float:
    return 4.0 + 0.3 * (math.log(recipe.optimizer.learning_rate) - math.log(best)) ** 2


def designs(planned: list[Planned]) -> Counter[str]:
    return Counter(run.design for run in planned)


def test_a_ladder_is_checks_and_a_trunk_with_branches_for_every_size(checked: Ladder) -> None:
    assert designs(checked.outline()) == {"learning_rate_check": 2 * 3, "trunk": 2, "ladder": 2 * 2}


def test_branches_name_their_trunk_and_leave_it_before_it_ends(ladder: Ladder) -> None:
    runs = {planned.recipe.run_id: planned for planned in ladder.outline()}

    for planned in runs.values():
        if planned.design == "ladder":
            trunk = runs[planned.recipe.parent]
            assert trunk.design == "trunk"
            assert trunk.recipe.architecture == planned.recipe.architecture
            assert planned.recipe.trunk_steps <= trunk.recipe.steps


def test_the_longest_branch_leaves_at_the_end_of_the_trunk(ladder: Ladder) -> None:
    trunk, *branches = (planned.recipe for planned in ladder.outline()[:3])

    assert [branch.trunk_steps for branch in branches] == [21, 33]  # three quarters of 28 and 44 steps
    assert trunk.steps == 33


def test_the_rule_divides_the_rate_by_the_width_and_by_the_root_of_the_horizon(ladder: Ladder) -> None:
    rates = {p.recipe.architecture.width: p.recipe.optimizer.learning_rate for p in ladder.outline()}

    assert rates == {width: pytest.approx(rule(width, MIDDLE), rel=RATE_DIGITS) for width in (16, 24)}


def test_checks_try_multiples_of_the_rule(checked: Ladder) -> None:
    rates = [check.optimizer.learning_rate for check in checks_of(checked, 16)]

    expected = [factor * rule(16, CHECK) for factor in (0.5, 1.0, 2.0)]
    assert rates == pytest.approx(expected, rel=RATE_DIGITS)
    assert all(check.tokens == checked.check_tokens for check in checks_of(checked, 16))


def test_rungs_are_stated_once_all_checks_have_ended(checked: Ladder) -> None:
    narrow, wide = (checks_of(checked, width) for width in (16, 24))

    nothing = checked.recipes(Runs.of([]))
    some = checked.recipes(Runs.of([ended(check, 4.0) for check in narrow]))
    everything = checked.recipes(Runs.of([ended(check, 4.0) for check in narrow + wide]))

    assert designs(nothing) == designs(some) == {"learning_rate_check": 6}
    assert designs(everything) == designs(checked.outline())


def test_a_check_that_failed_is_waited_for(checked: Ladder) -> None:
    *good, bad = checks_of(checked, 16)
    runs = Runs.of([*(ended(check, 4.0) for check in good), Run(run_id=bad.run_id, status="failed")])

    assert designs(checked.recipes(runs)) == {"learning_rate_check": 6}


def test_the_trunks_take_the_best_factor_of_the_checks_carried_to_their_horizons(checked: Ladder) -> None:
    all_checks = [(check, width) for width in (16, 24) for check in checks_of(checked, width)]
    runs = Runs.of([ended(check, parabola(check, 1.2 * rule(width, CHECK))) for check, width in all_checks])

    rates = {p.recipe.architecture.width: p.recipe.optimizer.learning_rate for p in checked.recipes(runs)[6:]}

    expected = {width: 1.2 * rule(width, MIDDLE) for width in (16, 24)}
    assert rates == pytest.approx(expected, rel=2 * RATE_DIGITS)


def basin(factor: float, width: float, *, best: float, tilt: float = 0.0) -> float:
    """A loss whose least is at best * (width / 32)^tilt, on a level of its own for each width."""
    return 100 / width + 0.2 * (math.log(factor) - math.log(best) - tilt * math.log(width / 32)) ** 2


FACTORS, WIDTHS = [0.5, 1.0, 2.0] * 3, [16.0] * 3 + [32.0] * 3 + [64.0] * 3


@pytest.mark.parametrize(("best", "tilt"), [(0.75, 0.0), (1.0, 0.3), (1.4, -0.2)])
def test_a_common_basin_gives_its_minimum_and_its_drift(best: float, tilt: float) -> None:
    losses = [basin(f, w, best=best, tilt=tilt) for f, w in zip(FACTORS, WIDTHS, strict=True)]

    trend = rate_trend(FACTORS, WIDTHS, losses)

    for width in (16, 32, 64, 96):
        assert trend.factor(width) == pytest.approx(min(max(best * (width / 32) ** tilt, 0.5), 2.0))


def test_two_widths_make_no_drift() -> None:
    losses = [basin(f, w, best=1.1, tilt=0.4) for f, w in zip(FACTORS[:6], WIDTHS[:6], strict=True)]

    assert rate_trend(FACTORS[:6], WIDTHS[:6], losses).tilt == 0.0


def test_one_size_without_a_basin_of_its_own_does_not_decide() -> None:
    losses = [basin(f, w, best=1.0) for f, w in zip(FACTORS, WIDTHS, strict=True)]
    flat = [6.26, 6.255, 6.25, *losses[3:]]  # falls to the highest rate by less than the noise of a run

    trend = rate_trend(FACTORS, WIDTHS, flat)

    assert 0.75 < trend.factor(16) < 1.5
    assert 0.75 < trend.factor(96) < 1.5


def test_diverged_checks_are_left_out_of_the_trend() -> None:
    losses = [basin(f, w, best=0.8) for f, w in zip(FACTORS, WIDTHS, strict=True)]
    four = [*FACTORS, 4.0], [*WIDTHS, 64.0], [*losses, math.nan]

    trend = rate_trend(*four)

    assert trend.factor(32) == pytest.approx(0.8)
    assert trend.highest == 2.0


@pytest.mark.parametrize(("losses", "best"), [([3.0, 3.1, 3.2], 0.5), ([3.2, 3.1, 3.0], 2.0)])
def test_losses_without_a_basin_give_the_best_factor_that_was_tried(losses: list[float], best: float) -> None:
    trend = rate_trend(FACTORS, WIDTHS, losses * 3)

    assert trend.factor(32) == best


def test_a_minimum_outside_the_tried_factors_is_not_believed() -> None:
    losses = [basin(f, w, best=5.0) for f, w in zip(FACTORS, WIDTHS, strict=True)]

    assert rate_trend(FACTORS, WIDTHS, losses).factor(32) == 2.0


def test_checks_that_all_diverged_are_refused_with_the_way_out(checked: Ladder) -> None:
    runs = Runs.of([ended(check, math.nan) for width in (16, 24) for check in checks_of(checked, width)])

    with pytest.raises(Refusal, match="width 16 diverged; lower the base learning_rate"):
        checked.recipes(runs)


def test_no_check_leaves_the_rule(ladder: Ladder) -> None:
    assert rate_trend([], [], []).factor(16) == 1.0
    assert ladder.recipes(Runs.of([])) == ladder.outline()


def test_the_trend_of_the_checked_sizes_gives_the_rate_of_the_target(checked: Ladder) -> None:
    widths = (16, 24, 48)
    three = replace(checked, sizes=tuple(Size(width=width, layers=1, heads=1) for width in widths))
    best = {width: 1.1 * rule(width, CHECK) * (width / 16) ** 0.2 for width in widths}
    runs = Runs.of([ended(c, parabola(c, best[w])) for w in best for c in checks_of(three, w)])
    target = Target(ladder=three, size=Size(width=96, layers=2, heads=4), tokens=64 * 100)

    (planned,) = target.recipes(runs)

    expected = 1.1 * rule(96, MIDDLE * 6400 / (44 * 64)) * (96 / 16) ** 0.2  # the power law goes on
    assert planned.recipe.optimizer.learning_rate == pytest.approx(expected, rel=4 * RATE_DIGITS)
    assert (planned.recipe.architecture.width, planned.recipe.tokens, planned.recipe.parent) == (96, 6400, "")
    assert planned.design == "target"


def test_a_target_within_the_horizons_has_the_rate_of_a_trunk(ladder: Ladder) -> None:
    (within,) = Target(ladder=ladder, size=Size(width=96, layers=2, heads=4), tokens=64 * 40).outline()

    assert within.recipe.optimizer.learning_rate == pytest.approx(rule(96, MIDDLE), rel=RATE_DIGITS)


def test_a_target_waits_for_the_checks(checked: Ladder) -> None:
    target = Target(ladder=checked, size=Size(width=96, layers=2, heads=4), tokens=6400)

    assert target.recipes(Runs.of([])) == []
    assert len(target.outline()) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sizes": ()}, "sizes"),
        ({"horizons": ()}, "horizons"),
        ({"horizons": (1000,)}, "tokens must be a multiple of batch_tokens"),
        ({"sizes": (Size(width=16, layers=1, heads=3),)}, "heads must split the width 16"),
        ({"check_tokens": 100}, "tokens must be a multiple of batch_tokens"),
        ({"check_factors": (1.0, 2.0, 1.0)}, "check_factors must differ"),
        ({"check_factors": (0.0, 1.0)}, "greater than 0"),
        ({"horizons": (64, 44 * 64)}, "warmup takes 4 steps and the run has 0 before its decay"),
    ],
)
def test_a_ladder_is_legal_before_its_first_run(ladder: Ladder, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        replace(ladder, **changes)


def test_a_size_has_heads_where_its_architecture_has(tiny: Recipe) -> None:
    recurrent = Recurrent(vocab=300, context=16, width=16, layers=1)

    assert Size(width=24, layers=2).of(recurrent) == replace(recurrent, width=24, layers=2)
    with pytest.raises(
        RecipeError, match=r"heads = 2 and a recurrent has no attention heads: leave them out\."
    ):
        Size(width=24, layers=2, heads=2).of(recurrent)
    with pytest.raises(RecipeError, match="width 24 lacks 'heads', which a transformer has"):
        Size(width=24, layers=2).of(tiny.architecture)


def test_a_size_may_be_a_dial(ladder: Ladder) -> None:
    base = ladder.base.architecture
    dialled = replace(ladder, sizes=(Size(depth=1), Size(size="100k", layers=3)))

    widths = {planned.recipe.architecture.width for planned in dialled.outline()}
    assert widths == {Size(depth=1).of(base).width, Size(size="100k", layers=3).of(base).width}
    assert Size(depth=1).of(base) == Size(width=32, layers=1, heads=2).of(base)
    assert Size(size="100k", layers=3).of(base).layers == 3


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ({}, "A size needs width and layers, or a dial in their place"),
        ({"width": 16}, "A size needs width and layers, or a dial in their place"),
        ({"depth": 2, "size": 1e5}, "State depth or size, one of both"),
        ({"size": 3}, "the nearest has 3.12k"),
    ],
)
def test_a_size_that_says_too_little_or_too_much_is_refused(
    ladder: Ladder, size: dict[str, Any], says: str
) -> None:
    with pytest.raises(RecipeError, match=says):
        replace(ladder, sizes=(Size(**size),))


def test_under_mup_every_width_has_the_rate_of_the_base(ladder: Ladder) -> None:
    under_mup = replace(ladder, base=replace(ladder.base, parametrization=MuP(base_width=16)))

    rates = [planned.recipe.optimizer.learning_rate for planned in under_mup.outline()]
    assert rates == pytest.approx([rule(16, MIDDLE)] * len(rates), rel=RATE_DIGITS)


def test_a_ladder_moves_both_rates_of_muon(ladder: Ladder) -> None:
    muon = Muon(learning_rate=0.02, others=AdamW(learning_rate=0.01))
    made = replace(ladder, base=replace(ladder.base, optimizer=muon)).outline()

    for planned in made:
        optimizer = planned.recipe.optimizer
        assert isinstance(optimizer, Muon)
        assert optimizer.others.learning_rate == pytest.approx(optimizer.learning_rate / 2)


def test_branches_of_several_lengths_cannot_have_warmups_of_their_own(ladder: Ladder) -> None:
    schedule = Wsd(warmup_fraction=0.1)
    with pytest.raises(
        RecipeError, match=r"Branches of one trunk share its warmup, and warmup_fraction = 0\.1"
    ):
        replace(ladder, base=replace(ladder.base, schedule=schedule))

    one = replace(ladder, base=replace(ladder.base, schedule=schedule), horizons=(44 * 64,))
    assert {planned.recipe.warmup_steps for planned in one.outline()} == {4}


def test_a_ladder_needs_a_schedule_with_a_trunk(ladder: Ladder) -> None:
    with pytest.raises(RecipeError, match="so the base needs schedule kind = 'wsd'"):
        replace(ladder, base=replace(ladder.base, schedule=Cosine()))


def test_a_grid_is_every_combination(tiny: Recipe) -> None:
    grid = Grid(
        base=tiny,
        vary={"optimizer.learning_rate": [0.01, 0.02], "seed": [0, 1, 2], "schedule": [{"kind": "cosine"}]},
    )

    runs = [planned.recipe for planned in grid.outline()]

    cells = [(recipe.optimizer.learning_rate, recipe.seed) for recipe in runs]
    assert cells == [(rate, seed) for rate in (0.01, 0.02) for seed in (0, 1, 2)]
    assert all(recipe.schedule == Cosine() for recipe in runs)
    assert grid.recipes(Runs.of([])) == grid.outline()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("sed", r"no key 'sed'\. Did you mean 'seed'"),
        ("optimizer.learning_rat", r"\[optimizer\] has no key 'learning_rat'\. Did you mean 'learning_rate'"),
        ("optimiser.learning_rate", r"no key 'optimiser'\. Did you mean 'optimizer'"),
        ("architecture.widht", r"\[architecture\] has no key 'widht'\. Did you mean 'width'"),
        ("seed.first", "'seed.first' names no field of a recipe: 'seed' is a plain value"),
    ],
)
def test_an_unknown_field_of_a_grid_is_named(tiny: Recipe, path: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        Grid(base=tiny, vary={path: [1, 2]})


def test_a_grid_changes_nothing_else(tiny: Recipe) -> None:
    (only,) = Grid(base=tiny, vary={"schedule.decay_fraction": [0.5]}).outline()

    assert only.recipe == replace(tiny, schedule=Wsd(warmup_tokens=256, decay_fraction=0.5))


def test_the_tables_a_grid_was_given_stay_as_they_are(tiny: Recipe) -> None:
    given = {"kind": "wsd", "warmup_tokens": 256}

    Grid(base=tiny, vary={"schedule": [given], "schedule.decay_fraction": [0.25, 0.5]})

    assert given == {"kind": "wsd", "warmup_tokens": 256}


def test_a_large_grid_is_made_once_however_often_it_is_asked_for(tiny: Recipe) -> None:
    grid = Grid(base=tiny, vary={"seed": list(range(50))})

    assert all(one is other for one, other in zip(grid.outline(), grid.recipes(Runs.of([])), strict=True))
