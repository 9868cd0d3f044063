"""The most informative next runs, against what the theory of optimal design says of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t

from allometry.errors import FitError, InputError, Refusal
from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import chinchilla, kaplan, power_law
from allometry.runs.run import Runs
from allometry.sweeps.designs import Ladder
from allometry.sweeps.designs.informative import (
    Belief,
    Candidates,
    Exponents,
    ForecastOf,
    OptimalSize,
    belief_from_fit,
    belief_from_law,
    candidates_of,
    informative,
)

Array = NDArray[np.float64]

NOISE = 0.003
SIZES, RATIOS = np.meshgrid(np.geomspace(1e7, 3e8, 6), [5.0, 20.0, 80.0])
PLACES = {"params": SIZES.ravel(), "tokens": (SIZES * RATIOS).ravel()}
COSTS = 6 * PLACES["params"] * PLACES["tokens"]
LARGER = ForecastOf(inputs={"params": 1e9, "tokens": 2e10})


def line(places: list[float], copies: int = 1) -> Candidates:
    """Runs of a power law, a straight line in the logarithms, all at the same cost."""
    x = np.repeat(places, copies)
    return Candidates.independent({"x": x}, np.ones(len(x)))


@pytest.fixture(scope="module")
def grid() -> Candidates:
    return Candidates.independent(PLACES, COSTS)


@pytest.fixture(scope="module")
def believed() -> Belief:
    return belief_from_law(chinchilla, noise=NOISE)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    noise = NOISE * np.random.default_rng(0).standard_normal(len(COSTS))
    loss = chinchilla.evaluate(PLACES, chinchilla.typical) * np.exp(noise)
    return bootstrap(fit(chinchilla, Runs(pd.DataFrame({**PLACES, "loss": loss}))), draws=40)


def test_a_straight_line_is_measured_at_its_ends_in_the_shares_that_theory_gives() -> None:
    # Elfving 1952: for z0 beyond z1 < z2 only the ends are measured, z2 by (z0 - z1) / (2 z0 - z1 - z2).
    z0, z1, z2 = np.log([1e8, 1e4, 1e6])
    found = informative(
        line([1e4, 1e5, 1e6], copies=20),
        ForecastOf(inputs={"x": 1e8}),
        [belief_from_law(power_law, noise=0.01)],
        flops=20.0,
    )

    picked = found.steps["x"].value_counts()
    assert set(picked.index) == {1e4, 1e6}
    assert picked[1e6] == pytest.approx(20 * (z0 - z1) / (2 * z0 - z1 - z2), abs=1)


def test_the_expected_width_is_that_of_a_regression() -> None:
    x = np.array([1e4, 3e4, 1e5, 1e6])
    candidates, aim = line(x.tolist()), ForecastOf(inputs={"x": 1e8})
    found = informative(candidates, aim, [belief_from_law(power_law, noise=0.01)], least=4)

    design, at = np.column_stack([np.ones(4), np.log(x)]), np.array([1.0, np.log(1e8)])
    variance = 0.01**2 * (1 + at @ np.linalg.inv(design.T @ design) @ at)
    # The law's own ranges are known too, and say a little more.
    assert found.width_after == pytest.approx(2 * norm.ppf(0.95) * np.sqrt(variance), rel=0.01)


STEP = 1e-6


def stepped(name: str) -> dict[str, float]:
    """One coefficient a step up: by its logarithm if a fit works on that."""
    (described,) = (one for one in chinchilla.coefficients if one.name == name)
    here = chinchilla.typical[name]
    return {**chinchilla.typical, name: here * np.exp(STEP) if described.positive else here + STEP}


def test_slopes_are_those_of_the_log_loss_in_working_coefficients(believed: Belief) -> None:
    (slopes,) = believed.slopes(PLACES)

    for place, name in enumerate(chinchilla.names):
        here, there = (chinchilla.evaluate(PLACES, at) for at in (chinchilla.typical, stepped(name)))
        np.testing.assert_allclose(slopes[:, place], np.log(there / here) / STEP, rtol=1e-4, atol=1e-9)


def test_the_slopes_of_the_best_size_are_those_of_its_closed_form(believed: Belief) -> None:
    def best(c: dict[str, float]) -> float:  # log N*: Hoffmann et al. 2022, eq. 4
        balance = np.log(c["alpha"] * c["A"] / (c["beta"] * c["B"]))
        return float((balance + c["beta"] * np.log(1e21 / 6)) / (c["alpha"] + c["beta"]))

    slopes = OptimalSize(flops=1e21).slopes(believed)[0, 0]
    expected = [(best(stepped(name)) - best(chinchilla.typical)) / STEP for name in chinchilla.names]
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("aim", [LARGER, Exponents(), Exponents(names=("beta",)), OptimalSize(flops=1e21)])
def test_chosen_runs_tell_as_much_for_less_than_runs_spread_evenly(
    grid: Candidates, believed: Belief, aim: ForecastOf | Exponents | OptimalSize
) -> None:
    even = [place for place in range(len(grid)) if PLACES["tokens"][place] / PLACES["params"][place] < 30]
    spread = informative(grid.take(np.array(even)), aim, [believed], least=len(even))

    chosen = informative(grid, aim, [believed], width=spread.width_after)

    assert chosen.width_after <= spread.width_after
    assert chosen.flops < 0.95 * spread.flops


def test_no_chosen_run_can_be_spared(grid: Candidates, believed: Belief) -> None:
    found = informative(grid, LARGER, [believed], width=0.05)

    assert found.width_after <= 0.05
    for one in found.picks:
        others = np.array([pick for pick in found.picks if pick != one])
        assert informative(grid.take(others), LARGER, [believed], least=len(others)).width_after > 0.05


def test_a_width_that_no_runs_reach_takes_all_that_tell_something(grid: Candidates, believed: Belief) -> None:
    found = informative(grid, LARGER, [believed], width=1e-4)

    assert found.width_after > 1e-4
    assert len(found.picks) > len(grid) / 2


def test_what_a_fit_knows_narrows_the_target(fitted: Fit, grid: Candidates, believed: Belief) -> None:
    known = belief_from_fit(fitted, noise=NOISE)

    before = informative(grid, LARGER, [believed], flops=1e17).width_before
    after = informative(grid, LARGER, [known], flops=1e17).width_before
    assert after < 0.2 * before
    forecast = fitted.predict(params=1e9, tokens=2e10)
    assert after == pytest.approx((forecast.high - forecast.low) / forecast.median, rel=0.5)


def test_expected_widths_begin_at_the_measured_one(grid: Candidates, believed: Belief) -> None:
    plain = informative(grid, LARGER, [believed], flops=1e18)
    scaled = informative(grid, LARGER, [believed], flops=1e18, measured=2 * plain.width_before)

    assert scaled.picks == plain.picks
    assert scaled.width_after == pytest.approx(2 * plain.width_after)


def test_a_belief_has_the_draws_of_its_fit_and_no_held_coefficient(fitted: Fit) -> None:
    assert len(belief_from_fit(fitted, draws=10).natural) == 10
    held = replace(fitted, held={"E": fitted.coefficients["E"]})
    assert belief_from_fit(held).slopes(PLACES).shape[-1] == 4


def test_of_several_laws_the_least_sure_one_gives_the_width(grid: Candidates, believed: Belief) -> None:
    other = belief_from_law(kaplan, noise=10 * NOISE)
    alone = [informative(grid, LARGER, [one], flops=1e18).width_before for one in (believed, other)]

    assert informative(grid, LARGER, [believed, other], flops=1e18).width_before == max(alone)


def test_several_exponents_are_narrowed_by_the_mean_of_their_log_widths(
    grid: Candidates, believed: Belief
) -> None:
    both, one, other = (
        informative(grid, Exponents(names=names), [believed], flops=1e18).width_before
        for names in (("E", "beta"), ("E",), ("beta",))
    )

    assert both == pytest.approx(math.sqrt(one * other))
    assert one != pytest.approx(other, rel=0.1)


def test_branches_share_a_trunk_that_is_paid_once() -> None:
    straight = np.array([4.0, 8.0, 16.0])
    on_trunk = Candidates(
        inputs={"x": straight},
        straight=straight,
        trunk=0.75 * straight,
        decay=0.25 * straight,
        trunks=np.zeros(3, dtype=np.intp),
        paid=np.zeros(1),
    )

    assert on_trunk.cost([2]) == 16
    assert on_trunk.cost([0, 2]) == 12 + 1 + 4
    assert on_trunk.cost([0, 1, 2]) == on_trunk.cost([2, 0, 1]) == 12 + 1 + 2 + 4
    assert on_trunk.after([0, 2]).cost([1]) == 2
    assert on_trunk.after([0]).cost([1]) == 3 + 2  # the trunk goes on from where the first run left it
    assert on_trunk.after([1, 2]).cost([0]) == 1


def test_the_cheapest_part_of_a_choice_keeps_to_a_budget_and_is_never_empty(grid: Candidates) -> None:
    part = grid.cheapest_part(range(len(grid)), 5e17)

    assert grid.cost(part) <= 5e17 < grid.cost(part) + np.sort(COSTS)[len(part)]
    assert len(grid.cheapest_part(range(len(grid)), 1.0)) == 1


def test_a_ladder_gives_its_branches_as_candidates(checked: Ladder) -> None:
    outline = checked.outline()
    options = candidates_of(outline)

    assert {one.design for one in options.runs} == {"ladder"}
    whole = options.candidates.cost(range(len(options.candidates)))
    made = sum(one.own_flops for one in outline if one.design != "learning_rate_check")
    assert whole == pytest.approx(made)


def test_what_is_made_is_no_candidate_and_its_trunk_costs_nothing(ladder: Ladder) -> None:
    trunk, short, long, *_ = ladder.outline()
    options = candidates_of(ladder.outline(), done={trunk.recipe.run_id, short.recipe.run_id})

    assert short.recipe.run_id not in options.ids
    assert options.candidates.cost([options.ids.index(long.recipe.run_id)]) == long.own_flops
    partway = candidates_of(ladder.outline(), partway={trunk.recipe.run_id: short.recipe.trunk_steps})
    lacking = (long.recipe.trunk_steps - short.recipe.trunk_steps) / long.recipe.steps * long.recipe.flops()
    assert partway.candidates.cost([partway.ids.index(long.recipe.run_id)]) == lacking + long.own_flops
    with pytest.raises(InputError, match="Every run of the design is made"):
        candidates_of([trunk, short], done={short.recipe.run_id})


def test_a_budget_below_the_cheapest_run_is_refused_in_one_sentence(
    grid: Candidates, believed: Belief
) -> None:
    with pytest.raises(Refusal, match=r"1e10 FLOP is smaller than the cheapest run, which takes 3e15 FLOP"):
        informative(grid, LARGER, [believed], flops=1e10)


def width_of(belief: Belief, runs: Candidates, made: Sequence[int]) -> float:
    """The width by the closed form, of a matrix and its inverse."""
    (g,), (c,), (precision,) = belief.slopes(runs.inputs), LARGER.slopes(belief), belief.precision
    known = g[list(made)]
    variance = c[0] @ np.linalg.inv(precision + known.T @ known / NOISE**2) @ c[0]
    return float(2 * t.ppf(0.95, belief.freedom) * np.sqrt(variance + NOISE**2))


@pytest.fixture(scope="module")
def subsets(few: Candidates, believed: Belief) -> dict[tuple[int, ...], float]:
    """Every set of ten runs and its width."""
    places = range(len(few))
    every = (made for count in range(11) for made in itertools.combinations(places, count))
    return {made: width_of(believed, few, made) for made in every}


@pytest.fixture(scope="module")
def few(grid: Candidates) -> Candidates:
    return grid.take(np.array([0, 2, 3, 6, 7, 8, 11, 12, 14, 16]))


@pytest.mark.parametrize("width", [1.0, 0.5, 0.2, 0.05])
def test_no_set_of_runs_reaches_a_width_for_half_of_what_the_chosen_one_takes(
    few: Candidates, believed: Belief, subsets: dict[tuple[int, ...], float], width: float
) -> None:
    found = informative(few, LARGER, [believed], width=width)

    assert found.width_after == pytest.approx(subsets[tuple(sorted(found.picks))], rel=1e-4)
    assert found.width_after <= width
    assert found.flops <= 2 * min(few.cost(made) for made, is_ in subsets.items() if is_ <= width)


@pytest.mark.parametrize("flops", [2.1e17, 1e18, 1e19])
def test_no_set_of_runs_within_a_budget_is_much_narrower_than_the_chosen_one(
    few: Candidates, believed: Belief, subsets: dict[tuple[int, ...], float], flops: float
) -> None:
    found = informative(few, LARGER, [believed], flops=flops)

    assert found.flops <= flops
    assert found.width_after <= 1.1 * min(is_ for made, is_ in subsets.items() if few.cost(made) <= flops)


def test_the_first_run_narrows_all_laws_most_on_average_and_not_one_of_them(believed: Belief) -> None:
    other = belief_from_law(power_law, noise=NOISE, columns={"x": "params"})
    runs, alike = PLACES, Candidates.independent(PLACES, np.ones(len(COSTS)))

    def falls(belief: Belief) -> Array:
        aim = ForecastOf(inputs=LARGER.inputs)
        widths = [informative(alike.take(np.array([i])), aim, [belief], least=1) for i in range(len(alike))]
        return np.array([np.log(one.width_before / one.width_after) for one in widths])

    both = np.array([falls(believed), falls(other)])
    (first,) = informative(alike, LARGER, [believed, other], least=1).picks

    assert first == both.mean(axis=0).argmax() != both.max(axis=0).argmax()
    assert len(runs) == 2


def test_what_is_known_of_a_noise_from_few_runs_widens_the_interval_as_students_t(
    fitted: Fit, grid: Candidates, believed: Belief
) -> None:
    sure, unsure = (
        informative(grid, LARGER, [replace(believed, freedom=freedom)], flops=1e18).width_after
        for freedom in (1e6, 5)
    )

    assert unsure / sure == pytest.approx(t.ppf(0.95, 5) / norm.ppf(0.95), rel=1e-4)
    assert belief_from_fit(fitted).freedom == len(COSTS) - len(chinchilla.names)


def test_a_law_before_any_run_is_known_to_half_its_ranges(believed: Belief) -> None:
    half = [
        (math.log(one.high / one.low) if one.positive else one.high - one.low) / 2
        for one in chinchilla.coefficients
    ]

    np.testing.assert_allclose(np.diag(believed.precision[0]), np.array(half) ** -2.0)


def test_a_run_of_four_times_the_weight_is_known_as_four(fitted: Fit) -> None:
    weights = np.where(np.arange(len(COSTS)) == 4, 4.0, 1.0)
    heavier = replace(fitted, data=replace(fitted.data, weights=weights))

    even, heavy = (belief_from_fit(one, noise=NOISE) for one in (fitted, heavier))

    own = even.slopes(PLACES)
    expected = even.told(np.sqrt(3) * own[:, [4]]).precision - even.told(0 * own).precision
    prior = belief_from_law(chinchilla, noise=NOISE).precision[0]
    found = (heavy.precision - prior) * weights.mean() - (even.precision - prior)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_what_cannot_be_chosen_is_refused_with_the_way_out(grid: Candidates, believed: Belief) -> None:
    with pytest.raises(InputError, match="Say when to stop choosing"):
        informative(grid, LARGER, [believed])
    with pytest.raises(InputError, match="at least one law"):
        informative(grid, LARGER, [], flops=1e18)
    with pytest.raises(InputError, match=r"no 'gamma' open.* It leaves open: E, A, B, alpha, beta"):
        informative(grid, Exponents(names=("gamma",)), [believed], flops=1e18)
    with pytest.raises(InputError, match="reads tokens, which the runs to choose from do not say"):
        informative(Candidates.independent({"params": COSTS}, COSTS), LARGER, [believed], flops=1e18)
    with pytest.raises(InputError, match="standard deviation above zero"):
        belief_from_law(chinchilla, noise=0.0)
    with pytest.raises(FitError, match="a best size needs a law of params and tokens alone"):
        OptimalSize(flops=1e20).slopes(belief_from_law(power_law, noise=0.01))
