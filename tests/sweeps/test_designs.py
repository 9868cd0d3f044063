"""Designs say which runs to make, and in which order; they train nothing."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from allometry.errors import RecipeError, Refusal
from allometry.recipe import Cosine, Recipe, Wsd
from allometry.runs.run import Run, Runs
from allometry.sweeps.designs import Grid, Ladder, Planned, Size, Target, best_learning_rate

RATE_DIGITS = 0.005  # a rate is written with three digits
CHECK, MIDDLE = 16 * 64, 64 * math.sqrt(28 * 44)  # tokens of a check; geometric mean of the horizons


def rule(width: int, tokens: float) -> float:
    """Base rate 0.01 at width 16 and 44 * 64 tokens; muP over the width, inverse root over the horizon."""
    return 0.01 * (16 / width) * math.sqrt(44 * 64 / tokens)


def ended(recipe: Recipe, loss: float) -> Run:
    if math.isnan(loss):
        return Run(run_id=recipe.run_id, status="diverged")
    return Run(run_id=recipe.run_id, status="done", values={"loss": loss})


def with_rate(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=rate))


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


def test_a_rung_is_stated_once_its_own_checks_have_ended(checked: Ladder) -> None:
    narrow = checks_of(checked, 16)

    nothing = checked.recipes(Runs.of([]))
    some = checked.recipes(Runs.of([ended(check, 4.0) for check in narrow[:2]]))
    all_of_one = checked.recipes(Runs.of([ended(check, 4.0) for check in narrow]))

    assert designs(nothing) == designs(some) == {"learning_rate_check": 6}
    rung = [planned.recipe for planned in all_of_one if planned.design != "learning_rate_check"]
    assert [recipe.architecture.width for recipe in rung] == [16, 16, 16]


def test_a_check_that_failed_is_waited_for(checked: Ladder) -> None:
    *good, bad = checks_of(checked, 16)
    runs = Runs.of([*(ended(check, 4.0) for check in good), Run(run_id=bad.run_id, status="failed")])

    assert designs(checked.recipes(runs)) == {"learning_rate_check": 6}


def test_the_rung_takes_the_best_rate_of_its_checks_carried_to_its_horizons(checked: Ladder) -> None:
    best = 1.2 * rule(16, CHECK)
    runs = Runs.of([ended(check, parabola(check, best)) for check in checks_of(checked, 16)])

    rates = {
        planned.recipe.optimizer.learning_rate
        for planned in checked.recipes(runs)
        if planned.design != "learning_rate_check"
    }

    assert list(rates) == pytest.approx([1.2 * rule(16, MIDDLE)], rel=2 * RATE_DIGITS)


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.33])
def test_an_exact_parabola_gives_its_minimum(checked: Ladder, factor: float) -> None:
    checks = checks_of(checked, 16)
    best = factor * rule(16, CHECK)

    found = best_learning_rate(checks, [parabola(check, best) for check in checks])

    assert found == pytest.approx(best, rel=RATE_DIGITS)


def test_the_parabola_goes_through_the_best_and_its_neighbours_only(tiny: Recipe) -> None:
    checks = [with_rate(tiny, 0.01 * 2.0**k) for k in (4, -2, 0, 2, 1, -1)]  # in no order
    losses = [parabola(check, 0.0105) for check in checks]
    losses[0] += 50.0  # far off the parabola, and far from the best

    assert best_learning_rate(checks, losses) == pytest.approx(0.0105, rel=RATE_DIGITS)


@pytest.mark.parametrize("losses", [[3.0, 3.1, 3.2], [3.2, 3.1, 3.0], [3.0, 3.0, 3.0]])
def test_a_minimum_at_an_end_is_the_rate_that_was_tried(checked: Ladder, losses: list[float]) -> None:
    checks = checks_of(checked, 16)

    assert best_learning_rate(checks, losses) == checks[losses.index(3.0)].optimizer.learning_rate


@pytest.mark.parametrize(
    ("losses", "best"),
    [([3.2, 3.1, math.nan], 1), ([math.nan, 3.1, 3.2], 1), ([3.1, math.nan, math.nan], 0)],
)
def test_diverged_checks_are_left_out(checked: Ladder, losses: list[float], best: int) -> None:
    checks = checks_of(checked, 16)

    assert best_learning_rate(checks, losses) == checks[best].optimizer.learning_rate


def test_checks_that_all_diverged_are_refused_with_the_way_out(checked: Ladder) -> None:
    runs = Runs.of([ended(check, math.nan) for check in checks_of(checked, 24)])

    with pytest.raises(Refusal, match="width 24 diverged; lower the base learning_rate"):
        checked.recipes(runs)


def test_no_check_leaves_the_rule(ladder: Ladder) -> None:
    assert best_learning_rate([], []) is None
    assert ladder.recipes(Runs.of([])) == ladder.outline()


@pytest.fixture
def three(checked: Ladder) -> Ladder:
    widths = (16, 24, 48)
    return replace(checked, sizes=tuple(Size(width=width, layers=1, heads=1) for width in widths))


def test_the_trend_of_three_checked_sizes_gives_the_rate_of_another(three: Ladder) -> None:
    best = {width: 1.1 * rule(16, CHECK) * (width / 16) ** -0.8 for width in (16, 24, 48)}
    runs = Runs.of([ended(c, parabola(c, best[w])) for w in best for c in checks_of(three, w)])
    target = Target(ladder=three, size=Size(width=96, layers=2, heads=4), tokens=64 * 100)

    (planned,) = target.recipes(runs)

    expected = 1.1 * rule(16, 6400) * (96 / 16) ** -0.8  # the power law goes on
    assert planned.recipe.optimizer.learning_rate == pytest.approx(expected, rel=4 * RATE_DIGITS)
    assert (planned.recipe.architecture.width, planned.recipe.tokens, planned.recipe.parent) == (96, 6400, "")
    assert planned.design == "target"


def test_two_checked_sizes_make_no_trend(three: Ladder) -> None:
    runs = Runs.of([ended(c, parabola(c, 0.003)) for w in (16, 24) for c in checks_of(three, w)])

    rate = three.learning_rate(Size(width=96, layers=2, heads=4), 6400, runs)

    assert rate == pytest.approx(rule(96, 6400), rel=RATE_DIGITS)


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
        ({"horizons": (64, 44 * 64)}, "decays from the start and has no trunk"),
    ],
)
def test_a_ladder_is_legal_before_its_first_run(ladder: Ladder, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        replace(ladder, **changes)


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
