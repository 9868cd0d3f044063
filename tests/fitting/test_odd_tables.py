"""Tables that were found by fuzzing to end in a traceback, a warning or a number without meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError, TableError
from allometry.fitting import Fit, bootstrap, check_forecast, fit
from allometry.fitting.likelihood import allowed_rise
from allometry.fitting.sensitivity import by_convention
from allometry.laws import Coefficient, law
from allometry.runs.run import Runs

Ladder = Callable[..., Runs]


def codes(found: Fit) -> set[str]:
    return {finding.code for finding in found.findings}


def test_a_table_without_finished_runs_is_refused_and_says_what_was_left_out(ladder: Ladder) -> None:
    table = ladder().table.assign(status="failed")

    with pytest.raises(FitError, match="no run to fit \\(20 left out by not: status = 'done'\\)"):
        fit("chinchilla", Runs(table))


def test_two_columns_of_one_name_are_refused(ladder: Ladder) -> None:
    table = ladder().table

    with pytest.raises(InputError, match="2 columns called 'loss'"):
        fit("chinchilla", Runs(pd.concat([table, table[["loss"]]], axis=1)))


def test_complex_numbers_are_refused(ladder: Ladder) -> None:
    with pytest.raises(InputError, match="'loss' holds complex numbers"):
        fit("chinchilla", Runs(ladder().table.astype({"loss": complex})))


@pytest.mark.parametrize("value", [1e308, 5e-324])
def test_numbers_whose_products_leave_the_range_of_a_float_are_refused(ladder: Ladder, value: float) -> None:
    table = ladder().table
    table.loc[3, "params"] = value

    with pytest.raises(TableError, match="in row 4, beyond what can be calculated with"):
        fit("chinchilla", Runs(table))


def test_a_coefficient_that_the_formula_does_not_use_is_refused(ladder: Ladder) -> None:
    used, unused = (Coefficient(name=n, meaning="a number", unit="1", low=0.1, high=10.0) for n in "ab")

    @law(reads=("params",), source="an example", coefficients=(used, unused))
    def half_used(N: Any, *, a: Any, b: Any) -> Any:
        return a / N

    with pytest.raises(FitError, match="cannot tell b of law 'half_used' apart"):
        fit(half_used, ladder())


def test_losses_that_follow_nothing_are_found_to_be_no_better_than_one_number(ladder: Ladder) -> None:
    table = ladder(noise=0.003).table
    shuffled = table.assign(loss=np.random.default_rng(0).permutation(table["loss"].to_numpy()))

    assert "no_better_than_a_constant" in codes(fit("chinchilla", Runs(shuffled)))
    assert "no_better_than_a_constant" not in codes(fit("chinchilla", Runs(table)))


def test_losses_that_are_all_equal_are_found_to_be_no_better_than_one_number(ladder: Ladder) -> None:
    flat = ladder().table.assign(loss=3.0)

    assert "no_better_than_a_constant" in codes(
        fit("power_law_with_floor", Runs(flat), inputs={"x": "params"})
    )


def test_a_law_that_turns_upwards_within_the_runs_is_found() -> None:
    offset, slope = (
        Coefficient(name=n, meaning="a number", unit="1", low=0.1, high=10.0, positive=False) for n in "ab"
    )

    @law(reads=("params",), source="an example", coefficients=(offset, slope), on="raw")
    def line(N: Any, *, a: Any, b: Any) -> Any:
        return a + b * N

    sizes = np.geomspace(1.0, 30.0, 12)
    rising = fit(line, Runs(pd.DataFrame({"params": sizes, "loss": 2 + 0.1 * sizes})))
    falling = fit(line, Runs(pd.DataFrame({"params": sizes, "loss": 8 - 0.1 * sizes})))

    assert "rises_with_size" in codes(rising)
    assert "rises_with_size" not in codes(falling)


@pytest.fixture
def by_year() -> Fit:
    years = np.linspace(2019, 2025, 20)
    noise = np.exp(0.3 * np.random.default_rng(0).standard_normal(20))
    runs = Runs(pd.DataFrame({"year": years, "value": 2 ** (years - 2019) * noise}))
    return bootstrap(fit("exponential_trend", runs), draws=20)


def test_a_place_where_the_law_overflows_is_refused(by_year: Fit) -> None:
    with pytest.raises(FitError, match="no finite value at year = 1e\\+06"):
        by_year.predict(year=1e6)


def test_a_forecast_says_how_many_draws_have_no_value_there(by_year: Fit) -> None:
    edge = 2019 + 1020  # 2^1020: some draws are beyond the largest float

    forecast = by_year.predict(year=edge)

    assert "of 20 draws have no finite value there" in forecast.no_interval_because
    assert np.isnan([forecast.low, forecast.high]).all()
    assert "no_interval" in {finding.code for finding in check_forecast(forecast)}


def test_facts_of_several_kinds_come_back_from_a_file_as_they_were(ladder: Ladder, tmp_path: Path) -> None:
    odd = pd.Series([1, 2.5, None, "x", np.inf, pd.Timestamp("2026-01-01"), True, -3, 0, np.nan] * 2)
    table = ladder().table.assign(seed=odd, tokenizer=odd, vocab=pd.array([1, None] * 10, dtype="Int64"))

    fit("chinchilla", Runs(table)).save(tmp_path / "one.json")
    Fit.load(tmp_path / "one.json").save(tmp_path / "two.json")

    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_noise_far_above_delta_allows_a_rise_in_proportion_to_delta(ladder: Ladder) -> None:
    table = ladder(noise=0.05)  # some 1e6 times the smaller delta, where Huber's penalty is delta · |r|

    near, far = (fit("chinchilla", table, delta=delta) for delta in (1e-5, 1e-7))

    assert allowed_rise(far) == pytest.approx(allowed_rise(near) * 1e-2, rel=0.02)


def test_a_share_of_zero_is_the_same_in_every_convention() -> None:
    shares = np.linspace(0, 1, 8)
    runs = Runs(pd.DataFrame({"proportion": shares, "loss": 1.3 + 0.5 * np.exp(-2 * shares)}))

    table = by_convention(fit("mixture", runs))

    assert table["forecast"].tolist() == pytest.approx([1.8])  # at the first run, as none is larger
