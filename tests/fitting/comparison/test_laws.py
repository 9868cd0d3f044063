"""Laws judged by what they forecast of larger runs."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError
from allometry.fitting.comparison.entrants import LINE, NO_CHANGE, read_entrants
from allometry.fitting.comparison.holdout import level_of, split_runs
from allometry.fitting.comparison.laws import Comparison, compare
from allometry.fitting.comparison.mixture import mixed_forecast
from allometry.fitting.comparison.scores import apart, crps, interval_score, predictive
from allometry.fitting.comparison.stacking import stacking_weights
from allometry.fitting.comparison.trials import Settings, fit_entrant, table_row, try_entrant
from allometry.fitting.observations import finished
from allometry.laws import chinchilla
from allometry.runs.run import Runs

HOFFMANN = Path(__file__).parents[4] / "shared" / "data" / "hoffmann_chinchilla_epoch.csv"
ROUNDING = 1e-12
SHORT = 20  # draws, where only the plumbing is tested


def chain(noise: float = 0.002, count: int = 18, floor: float = 1.7, seed: int = 0) -> Runs:
    """Runs along compute that obey a power law with a floor, 1e17 to 1e21 FLOP."""
    flops = np.geomspace(1e17, 1e21, count)
    loss = floor + 60 * flops**-0.1
    noisy = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(count))
    return Runs(pd.DataFrame({"flops": flops, "loss": noisy}))


def grid(noise: float = 0.003, seed: int = 0) -> Runs:
    """Five sizes by four horizons by the law of Hoffmann et al., without a column of compute."""
    params, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(2e6, 3e7, 5), np.geomspace(5, 60, 4)))
    truth = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    loss = chinchilla.evaluate({"params": params, "tokens": params * ratio}, truth)
    noisy = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(len(params)))
    return Runs(pd.DataFrame({"params": params, "tokens": params * ratio, "loss": noisy}))


@pytest.fixture(scope="module")
def chained() -> Comparison:
    return compare(["power_law_with_floor", "power_law"], chain(), draws=60)


@pytest.fixture(scope="module")
def gridded() -> Comparison:
    return compare(["chinchilla", "power_law_with_floor"], grid(), steps=2, draws=SHORT)


def row(made: Comparison, law: str) -> dict[Hashable, Any]:
    return made.ranking.set_index("law").loc[law].to_dict()


def test_the_law_that_made_the_runs_wins_and_both_baselines_take_part(chained: Comparison) -> None:
    assert chained.best == "power_law_with_floor"
    assert set(chained.ranking["law"]) == {"power_law_with_floor", "power_law", LINE, NO_CHANGE}
    assert chained.ranking["rank"].tolist() == [1, 2, 3, 4]
    assert chained.weights["power_law_with_floor"] > 0.9
    assert chained.weights[NO_CHANGE] == 0


def test_a_line_forecasts_too_low_where_there_is_a_floor_and_no_change_too_high(chained: Comparison) -> None:
    assert row(chained, LINE)["bias"] < 0 < row(chained, NO_CHANGE)["bias"]


def test_a_forecaster_is_learnt_from_smaller_runs_only(chained: Comparison) -> None:
    table, flops = chained.table.drop_duplicates("split"), chain().column("flops")

    for split in table.to_dict("records"):
        cut = float(str(split["split"]).removeprefix("flops <= "))
        assert split["learnt"] == (flops <= cut * 1.01).sum()
        assert split["learnt"] + split["held_out"] == len(flops)
    assert len(table) == 4
    assert (chained.held_out["decades"] > 0).all()


def test_the_error_of_the_line_is_that_of_an_ordinary_regression(chained: Comparison) -> None:
    runs, first = chain(), chained.table[chained.table["law"] == LINE].iloc[0]
    learnt = int(first["learnt"])
    x, y = np.log(runs.column("flops")), np.log(runs.column("loss"))
    expected = np.polyval(np.polyfit(x[:learnt], y[:learnt], 1), x[learnt:]) - y[learnt:]

    # The median of the draws stands for the line, and 60 draws place it to an eighth of their spread.
    assert first["bias"] == pytest.approx(expected.mean(), abs=1e-3)
    assert first["rms"] == pytest.approx(np.sqrt(np.mean(expected**2)), abs=1e-3)


def test_no_change_repeats_the_last_level(chained: Comparison) -> None:
    runs, first = chain(), chained.table[chained.table["law"] == NO_CHANGE].iloc[0]
    learnt = int(first["learnt"])
    loss = runs.column("loss")

    assert first["bias"] == pytest.approx(np.mean(np.log(loss[learnt - 1] / loss[learnt:])), rel=1e-9)
    assert np.isnan(first["coverage"])


@pytest.mark.slow
def test_intervals_of_the_true_law_hold_about_the_stated_share() -> None:
    (entrant,) = read_entrants("power_law_with_floor", objectives=("least_squares",))
    held = []
    for seed in range(60):
        split = split_runs(chain(count=24, seed=seed), "largest_flops", least=5, steps=2)[0]
        trial = try_entrant(entrant, split, Settings(output="loss", level=0.9, draws=80, seed=seed))
        held.append(table_row(trial, 0.9)["coverage"])

    # Runs of one table err together, so that 60 tables give the share to about 3 points: two of these.
    assert np.mean(held) == pytest.approx(0.9, abs=0.06)


def test_a_refusal_is_a_row_with_its_reason_and_the_others_go_on() -> None:
    runs = chain(count=9)
    made = compare(["power_law_with_floor", ("power_law", {"x": "width"})], runs, steps=1, draws=SHORT)

    refused = made.table[made.table["law"] == "power_law"]
    assert refused["refused"].str.contains("width").all()
    assert "power_law" not in set(made.ranking["law"])
    assert "power_law" not in made.fits
    assert "law_refused" in [finding.code for finding in made.findings]


def test_if_all_laws_refuse_so_does_the_comparison() -> None:
    with pytest.raises(FitError, match=r"No law could forecast.*width"):
        compare({"only": ("power_law", {"x": "width"})}, chain(), draws=SHORT)


def test_too_few_runs_below_any_cut_are_refused_with_the_way_out() -> None:
    with pytest.raises(FitError, match=r"leaves 5 runs to learn from.*fewer coefficients"):
        compare("power_law_with_floor", chain(count=5), draws=SHORT)


def test_one_held_out_run_gives_equal_weights_and_says_so() -> None:
    made = compare(["power_law_with_floor", "power_law"], chain(count=6), draws=SHORT)

    assert made.weights == {"power_law_with_floor": 0.5, "power_law": 0.5, LINE: 0.0, NO_CHANGE: 0.0}
    assert {"equal_weights", "best_not_distinguishable"} <= {finding.code for finding in made.findings}


def test_a_stacked_forecast_is_at_least_as_wide_as_the_disagreement_of_its_laws() -> None:
    made = compare(["power_law_with_floor", "power_law"], chain(count=6), draws=SHORT)
    forecast = made.predict(flops=1e24)
    alone = [made.fits[name].predict(flops=1e24) for name in ("power_law_with_floor", "power_law")]

    assert (
        forecast.low <= min(one.median for one in alone) <= max(one.median for one in alone) <= forecast.high
    )
    assert forecast.width["law"] > 0.5
    assert sum(forecast.width.values()) == pytest.approx(1)
    assert list(forecast.quantiles.values()) == sorted(forecast.quantiles.values())


def test_a_stack_of_one_law_forecasts_what_the_law_does(chained: Comparison) -> None:
    law = chained.fits["power_law_with_floor"]
    mixed = mixed_forecast({"one": law}, {"one": 1.0}, {"one": "one"}, 0.8, {"flops": 1e22})
    alone = law.predict(level=0.8, flops=1e22)

    for name in ("low", "median", "high"):
        assert getattr(mixed, name) == pytest.approx(getattr(alone, name), rel=1e-4), name
    assert mixed.width["law"] == pytest.approx(0, abs=ROUNDING)
    assert mixed.width["noise"] == pytest.approx(alone.width["noise"])


def test_compute_is_counted_where_the_table_has_none_and_that_is_said(gridded: Comparison) -> None:
    assert "flops_from_6nd" in [finding.code for finding in gridded.findings]
    np.testing.assert_allclose(
        gridded.fits["power_law_with_floor"].data.inputs["x"],
        6 * grid().column("params") * grid().column("tokens"),
    )
    assert gridded.predict(params=1e8, tokens=1e9).inputs.get("flops", 6e17) == pytest.approx(6e17)


def test_compute_counted_otherwise_must_be_given() -> None:
    runs = grid()
    odd = Runs(runs.table.assign(flops=7 * runs.column("params") * runs.column("tokens")))
    made = compare("power_law_with_floor", odd, steps=1, draws=SHORT)

    with pytest.raises(InputError, match="give flops too"):
        made.predict(params=1e8, tokens=1e9)


def test_inputs_that_no_law_reads_are_named(chained: Comparison) -> None:
    with pytest.raises(InputError, match="reads 'widht'"):
        chained.predict(flops=1e22, widht=3.0)
    with pytest.raises(InputError, match="also needs flops"):
        chained.predict()


def test_a_forecast_farther_out_than_any_test_is_a_finding(chained: Comparison) -> None:
    assert [f.code for f in chained.check_forecast(chained.predict(flops=1e25))] == ["untested_distance"]
    assert chained.check_forecast(chained.predict(flops=1.5e21)) == []


def test_laws_that_differ_only_beyond_the_runs_are_a_finding() -> None:
    made = compare(["power_law_with_floor", "power_law"], chain(floor=2.5), steps=1, draws=SHORT)
    found = {finding.code: finding for finding in made.findings}["laws_differ_ahead"]

    both = [made.fits[name] for name in ("power_law_with_floor", "power_law")]
    ahead = [one.law.evaluate({"x": 1e22}, one.coefficients) for one in both]
    assert found.evidence["ahead"] == pytest.approx(np.log(max(ahead) / min(ahead)))


def test_two_laws_that_say_the_same_are_not_distinguishable() -> None:
    made = compare(
        {"one": "power_law_with_floor", "two": "power_law_with_floor"}, chain(), steps=2, draws=SHORT
    )
    found = {finding.code: finding for finding in made.findings}

    assert found["best_not_distinguishable"].evidence["difference"] == 0


def test_objectives_are_an_axis_of_their_own() -> None:
    made = compare(
        "power_law_with_floor", chain(noise=0.01), objectives=("huber", "least_squares"), steps=1, draws=SHORT
    )

    assert {"power_law_with_floor, huber", "power_law_with_floor, least_squares"} <= set(made.table["law"])
    assert set(made.predict(flops=1e22).width) == {"coefficients", "noise", "law", "objective"}


def test_the_summary_names_every_forecaster_and_finding(chained: Comparison) -> None:
    text = chained.summary()

    assert all(name in text for name in chained.ranking["law"])
    assert all(finding.sentence in text for finding in chained.findings)


def test_the_same_seed_gives_the_same_bits() -> None:
    one, other = (compare("power_law", chain(), steps=1, draws=SHORT, seed=3) for _ in range(2))

    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)


def test_budgets_that_differ_by_rounding_are_one_level() -> None:
    budgets = np.repeat([1e18, 1e19, 1e20], 3) * np.tile([0.98, 1.0, 1.02], 3)

    assert level_of(budgets).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_continuous_column_has_as_many_levels_as_values() -> None:
    assert level_of(np.geomspace(1, 2, 50)).max() == 49


def test_a_condition_holds_runs_out_once() -> None:
    (split,) = split_runs(chain(), "flops > 1e20", least=3)

    assert split.train.column("flops").max() <= 1e20 < split.held.column("flops").min()
    assert len(split.train) + len(split.held) == 18


def test_runs_that_are_not_done_or_not_decayed_take_no_part() -> None:
    table = chain(count=6).table.assign(
        status=["done", "diverged", "done", np.nan, "done", ""], decayed=[True, True, False, True, True, True]
    )

    assert len(finished(Runs(table))) == 4


def test_a_column_to_hold_out_by_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="no 'width'"):
        compare("power_law", chain(), hold_out="largest_width")


def test_laws_of_different_outputs_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        compare(["power_law", "task_sigmoid"], chain())


def test_two_entrants_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="names of their own"):
        read_entrants(["chinchilla", "chinchilla"])


def test_quantiles_at_the_middles_score_as_equally_likely_draws() -> None:
    rng = np.random.default_rng(0)
    draws, measured = np.sort(rng.standard_normal((3, 40)), axis=1), rng.standard_normal(3)

    # Gneiting and Raftery 2007, eq. 21: E|X - y| - E|X - X'| / 2
    energy = np.abs(draws - measured[:, None]).mean(axis=1) - apart(draws, draws) / 2
    np.testing.assert_allclose(crps(draws, (np.arange(40) + 0.5) / 40, measured), energy, rtol=1e-12)


def test_the_score_of_a_normal_forecast_is_the_closed_form() -> None:
    from scipy.stats import norm

    middles = (np.arange(2000) + 0.5) / 2000
    closed = 0.5 * (2 * norm.cdf(0.5) - 1) + 2 * norm.pdf(0.5) - 1 / np.sqrt(np.pi)  # Gneiting 2005, eq. 5

    assert crps(norm.ppf(middles)[None, :], middles, np.array([0.5]))[0] == pytest.approx(
        closed, abs=1e-3
    )  # 2,000 points for a curve


def test_a_hit_costs_the_width_and_a_miss_a_fine() -> None:
    low, high = np.array([1.0, 1.0]), np.array([2.0, 2.0])

    assert interval_score(low, high, np.array([1.5, 0.9]), 0.8) == pytest.approx([1.0, 1.0 + 0.1 * 10])


def test_weights_share_out_between_two_laws_that_err_to_either_side() -> None:
    low, high = np.full((4, 3), -1.0), np.full((4, 3), 1.0)

    weights = stacking_weights([low, high], np.zeros(4), np.full(4, 0.25))

    assert weights == pytest.approx([0.5, 0.5], abs=1e-6)


def test_stacking_weights_cannot_be_beaten_on_a_grid() -> None:
    rng = np.random.default_rng(0)
    points = [rng.normal(shift, size, (12, 30)) for shift, size in ((0.3, 0.5), (-0.2, 1.0), (1.0, 0.1))]
    measured, shares = rng.normal(size=12), np.full(12, 1 / 12)

    def score(weights: np.ndarray) -> float:
        """Of the mixture, from its distribution function: another way to the same number."""
        y = np.linspace(-6, 6, 4001)
        below = sum(w * (one[:, :, None] <= y).mean(axis=1) for w, one in zip(weights, points, strict=True))
        return float(np.mean(np.sum((below - (measured[:, None] <= y)) ** 2, axis=1)) * (y[1] - y[0]))

    best = score(stacking_weights(points, measured, shares))
    tried = [np.array([a, b, 1 - a - b]) for a in np.linspace(0, 1, 6) for b in np.linspace(0, 1 - a, 6)]
    assert all(best <= score(weights) + 1e-4 for weights in tried)  # the grid of y is that coarse


def test_what_is_scored_is_what_predict_would_state() -> None:
    (entrant,) = read_entrants("power_law_with_floor")
    made = fit_entrant(entrant, chain(), Settings(output="loss", level=0.9, draws=100, seed=0))
    found = predictive(made, {"x": np.array([1e22, 1e23])}, 0.9)

    for place, flops in enumerate((1e22, 1e23)):
        stated = made.predict(level=0.9, flops=flops)
        assert np.exp(found.median[place]) == pytest.approx(stated.median, rel=1e-4)
        assert found.high[place] - found.low[place] == pytest.approx(
            np.log(stated.high / stated.low),
            rel=0.02,  # by 50 noises instead of 200
        )


@pytest.mark.public_data
@pytest.mark.skipif(not HOFFMANN.is_file(), reason=f"the public table is not at {HOFFMANN}")
def test_chinchilla_forecasts_the_larger_hoffmann_runs_better_than_a_line() -> None:
    runs = Runs(pd.read_csv(HOFFMANN)).where("NOT excluded_in_published_fit", because="as the replication")
    made = compare("chinchilla", runs, steps=1, draws=SHORT)

    assert made.best == "chinchilla"
    assert row(made, "chinchilla")["error"] < 0.02 < row(made, LINE)["error"]
