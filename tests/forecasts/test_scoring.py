"""Scores: hand-computed numbers, and a closed form for the CRPS."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from allometry.fitting.prediction import PROBABILITIES
from allometry.fitting.result import Forecast
from allometry.forecasts.records import hash_of, write_outcome, write_record
from allometry.forecasts.register import REGISTER, attach_outcomes, register
from allometry.forecasts.scoring import crps, describe_score, pit, score
from allometry.runs.run import Run
from allometry.runs.study import Study


def normal_crps(mean: float, sd: float, outcome: float) -> float:
    """Gneiting and Raftery 2007, eq. 21, doi:10.1198/016214506000001437, with the sign turned."""
    z = (outcome - mean) / sd
    return float(sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)))


def normal_quantiles(mean: float, sd: float, probabilities: list[float]) -> dict[float, float]:
    return {p: float(norm.ppf(p, mean, sd)) for p in probabilities}


def run(loss: float, started: datetime | None = None) -> Run:
    began = {"started": started.isoformat()} if started else {}
    return Run(run_id="big", status="done", values={"loss": loss, **began})


def test_a_scored_forecast_has_the_numbers_computed_by_hand(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    study.save_run(run(3.3))

    row = score(study).iloc[0]

    assert row["error"] == pytest.approx(-0.05)
    assert row["error_percent"] == pytest.approx(-100 * 0.05 / 3.3)
    assert row["pit"] == pytest.approx(0.625)  # half-way from the quantile 3.25 (0.5) to 3.35 (0.75)
    # F rises from 1/4 at 3.2 by 1/2, 5/8 at 3.3 to 3/4 at 3.35: integrals of F² below 3.3, of (1 - F)² above.
    below = 0.05 * (1 / 16 + 1 / 8 + 1 / 4) / 3 + 0.05 * (1 / 4 + 5 / 16 + 25 / 64) / 3
    assert row["crps"] == pytest.approx(below + 0.05 * (9 / 64 + 3 / 32 + 1 / 16) / 3)
    assert (row["inside"], row["status"], row["counts"]) == (True, "done", True)
    assert (row["beyond_params"], row["beyond_tokens"], row["beyond_flops"]) == (2.1, 1.0, 2.1)


def test_an_outcome_at_either_end_of_the_interval_is_inside_and_one_beyond_is_not(
    study: Study, forecast: Forecast
) -> None:
    register(forecast, study, target="big")
    inside = []
    for loss in (3.1, 3.5, math.nextafter(3.1, 0), math.nextafter(3.5, 9)):
        study.save_run(run(loss))
        inside.append(bool(score(study)["inside"].iloc[0]))

    assert inside == [True, True, False, False]


def test_a_forecast_without_its_run_or_its_value_has_a_status_and_no_score(
    study: Study, forecast: Forecast
) -> None:
    register(forecast, study)
    for target in ("waiting", "wild", "blind"):
        register(forecast, study, target=target)
    study.save_run(Run(run_id="wild", status="diverged", reason="loss rose", values={"loss": 9.0}))
    study.save_run(Run(run_id="blind", status="done", values={"bits_per_byte": 1.0}))

    table = score(study)

    assert table["status"].tolist() == ["no target", "not run yet", "diverged", "not measured"]
    assert table[["outcome", "error", "pit", "crps", "inside"]].isna().all(axis=None)
    assert table["counts"].tolist() == [False, True, True, True]


def test_of_revisions_the_last_one_stated_before_the_run_counts(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    register(replace(forecast, median=3.26), study, target="big")
    study.save_run(run(3.3, datetime.now(UTC) + timedelta(seconds=5)))
    assert score(study)["counts"].tolist() == [False, True]

    study.save_run(run(3.3, datetime.now(UTC) - timedelta(hours=1)))
    late = score(study)
    assert late["stated_before_run"].tolist() == [False, False]
    assert late["counts"].tolist() == [False, False]


def test_a_forecast_behind_the_outcome_in_the_register_was_not_stated_before_it(
    study: Study, forecast: Forecast
) -> None:
    register(forecast, study, target="big")
    study.save_run(run(3.3))
    attach_outcomes(study)
    append(study, replace(forecast, median=3.3))  # what `register` refuses, written by another hand

    table = score(study)

    assert table["outcome"].tolist() == [3.3, 3.3]
    assert table["counts"].tolist() == [True, False]


def test_a_second_outcome_of_a_run_changes_no_score(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    study.save_run(run(3.3))
    attach_outcomes(study)
    path = study.folder / REGISTER
    again = write_outcome(
        number=3, stated=datetime.now(UTC), target="big", output="loss", value=3.25,
        previous=hash_of(path.read_bytes().splitlines()[-1]),
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + again + b"\n")

    assert score(study)["outcome"].tolist() == [3.3]


def append(study: Study, forecast: Forecast) -> None:
    """A whole line behind the last one."""
    path = study.folder / REGISTER
    lines = path.read_bytes().splitlines()
    line = write_record(
        number=len(lines) + 1, stated=datetime.now(UTC), target="big", forecast=forecast, assumptions="",
        fit_path="", previous=hash_of(lines[-1]),
    )  # fmt: skip
    path.write_bytes(b"\n".join([*lines, line, b""]))


@pytest.mark.parametrize(("hours", "before"), [(-5, False), (5, True)])
def test_when_a_run_began_is_read_in_its_own_time_zone(
    study: Study, forecast: Forecast, hours: int, before: bool
) -> None:
    register(forecast, study, target="big")
    zone = timezone(timedelta(hours=-hours))
    study.save_run(run(3.3, datetime.now(zone) + timedelta(hours=hours / 5)))

    assert score(study)["stated_before_run"].tolist() == [before]


def test_a_run_that_does_not_say_when_it_began_leaves_that_open(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    study.save_run(run(3.3))

    assert score(study)["stated_before_run"].isna().tolist() == [True]


def test_no_forecasts_make_an_empty_table_with_the_same_columns(study: Study, forecast: Forecast) -> None:
    empty = score(study)
    register(forecast, study, target="big")

    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, score(study).dtypes)


def test_a_score_is_said_in_plain_words(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    waiting = describe_score(score(study).iloc[0])
    study.save_run(run(3.229))
    within = describe_score(score(study).iloc[0])
    study.save_run(run(3.6, datetime.now(UTC) - timedelta(hours=1)))
    outside = describe_score(score(study).iloc[0])

    assert waiting == "not run yet: no loss to compare with 3.25 nat/token"
    assert within == (
        "inside the 90% interval; 0.021 nat/token (0.65%) too high; "
        "2.1x N, 1x D, 2.1x C beyond the fitted runs"
    )
    assert outside.startswith("outside the 90% interval; 0.35 nat/token (9.7%) too low")
    assert outside.endswith("stated after the run began, so it does not count")


def test_a_point_forecast_is_scored_without_an_interval(study: Study, forecast: Forecast) -> None:
    point = replace(forecast, low=math.nan, high=math.nan, quantiles={}, beyond={"params": 0.5})
    register(point, study, target="big")
    study.save_run(run(3.25))
    row = score(study).iloc[0]

    assert math.isnan(row["pit"])
    assert math.isnan(row["crps"])
    assert describe_score(row) == "no interval was stated; exact; inside the range of the fitted runs"


@pytest.mark.parametrize("outcome", [1.2, 2.0, 2.13])
def test_crps_of_dense_quantiles_is_the_closed_form_of_the_normal(outcome: float) -> None:
    count = 2000
    dense = normal_quantiles(2.0, 0.1, [(i + 0.5) / count for i in range(count)])

    # Tolerance: a cell's width in probability, times the standard deviation.
    assert crps(dense, outcome) == pytest.approx(normal_crps(2.0, 0.1, outcome), abs=0.1 / count)


def test_crps_of_the_quantiles_a_fit_stores_is_that_of_a_normal() -> None:
    stored = normal_quantiles(0.0, 1.0, list(PROBABILITIES))
    outcomes = norm.ppf((np.arange(200) + 0.5) / 200)
    mean = np.mean([crps(stored, float(outcome)) for outcome in outcomes])

    assert mean == pytest.approx(1 / math.sqrt(math.pi), rel=0.003)  # the mean CRPS of a right N(0, 1)
    for outcome in (0.0, 1.0, -2.0):
        assert crps(stored, outcome) == pytest.approx(normal_crps(0.0, 1.0, outcome), rel=0.04)


def test_crps_of_draws_is_their_distance_to_the_outcome_less_half_of_that_to_each_other() -> None:
    draws = np.sort(np.exp(np.random.default_rng(0).normal(1.0, 0.3, 400)))
    quantiles = dict(zip((np.arange(400) + 0.5) / 400, draws, strict=True))
    apart = np.abs(draws[:, None] - draws[None, :]).mean() / 2

    for outcome in (1.0, 2.7, 9.0):  # below, among and above them
        assert crps(quantiles, outcome) == pytest.approx(np.abs(draws - outcome).mean() - apart, rel=2e-3)


def test_crps_of_one_point_is_the_absolute_error() -> None:
    assert crps({0.5: 2.0}, 2.7) == pytest.approx(0.7)
    assert crps({0.1: 2.0, 0.5: 2.0, 0.9: 2.0}, 1.5) == pytest.approx(0.5)


@given(outcome=st.floats(-5, 5), shift=st.floats(0.1, 5))
def test_pit_is_a_probability_that_never_falls_as_the_outcome_rises(outcome: float, shift: float) -> None:
    quantiles = normal_quantiles(0, 1, list(PROBABILITIES))

    assert 0.01 <= pit(quantiles, outcome) <= pit(quantiles, outcome + shift) <= 0.99


@given(outcome=st.floats(-5, 5), mean=st.floats(-3, 3))
def test_a_forecast_centred_on_the_outcome_is_never_scored_worse_than_one_moved_away(
    outcome: float, mean: float
) -> None:
    centred = normal_quantiles(outcome, 1, list(PROBABILITIES))
    moved = normal_quantiles(mean, 1, list(PROBABILITIES))

    assert 0 <= crps(centred, outcome) <= crps(moved, outcome) + 1e-12  # rounding
