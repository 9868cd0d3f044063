"""Draws, intervals, forecasts, optima."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError
from allometry.fitting import Fit, bootstrap, fit, profile
from allometry.fitting.allocation import optimal_params
from allometry.fitting.resampling import RESAMPLINGS
from allometry.fitting.result import middle
from allometry.laws import chinchilla
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

SEARCH_TOLERANCE = 1e-6  # golden section: the square root of double precision, with room


@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_the_same_seed_gives_the_same_bits(resampling: str, ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(noise=0.005))

    first, second = (bootstrap(found, draws=20, seed=4, resampling=resampling) for _ in range(2))  # type: ignore[arg-type]

    assert first.draws is not None
    assert second.draws is not None
    np.testing.assert_array_equal(first.draws.to_numpy(), second.draws.to_numpy())


def test_least_squares_draws_spread_as_linear_theory_says(ladder: MakeRuns, changed: MakeRuns) -> None:
    found = fit(
        "power_law", changed(ladder(noise=0.01), x=ladder().column("params")), objective="least_squares"
    )
    drawn = bootstrap(found, draws=2000, resampling="residuals")

    logs = np.log(found.data.inputs["x"])
    sd = np.sqrt(np.sum(found.residuals() ** 2) / 18 / np.sum((logs - logs.mean()) ** 2))
    inflated = sd * np.sqrt(18 / 16)  # Student's t of 18 degrees: its variance is 18/16
    assert drawn.draws is not None
    assert drawn.draws["alpha"].std() == pytest.approx(inflated, rel=0.06)  # 2,000 draws: 1.6% a sigma


def test_noise_is_redrawn_but_for_large_tables_of_odd_noise_and_envelopes(
    ladder: MakeRuns, changed: MakeRuns
) -> None:
    tails = np.exp(0.05 * np.random.default_rng(0).standard_t(2, size=80))
    odd = changed(ladder(sizes=20), loss=ladder(sizes=20).column("loss") * tails)
    small, large, odd_and_large = (
        bootstrap(fit("power_law", runs, inputs={"x": "params"}), draws=2)
        for runs in (ladder(0.01, sizes=4), ladder(0.01, sizes=20), odd)
    )
    envelope = bootstrap(fit("chinchilla", ladder(0.01), objective="lower_envelope"), draws=20)

    assert [f.drawn.resampling for f in (small, large, odd_and_large, envelope) if f.drawn] == [
        "residuals",
        "residuals",
        "pairs",
        "pairs",
    ]


def test_rows_of_one_run_are_resampled_together(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = changed(ladder(noise=0.005), run_id=[f"run {k // 4}" for k in range(20)])
    found = fit("chinchilla", runs)

    by_run, by_row = (bootstrap(found, draws=100, unit=unit) for unit in ("run", "row"))

    assert found.data.run_ids[:5] == ("run 0",) * 4 + ("run 1",)
    assert by_run.draws is not None
    assert by_row.draws is not None
    assert not by_run.draws.equals(by_row.draws)


def test_an_interval_before_the_draws_is_refused_with_the_way_out(ladder: MakeRuns) -> None:
    with pytest.raises(FitError, match="bootstrap"):
        fit("chinchilla", ladder()).interval("E")


def test_a_forecast_without_draws_has_a_point_and_says_why_no_interval(
    ladder: MakeRuns, truth: dict[str, float]
) -> None:
    forecast = fit("chinchilla", ladder()).predict(params=1e8, tokens=2e9)

    expected = float(chinchilla.evaluate({"params": 1e8, "tokens": 2e9}, truth))
    assert forecast.median == pytest.approx(expected, rel=1e-6)
    assert np.isnan(forecast.low)
    assert "bootstrap" in forecast.no_interval_because


def test_a_forecast_interval_is_wider_than_the_noise_alone(drawn: Fit) -> None:
    forecast = drawn.predict(params=7.5e7, tokens=3.6e9)

    assert forecast.low < forecast.median < forecast.high
    assert np.log(forecast.high / forecast.low) > 2 * 1.645 * 0.005
    assert sum(forecast.width.values()) == pytest.approx(1)
    assert list(forecast.quantiles.values()) == sorted(forecast.quantiles.values())


def test_the_shares_of_a_width_that_has_no_square_add_up() -> None:
    years = np.arange(2016.0, 2026.0)
    values = 2.0 ** (years - 2020) * (1 + 0.01 * np.cos(np.arange(10)))
    made = fit("exponential_trend", Runs(pd.DataFrame({"year": years, "value": values})), on="raw")

    forecast = bootstrap(made, draws=40).predict(year=2620.0)

    assert forecast.high - forecast.low > 1e160
    assert forecast.width["coefficients"] == pytest.approx(1.0)
    assert forecast.width["noise"] == pytest.approx(0.0)


def test_a_higher_level_gives_a_wider_interval(drawn: Fit) -> None:
    narrow, wide = (drawn.predict(level=level, params=7.5e7, tokens=3.6e9) for level in (0.5, 0.99))

    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_forecast_says_how_far_beyond_the_runs_it_goes(drawn: Fit) -> None:
    beyond = drawn.predict(params=6e7, tokens=3.6e9).beyond

    assert beyond == pytest.approx({"params": 2.0, "tokens": 2.0, "flops": 4.0})


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"params": 1e8}, "also needs tokens"),
        ({"params": 1e8, "tokens": 1e9, "flops": 1e18}, "not from 'flops'"),
        ({"params": -1.0, "tokens": 1e9}, "above zero"),
    ],
)
def test_inputs_a_forecast_cannot_use_are_named(drawn: Fit, inputs: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        drawn.predict(**inputs)


def test_the_optimum_spends_the_budget_and_no_neighbour_beats_it(drawn: Fit) -> None:
    best = drawn.optimum(1e19)

    sizes = best.params.value * np.array([0.9, 1.0, 1.1])
    losses = chinchilla.evaluate({"params": sizes, "tokens": 1e19 / 6 / sizes}, drawn.coefficients)
    assert 6 * best.params.value * best.tokens.value == pytest.approx(1e19)
    assert losses.argmin() == 1
    assert best.params.low < best.params.value < best.params.high


def test_the_search_for_an_optimum_agrees_with_the_closed_form(truth: dict[str, float]) -> None:
    from allometry.fitting.allocation import _search

    names = {"params": "params", "tokens": "tokens"}
    columns = {name: np.array([value, value * 1.1]) for name, value in truth.items()}

    np.testing.assert_allclose(
        _search(chinchilla, names, columns, 1e21),
        optimal_params(chinchilla, names, columns, 1e21),
        rtol=SEARCH_TOLERANCE,
    )


def test_a_law_of_one_input_has_no_optimum(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = changed(ladder(noise=0.01), flops=6 * ladder().column("params") * ladder().column("tokens"))

    with pytest.raises(FitError, match="reads params and tokens"):
        fit("power_law", runs, inputs={"x": "flops"}).optimum(1e20)


def test_a_profile_is_lowest_at_the_fit_and_holds_each_value(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(noise=0.005))
    table = profile(found, "alpha", points=9, width=0.2)

    assert table["objective_value"].argmin() == 4
    assert table["alpha"].iloc[0] == pytest.approx(found.coefficients["alpha"] / 1.2)
    assert (table["rise"] >= -1e-9).all()
    with pytest.raises(InputError, match="'points' is a whole number from 1, not 0"):
        profile(found, "alpha", points=0)


def test_one_more_draw_falls_into_the_interval_as_often_as_the_level_says() -> None:
    draws = np.random.default_rng(0).normal(size=(20, 20_000))

    low, high = middle(draws[:19], 0.9, axis=0)

    held = ((low <= draws[19]) & (draws[19] <= high)).mean()
    assert held == pytest.approx(0.9, abs=3 * (0.9 * 0.1 / 20_000) ** 0.5)  # three standard errors
