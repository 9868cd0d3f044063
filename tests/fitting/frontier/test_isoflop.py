"""Approach 2 finds known optima, says what it leaves out, and shows the bias it is known for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError, MissingColumn, TableError
from allometry.fitting import Severity, fit
from allometry.fitting.frontier.isoflop import IsoFlopFit, iso_flop
from allometry.fitting.frontier.profiles import ProfileStatus
from allometry.laws import chinchilla
from allometry.runs.run import Runs

SYMMETRIC = {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31}  # arXiv:2603.22339, section 3
HOFFMANN = {
    "E": 1.69,
    "A": 406.4,
    "B": 410.7,
    "alpha": 0.34,
    "beta": 0.28,
}  # Hoffmann et al. 2022, as printed
ASYMMETRIC = HOFFMANN | {"alpha": 0.465, "beta": 0.155}  # arXiv:2603.22339, section 4
BUDGETS = (1e17, 1e18, 1e19, 1e20, 1e21)


def best_params(law: dict[str, float], flops: float) -> float:
    """Hoffmann et al. 2022, equation 4."""
    both = law["alpha"] + law["beta"]
    scale = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / both)
    return float(scale * (flops / 6) ** (law["beta"] / both))


def profiles(
    law: dict[str, float] = SYMMETRIC,
    *,
    width: float = 8.0,
    sizes: int = 15,
    off: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
    budgets: tuple[float, ...] = BUDGETS,
) -> pd.DataFrame:
    """Sizes from 1/width to width times `off` times the best one of each budget."""
    rng = np.random.default_rng(seed)
    grid = off * np.geomspace(1 / width, width, sizes)
    rows = [(flops, best_params(law, flops) * size) for flops in budgets for size in grid]
    flops, params = np.array(rows).T
    loss = chinchilla.evaluate({"params": params, "tokens": flops / 6 / params}, law)
    loss = loss * np.exp(noise * rng.standard_normal(len(params)))
    return pd.DataFrame({"flops": flops, "params": params, "tokens": flops / 6 / params, "loss": loss})


def codes(found: IsoFlopFit) -> set[str]:
    return {finding.code for finding in found.findings}


@pytest.mark.parametrize("curve", ["parabola", "robust", "spline", "akima"])
def test_on_a_symmetric_surface_every_curve_finds_the_optimum(curve: str) -> None:
    found = iso_flop(Runs(profiles()), curve=curve, draws=0)  # type: ignore[arg-type]

    assert found.params_law.exponent == pytest.approx(0.5, abs=1e-6)
    best = found.optimum(1e22)
    assert best.params.value == pytest.approx(best_params(SYMMETRIC, 1e22), rel=1e-5)
    assert best.params.value * best.tokens.value * 6 == pytest.approx(1e22, rel=1e-9)


# Open-Athena, "Problems with Chinchilla Approach 2" (arXiv:2603.22339): error of D* at 1e24 FLOP from 15
# sizes at each of five budgets, for grids of ±2, ±4, ±8 and ±16 times the optimum.
@pytest.mark.parametrize(
    ("width", "percent"),
    [(2, -0.326937803732719), (4, -1.3011250437043), (8, -2.902904738135434), (16, -5.100244551712022)],
)
def test_the_bias_of_wide_grids_is_the_published_one(width: float, percent: float) -> None:
    found = iso_flop(Runs(profiles(HOFFMANN, width=width)), draws=0)

    true = 1e24 / 6 / best_params(HOFFMANN, 1e24)
    assert 100 * (found.tokens_law.at(1e24).value / true - 1) == pytest.approx(percent, rel=1e-6)
    assert found.params_law.exponent == pytest.approx(0.28 / 0.62, abs=1e-9)  # a constant shift, no slope


def test_a_grid_whose_centre_drifts_bends_the_exponent_and_approach_3_recovers_it() -> None:
    table = pd.concat([
        profiles(ASYMMETRIC, width=16, off=off, budgets=(flops,))
        for flops, off in zip(BUDGETS, np.geomspace(1 / 3, 3, 5), strict=True)
    ])  # fmt: skip
    runs = Runs(table.reset_index(drop=True))

    two, three = iso_flop(runs, draws=0), fit("chinchilla", runs)

    assert abs(two.params_law.exponent - 0.25) > 0.01
    assert {"off_centre", "wide_grid"} <= codes(two)
    assert three.optimum(1e24).params.value == pytest.approx(best_params(ASYMMETRIC, 1e24), rel=1e-4)


def test_a_minimum_near_the_end_of_its_grid_is_reported() -> None:
    assert "off_centre" in codes(iso_flop(Runs(profiles(width=4, off=2.5)), draws=0))
    assert "off_centre" not in codes(iso_flop(Runs(profiles(width=4)), draws=0))


def test_profiles_along_tokens_say_the_same() -> None:
    runs = Runs(profiles(HOFFMANN))

    along = [iso_flop(runs, along=along, draws=0).params_law.exponent for along in ("params", "tokens")]

    assert along[0] == pytest.approx(along[1], rel=1e-9)


def test_compute_counted_otherwise_gives_tokens_by_that_count() -> None:
    table = profiles()
    table["flops"] *= 7 / 6

    found = iso_flop(Runs(table), draws=0)

    best = found.optimum(1e20)
    assert 7 * best.params.value * best.tokens.value == pytest.approx(1e20, rel=1e-9)
    assert "flops_not_6nd" in codes(found)


@pytest.mark.parametrize("missing", ["params", "tokens", "flops"])
def test_any_one_of_size_tokens_and_compute_follows_from_the_others(missing: str) -> None:
    found = iso_flop(Runs(profiles().drop(columns=missing)), draws=0)

    assert found.params_law.exponent == pytest.approx(0.5, abs=1e-9)


def test_two_missing_counts_are_refused() -> None:
    with pytest.raises(MissingColumn, match="two of params, tokens and flops"):
        iso_flop(Runs(profiles()[["flops", "loss"]]))


def test_a_budget_whose_minimum_is_at_the_edge_is_named_and_left_out() -> None:
    table = profiles(budgets=BUDGETS[:4])
    cut = table[(table["flops"] < 1e20) | (table["params"] < best_params(SYMMETRIC, 1e20) / 2)]

    found = iso_flop(Runs(cut.reset_index(drop=True)), draws=0)

    assert [profile.status for profile in found.profiles[:3]] == [ProfileStatus.BRACKETED] * 3
    assert found.profiles[3].status is ProfileStatus.AT_UPPER_EDGE
    assert found.params_law.exponent == pytest.approx(0.5, abs=1e-9)
    finding = next(finding for finding in found.findings if finding.code == "minimum_at_edge")
    assert "1e20 FLOP: the minimum is at the grid's upper edge: add sizes above" in finding.sentence


def test_minima_at_the_edge_everywhere_are_refused_with_the_way_out() -> None:
    low = Runs(profiles(width=3, off=8))

    with pytest.raises(FitError, match=r"0 of 5 have one.*lower edge: add sizes below"):
        iso_flop(low)


@pytest.mark.parametrize("curve", ["spline", "akima"])
def test_an_interpolating_curve_without_a_bowl_is_at_the_edge(curve: str) -> None:
    with pytest.raises(FitError, match="upper edge"):
        iso_flop(Runs(profiles(width=3, off=1 / 8)), curve=curve)  # type: ignore[arg-type]


def test_three_sizes_are_too_few_and_a_hill_is_no_bowl() -> None:
    table = profiles(budgets=(*BUDGETS, 1e22))
    few = table["flops"].ne(1e17) | (np.arange(len(table)) < 3)
    hill = table["loss"].where(table["flops"] != 1e18, 8 - table["loss"])

    found = iso_flop(Runs(table.assign(loss=hill)[few].reset_index(drop=True)), draws=0)

    statuses = [profile.status for profile in found.profiles[:2]]
    assert statuses == [ProfileStatus.FEW_SIZES, ProfileStatus.OPENS_DOWNWARD]
    assert {"few_sizes", "opens_downward"} <= codes(found)


def test_compute_that_is_only_nearly_equal_is_one_budget() -> None:
    table = profiles()
    rng = np.random.default_rng(1)
    near = table.assign(flops=table["flops"] * rng.uniform(0.98, 1.02, len(table)))
    near["tokens"] = near["flops"] / 6 / near["params"]

    found = iso_flop(Runs(near), draws=0)

    assert [len(profile) for profile in found.profiles] == [15] * 5


def test_a_grid_of_sizes_and_horizons_is_refused_as_budgets() -> None:
    params, tokens = np.meshgrid(np.geomspace(1e6, 1e8, 30), np.geomspace(1e8, 1e10, 23))
    grid = pd.DataFrame({"params": params.ravel(), "tokens": tokens.ravel(), "loss": 3.0})

    with pytest.raises(FitError, match=r"does not fall into budgets.*Name the budgets"):
        iso_flop(Runs(grid))


def test_runs_near_no_named_budget_are_counted_not_used() -> None:
    found = iso_flop(Runs(profiles()), budgets=BUDGETS[1:], draws=0)

    assert found.outside == 15
    assert "outside_budgets" in codes(found)


def test_runs_that_are_not_done_or_not_decayed_stay_out() -> None:
    table = profiles()
    bad = table.iloc[[7, 22]].assign(loss=0.5, status=["diverged", "done"], decayed=[True, False])
    table = pd.concat([table.assign(status="done", decayed=True), bad], ignore_index=True)

    found = iso_flop(Runs(table), draws=0)

    assert found.params_law.exponent == pytest.approx(0.5, abs=1e-9)
    assert [entry.dropped for entry in found.filters] == [1, 1]


def test_a_loss_that_is_missing_names_its_row() -> None:
    table = profiles()
    table.loc[3, "loss"] = np.nan

    with pytest.raises(TableError, match="'loss' is missing in row 4; it must be above zero"):
        iso_flop(Runs(table))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(24):
        runs = Runs(profiles(width=4, sizes=7, noise=0.004, seed=seed))
        slope = iso_flop(runs, draws=100, seed=seed).exponents(level=0.9)["params"]
        held += slope.low < 0.5 < slope.high

    assert held >= 17  # of 24, 21.6 expected; fewer by chance in 1 of 100 such tests


def test_given_noise_sets_the_width() -> None:
    runs = Runs(profiles(width=4))

    narrow, wide = (iso_flop(runs, noise=noise).exponents()["params"] for noise in (0.001, 0.002))

    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(2, rel=0.1)


def test_the_noise_of_a_minimum_is_that_of_error_propagation() -> None:
    table = profiles(width=4)
    found = iso_flop(Runs(table), noise=0.001, draws=4000).profiles[2]

    solve = np.linalg.pinv(np.vander(found.x - found.x.mean(), 3))
    bend, slope, _ = solve @ found.output
    gradient = np.array([slope / (2 * bend**2), -1 / (2 * bend), 0.0]) @ solve
    # 4,000 draws: 1% by chance.
    assert found.spread == pytest.approx(np.linalg.norm(gradient * 0.001 * found.output), rel=0.04)


def test_repeated_seeds_measure_the_noise() -> None:
    tables = [profiles(width=4, noise=0.003, seed=seed).assign(seed=seed) for seed in range(3)]

    found = iso_flop(Runs(pd.concat(tables, ignore_index=True)), draws=20)

    assert found.noise_from == "seeds"
    assert found.noise[0] == pytest.approx(0.003, rel=0.15)  # of 150 degrees of freedom: 6% by chance


def test_budgets_that_differ_by_more_than_noise_widen_the_intervals() -> None:
    quiet = profiles(width=4, sizes=9, noise=0.0005)
    shift = dict(zip(BUDGETS, (1.4, 0.7, 1.4, 0.7, 1.4), strict=True))
    moved = quiet.assign(params=quiet["params"] * quiet["flops"].map(shift))
    moved["tokens"] = moved["flops"] / 6 / moved["params"]

    even, uneven = iso_flop(Runs(quiet), draws=300), iso_flop(Runs(moved), draws=300)

    assert even.scatter < 0.02
    assert uneven.scatter == pytest.approx(np.log(1.4 / 0.7) / 2, rel=0.35)
    assert "minima_scatter" in codes(uneven)
    widths = [np.ptp([slope.low, slope.high]) for slope in (f.exponents()["params"] for f in (even, uneven))]
    assert widths[1] > 5 * widths[0]


def test_an_uncertain_budget_pulls_less_by_inverse_variance() -> None:
    table = profiles(width=4, sizes=9)
    last = table["flops"] == 1e21
    rng = np.random.default_rng(3)
    noisy = table.assign(loss=table["loss"] * np.exp(np.where(last, 0.005, 0.0002) * rng.standard_normal(45)))

    equal, weighted = (iso_flop(Runs(noisy), weights=weights) for weights in ("equal", "inverse_variance"))

    assert abs(weighted.params_law.exponent - 0.5) < 0.2 * abs(equal.params_law.exponent - 0.5)


def test_a_robust_curve_forgives_one_bad_run() -> None:
    table = profiles(width=4)
    table["loss"] *= np.where(table.index == 31, 1.05, 1.0)

    plain, robust = (iso_flop(Runs(table), curve=curve, draws=0) for curve in ("parabola", "robust"))

    true = best_params(SYMMETRIC, 1e19)
    off = [abs(np.log(found.profiles[2].best_params / true)) for found in (plain, robust)]
    assert off[1] < 0.1 * off[0]


def test_flagged_and_outlying_runs_show_what_they_decide() -> None:
    table = profiles(width=4).assign(doubtful="no")
    bad = table["flops"].eq(1e21) & table["params"].gt(1.5 * best_params(SYMMETRIC, 1e21))
    table.loc[bad, "loss"] *= 0.99
    table.loc[bad, "doubtful"] = "yes"

    found = iso_flop(Runs(table), flagged="doubtful", draws=0)

    rows = found.sensitivity.set_index("change")["params_exponent"]
    assert rows[f"without {bad.sum()} flagged runs"] == pytest.approx(0.5, abs=1e-3)
    assert rows["as fitted"] > 0.52
    assert {"few_runs_decide", "one_budget_decides"} <= codes(found)


def test_two_metrics_in_one_table_are_serious_and_come_first() -> None:
    table = profiles(width=4)
    both = pd.concat([table, table.assign(loss=table["loss"] / np.log(2))], ignore_index=True)

    found = iso_flop(Runs(both))

    assert (found.findings[0].code, found.findings[0].severity) == ("two_levels", Severity.SERIOUS)


def test_a_minimum_that_drowns_in_noise_is_serious() -> None:
    found = iso_flop(Runs(profiles(width=2, sizes=5)), noise=0.3, draws=200)

    assert "minimum_lost_in_noise" in codes(found)


@pytest.mark.parametrize("weights", ["equal", "inverse_variance"])
def test_a_budget_that_loses_its_minimum_in_every_draw_is_reported_not_fatal(weights: str) -> None:
    table = profiles(width=2, sizes=5)
    found = iso_flop(Runs(table), noise=0.1, draws=2, seed=2, weights=weights)  # type: ignore[arg-type]

    assert 0.0 in {profile.bracketed_share for profile in found.used}
    assert "minimum_lost_in_noise" in codes(found)
    assert np.isfinite(found.params_law.exponent)


def test_losses_that_do_not_fall_get_no_floor() -> None:
    table = profiles(width=4)
    level = table["flops"].map(dict(zip(BUDGETS, (1.0, 1.3, 1.9, 2.7, 4.2), strict=True)))

    assert iso_flop(Runs(table), draws=0).loss_law.law.name == "power_law_with_floor"
    assert iso_flop(Runs(table.assign(loss=table["loss"] * level)), draws=0).loss_law.law.name == "power_law"


def test_the_least_loss_at_a_budget_is_that_of_the_surface() -> None:
    found = iso_flop(Runs(profiles(width=2)), draws=0)

    params = best_params(SYMMETRIC, 1e23)
    true = chinchilla.evaluate({"params": np.array([params]), "tokens": 1e23 / 6 / params}, SYMMETRIC)
    assert found.optimum(1e23).loss.value == pytest.approx(float(true[0]), rel=2e-3)
    assert np.isnan(found.optimum(1e23).params.low)  # no draws, no interval


def test_the_same_seed_gives_the_same_draws() -> None:
    runs = Runs(profiles(width=4, noise=0.003))

    first, second = (iso_flop(runs, draws=50, seed=7).params_law.draws for _ in range(2))

    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    "options",
    [
        {"curve": "cubic"},
        {"along": "flops"},
        {"weights": "robust"},
        {"noise": -1.0},
        {"draws": -1},
        {"draws": 0, "weights": "inverse_variance"},
        {"tolerance": 0.0},
        {"budgets": [-1e18]},
        {"inputs": {"loss": "x"}},
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        iso_flop(Runs(profiles()), **options)  # type: ignore[arg-type]


def test_the_summary_names_exponents_budgets_and_findings() -> None:
    text = iso_flop(Runs(profiles(HOFFMANN, width=16, noise=0.002)), draws=50).summary()

    assert "N* = " in text
    assert "1e17 FLOP" in text
    assert "noise from the distance" in text
    assert "warning: The grids span 2.4 decades" in text
