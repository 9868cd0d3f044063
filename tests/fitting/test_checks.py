"""What a check finds, and that it finds nothing where nothing is wrong."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from allometry.fitting import Severity, bootstrap, check, check_forecast, fit
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]


def codes(runs: Runs, law: str = "chinchilla") -> set[str]:
    return {finding.code for finding in check(fit(law, runs))}


def test_a_sound_ladder_with_repeats_has_no_finding(ladder: MakeRuns) -> None:
    twice = pd.concat([ladder(0.002, seed=1).table, ladder(0.002, seed=2).table], ignore_index=True)

    assert codes(Runs(twice)) == set()


def test_few_runs_are_reported(ladder: MakeRuns) -> None:
    assert "few_runs" in codes(ladder(noise=0.002, sizes=4, horizons=3))


def test_one_seed_a_setting_is_reported(ladder: MakeRuns) -> None:
    assert "single_seed" in codes(ladder(noise=0.002))


def test_tokens_that_nearly_follow_params_are_reported(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = ladder()
    wiggle = np.exp(0.1 * np.random.default_rng(0).standard_normal(20))

    assert "collinear" in codes(changed(runs, tokens=20 * runs.column("params") * wiggle))


def test_a_short_range_of_compute_is_reported(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = ladder(noise=0.001)
    near = {name: 1e7 * (runs.column(name) / 1e7) ** 0.15 for name in ("params", "tokens")}

    assert "short_range" in codes(changed(runs, **near))


def test_runs_without_a_floor_are_reported(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = ladder()
    loss = 20 * runs.column("params") ** -0.1 + 20 * runs.column("tokens") ** -0.1

    assert "no_floor" in codes(changed(runs, loss=loss))


def test_a_law_that_does_not_bend_as_the_runs_do_leaves_a_pattern(
    ladder: MakeRuns, changed: MakeRuns
) -> None:
    x = np.geomspace(1e15, 1e20, 20)

    assert "residual_pattern" in codes(changed(ladder(), x=x, loss=2 + 50 * x**-0.12), "power_law")


def test_one_wrong_run_that_moves_an_exponent_is_named(ladder: MakeRuns, changed: MakeRuns) -> None:
    loss = ladder().column("loss").copy()
    loss[-1] *= 1.2

    findings = {
        f.code: f for f in check(fit("chinchilla", changed(ladder(), loss=loss), objective="least_squares"))
    }

    assert findings["one_run_decides"].evidence["run"] == "row 20"


def test_mixed_conventions_are_serious_and_come_first(ladder: MakeRuns, changed: MakeRuns) -> None:
    convention = ["total"] * 10 + ["non_embedding"] * 10

    worst = check(fit("chinchilla", changed(ladder(0.002), params_convention=convention)))[0]

    assert (worst.code, worst.severity) == ("mixed_conventions", Severity.SERIOUS)


def test_a_far_forecast_is_reported_and_a_near_one_is_not(ladder: MakeRuns) -> None:
    found = bootstrap(fit("chinchilla", ladder(noise=0.002)), draws=20)

    assert check_forecast(found.predict(params=6e7, tokens=3e9)) == []
    far = check_forecast(found.predict(params=7e9, tokens=1e11))
    assert [finding.code for finding in far] == ["far_forecast"]


def test_runs_whose_sizes_gain_differently_from_data_leave_a_pattern(
    ladder: MakeRuns, changed: MakeRuns
) -> None:
    runs = ladder()
    steeper = np.log(runs.column("params") / 1e7) * np.log(runs.column("tokens") / 1e9)

    found = codes(changed(runs, loss=runs.column("loss") * np.exp(-0.02 * steeper)))

    assert "residual_pattern" in found
    assert "residual_pattern" not in codes(ladder(noise=0.004))
