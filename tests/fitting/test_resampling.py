"""Samples of a bootstrap: what stays together, what stays as often, and what stays as large."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy.stats import jarque_bera

from allometry.errors import InputError
from allometry.fitting import Fit, bootstrap, fit
from allometry.fitting.noise import noise_is_ordinary
from allometry.fitting.resampling import RESAMPLINGS, resamples, suited
from allometry.fitting.result import Resampling
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

DRAWS = 200
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def found(ladder: MakeRuns, changed: MakeRuns) -> Fit:
    """20 settings in two seeds; four rows a run; budgets of 10, 10 and 20 runs."""
    table = pd.concat([ladder(0.005, seed=seed).table for seed in (1, 2)], ignore_index=True)
    runs = changed(
        Runs(table),
        run_id=[f"run {row // 4}" for row in range(40)],
        seed=np.repeat([1.0, 2.0], 20),
        dataset=["a"] * 10 + ["b"] * 10 + ["c"] * 20,
    )
    return fit("power_law_with_floor", runs, inputs={"x": "tokens"}, objective="least_squares", starts=4)


def held(found: Fit, unit: str, how: Resampling = "pairs", strata: str | None = None) -> np.ndarray:
    """How often each of 200 resamples holds each row."""
    return resamples(found, DRAWS, unit, strata, how, np.random.default_rng(0)).weights


def test_the_resamplings_named_are_those_there_are() -> None:
    assert set(RESAMPLINGS) == set(get_args(Resampling))


@pytest.mark.parametrize("unit", ["row", "run", "setting"])
def test_each_resample_of_equal_units_holds_as_many_rows_as_there_are(unit: str, found: Fit) -> None:
    times = held(found, unit)

    assert (times.sum(axis=1) == 40).all()
    assert (times == np.round(times)).all()
    assert times.mean(axis=0) == pytest.approx(np.ones(40), abs=0.5)  # four deviations of 200 draws


def test_rows_of_one_run_are_drawn_together(found: Fit) -> None:
    times = held(found, "run").reshape(DRAWS, 10, 4)

    assert (times == times[:, :, :1]).all()
    assert not (held(found, "row").reshape(DRAWS, 10, 4) == times[:, :, :1]).all()


def test_branches_of_one_trunk_are_drawn_together(found: Fit) -> None:
    ids = tuple(f"run {row}" for row in range(40))
    parents = [None if row % 8 == 0 else f"run {row - 1}" for row in range(40)]  # chains of eight
    branched = replace(found, data=replace(found.data, run_ids=ids, facts=pd.DataFrame({"parent": parents})))

    times = held(branched, "trunk").reshape(DRAWS, 5, 8)

    assert (times == times[:, :, :1]).all()


def test_rows_of_one_value_of_a_column_are_drawn_together(found: Fit) -> None:
    times = held(found, "seed")

    assert (times[:, :20] == times[:, :1]).all()
    assert (times[:, 20:] == times[:, -1:]).all()


@pytest.mark.parametrize("how", ["pairs", "bayesian"])
def test_each_stratum_keeps_its_count_in_every_resample(how: Resampling, found: Fit) -> None:
    times = held(found, "row", how, strata="dataset")

    for rows in (slice(0, 10), slice(10, 20), slice(20, 40)):
        count = len(range(*rows.indices(40)))
        np.testing.assert_allclose(times[:, rows].sum(axis=1), count)
    assert not np.allclose(held(found, "row", how)[:, :10].sum(axis=1), 10)


def test_a_unit_in_two_strata_is_refused(found: Fit) -> None:
    with pytest.raises(InputError, match=r"2 of 2 \(unit: seed\) lie in several"):
        held(
            replace(found, data=replace(found.data, facts=found.data.facts.assign(dataset=["a", "b"] * 20))),
            "seed",
            strata="dataset",
        )


@pytest.mark.parametrize("how", ["pairs", "bayesian"])
def test_seeds_are_drawn_within_the_settings_that_were_drawn(how: Resampling, found: Fit) -> None:
    times = held(found, "setting", how)

    settings = times[:, :20] + times[:, 20:]  # both seeds of each
    np.testing.assert_allclose(times.sum(axis=1), 40)
    if how == "pairs":
        assert (settings % 2 == 0).all()  # a setting drawn k times holds k runs of each of its two seeds
    assert not np.allclose(times[:, :20], times[:, 20:])  # but not the same ones
    assert times.std() > held(found, "row", how).std()  # two draws vary more than one


def test_wild_resamples_turn_signs_and_keep_sizes(found: Fit) -> None:
    made = resamples(found, DRAWS, "run", None, "wild", np.random.default_rng(0))

    turned = (made.target - found.fitted()) / found.residuals()
    np.testing.assert_allclose(
        np.abs(turned), np.sqrt(40 / 37)
    )  # what the law bent towards runs is given back
    signs = np.sign(turned).reshape(DRAWS, 10, 4)
    assert (signs == signs[:, :, :1]).all()
    assert np.sign(turned).mean(axis=0) == pytest.approx(np.zeros(40), abs=0.3)


def test_redrawn_noise_is_smaller_where_weights_are_larger(found: Fit) -> None:
    weights = np.repeat([1.0, 4.0], 20)
    made = resamples(
        replace(found, data=replace(found.data, weights=weights)),
        4000,
        "row",
        None,
        "residuals",
        np.random.default_rng(0),
    )

    spread = (made.target - found.fitted()).std(axis=0)
    assert spread[:20].mean() / spread[20:].mean() == pytest.approx(2, rel=0.02)


def test_seeds_of_one_setting_have_noise_of_their_own(found: Fit) -> None:
    ids = tuple(f"run {row}" for row in range(40))
    own = replace(found, data=replace(found.data, run_ids=ids))

    noise = (
        resamples(own, DRAWS, "setting", None, "residuals", np.random.default_rng(0)).target - own.fitted()
    )

    together = np.corrcoef(noise[:, 0], noise[:, 20])[0, 1]
    assert abs(together) < 0.3  # 1 if both seeds shared one draw; four deviations of 200 draws


def with_noise(made: Fit, noise: np.ndarray) -> Fit:
    """The same fit, had the runs this noise of the log."""
    return replace(made, data=replace(made.data, output=np.exp(made.fitted() + noise)))


@pytest.fixture(scope="module")
def many(ladder: MakeRuns, changed: MakeRuns) -> Fit:
    """80 rows of 40 runs for two coefficients."""
    runs = changed(ladder(0.005, sizes=20), run_id=[f"run {row // 2}" for row in range(80)])
    return fit("power_law", runs, inputs={"x": "tokens"}, starts=2)


NORMAL = np.random.default_rng(0).standard_normal(80)
LARGE_AT_LAST = NORMAL * np.geomspace(0.1, 3, 80)


@pytest.mark.parametrize(
    ("noise", "unit", "expected"),
    [
        (NORMAL, "row", "residuals"),
        (NORMAL**3, "row", "pairs"),
        (LARGE_AT_LAST, "row", "pairs"),
        (NORMAL**3, "run", "residuals"),  # forty units are too few for two coefficients
    ],
    ids=["normal", "of heavy tails", "growing", "of heavy tails, few units"],
)
def test_runs_are_drawn_where_they_are_many_and_their_noise_is_not_ordinary(
    noise: np.ndarray, unit: str, expected: str, many: Fit
) -> None:
    order = np.argsort(np.argsort(many.data.inputs["x"], kind="stable"), kind="stable")

    assert suited(with_noise(many, 0.01 * noise[order]), unit) == expected


def test_normal_noise_is_seldom_called_another(many: Fit) -> None:
    draws = 0.01 * np.random.default_rng(1).standard_normal((400, 80))

    called = [not noise_is_ordinary(with_noise(many, noise)) for noise in draws]

    assert np.mean(called) < 0.05  # two tests at 1% each


def test_the_shape_of_noise_is_judged_as_scipy_does(many: Fit) -> None:
    tails = np.random.default_rng(2).standard_t(5, size=(60, 80))

    judged = [noise_is_ordinary(with_noise(many, noise)) for noise in tails]

    odd = np.array([jarque_bera(noise).pvalue < 0.01 for noise in tails])
    assert 10 < odd.sum() < 50
    assert not np.array(judged)[odd].any()
    assert np.array(judged)[~odd].mean() > 0.8  # the rest is what the other test says


@pytest.mark.parametrize("how", RESAMPLINGS)
def test_draws_do_not_depend_on_how_many_work_at_them(
    how: Resampling, found: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allometry.fitting.uncertainty._ELEMENTS_AT_ONCE", 7 * 40)

    one, three = (bootstrap(found, draws=20, resampling=how, workers=workers).draws for workers in (1, 3))

    assert one is not None
    assert three is not None
    pd.testing.assert_frame_equal(one, three)


def test_ten_times_the_draws_do_not_take_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allometry.fitting.uncertainty._ELEMENTS_AT_ONCE", 12 * 4000)
    flops = np.geomspace(1e15, 1e20, 4000)
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(4000))
    runs = Runs(pd.DataFrame({"x": flops, "loss": 20 * flops**-0.05 * noise}))
    found = fit("power_law", runs, objective="least_squares", starts=1)

    few, many = (peak_memory(found, draws) for draws in (12, 120))

    # All at once 108 more draws would be 3.3 MiB an array, of which a search holds about ten.
    assert many < few + 5 * MEBIBYTE


def peak_memory(found: Fit, draws: int) -> int:
    tracemalloc.start()
    try:
        bootstrap(found, draws=draws, resampling="pairs", unit="row")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"unit": "sead"}, "have no 'sead' to go by. Did you mean 'seed'"),
        ({"strata": "datset", "resampling": "pairs"}, "have no 'datset' to go by. Did you mean 'dataset'"),
        ({"resampling": "pair"}, "no resampling 'pair'. Did you mean 'pairs'"),
        ({"strata": "dataset", "resampling": "wild"}, "nothing to draw within 'dataset'; use 'pairs'"),
        ({"draws": 1}, "at least 2 draws, not 1"),
    ],
)
def test_what_cannot_be_resampled_is_refused_with_what_can(
    asked: dict[str, object], words: str, found: Fit
) -> None:
    with pytest.raises(InputError, match=words):
        bootstrap(found, **asked)  # type: ignore[arg-type]
