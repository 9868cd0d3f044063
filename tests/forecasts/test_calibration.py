"""The track record counts what was promised against what came, over many studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm

from allometry.errors import ForecastError
from allometry.fitting.prediction import PROBABILITIES
from allometry.fitting.result import Forecast
from allometry.forecasts.calibration import Calibration, calibration
from allometry.forecasts.register import register
from allometry.forecasts.scoring import pit
from allometry.plots.calibration import calibration_chart
from allometry.runs.run import Run
from allometry.runs.study import Study


def judged(pits: Sequence[float], outcome: float = 2.0) -> Calibration:
    """A record of forecasts that gave these probabilities to lower outcomes."""
    same = {"study": "s", "outcome": outcome, "error_percent": 1.0, "crps": 0.02, "widest_level": 0.98}
    rows = [{**same, "target": f"r{number}", "pit": given} for number, given in enumerate(pits)]
    return Calibration(pd.DataFrame(rows))


def even(count: int) -> list[float]:
    return [(place + 0.5) / count for place in range(count)]


def test_forecasts_over_many_studies_are_judged_together(tmp_path: Path, forecast: Forecast) -> None:
    stated = replace(forecast, quantiles={p: 3.25 + 0.1 * float(norm.ppf(p)) for p in PROBABILITIES})
    studies = [Study.create(tmp_path / name, f'name = "{name}"') for name in ("one", "two")]
    for study, outcome in zip(studies, (3.2, 3.6), strict=True):
        register(stated, study, target="big")
        register(stated, study, target="waiting")
        study.save_run(Run(run_id="big", status="done", values={"loss": outcome}))

    made = calibration(studies)

    # 3.2 lies half a standard deviation below the median and 3.6 three and a half above it.
    assert [(one.inside, one.total) for one in made.coverage] == [(1, 2)] * 4
    assert set(made.scores["study"]) == {"one", "two"}
    assert "Forecasts with an outcome: 2; studies: 2" in made.summary()


def test_right_forecasts_agree_at_every_level() -> None:
    assert all(one.agrees for one in judged(even(40)).coverage)
    assert [one.inside for one in judged(even(40)).coverage] == [20, 32, 36, 38]


@pytest.mark.parametrize(
    ("pits", "words"),
    [([0.01, 0.99] * 10, "held 0 of 20 outcomes: too narrow"),
     ([0.45, 0.55] * 10, "50% intervals held 20 of 20 outcomes: too wide")],
)  # fmt: skip
def test_intervals_too_narrow_and_too_wide_are_told_apart(pits: list[float], words: str) -> None:
    assert words in judged(pits).summary()


def test_the_range_of_a_share_is_that_of_clopper_and_pearson() -> None:
    none_of_twenty = judged([0.001] * 20).coverage[2]

    # Of 0 in n the upper end is 1 - (alpha / 2)^(1 / n).
    assert none_of_twenty.high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert none_of_twenty.low == 0


def test_a_level_is_judged_by_the_forecasts_whose_quantiles_reach_it(
    tmp_path: Path, forecast: Forecast
) -> None:
    study = Study.create(tmp_path / "study", 'name = "study"')
    for target, reach, outcome in (("above", 0.05, 9.0), ("below", 0.05, 1.0), ("wide", 0.01, 9.0)):
        stated = {p: 3.25 + 0.1 * float(norm.ppf(p)) for p in (reach, 0.5, 1 - reach)}
        register(replace(forecast, quantiles=stated), study, target=target)
        study.save_run(Run(run_id=target, status="done", values={"loss": outcome}))

    held = {one.level: (one.inside, one.total) for one in calibration([study]).coverage}

    # Quantiles from 5% to 95% say nothing of a 95% interval, and so not that it held.
    assert held == {0.5: (0, 3), 0.8: (0, 3), 0.9: (0, 3), 0.95: (0, 1)}


def test_calibrated_forecasts_give_even_pits_and_overconfident_ones_do_not() -> None:
    # A forecaster who knows the mean and the spread around it; the other believes in half the spread.
    outcomes = np.random.default_rng(0).normal(3.0, 0.1, 400)
    deviations = np.array([float(norm.ppf(p)) for p in PROBABILITIES])
    shares = {
        believed: [pit(dict(zip(PROBABILITIES, 3 + believed * deviations, strict=True)), y) for y in outcomes]
        for believed in (0.1, 0.05)
    }

    right, sure = judged(shares[0.1]), judged(shares[0.05])

    assert kstest(shares[0.1], "uniform").pvalue > 0.05
    assert all(one.agrees for one in right.coverage)
    assert not any(one.agrees for one in sure.coverage)
    # Half the spread: the 90% interval is one of +-0.82 standard deviations.
    expected = norm.cdf(norm.ppf(0.95) / 2) * 2 - 1
    assert sure.coverage[2].share == pytest.approx(expected, abs=2 * np.sqrt(expected * (1 - expected) / 400))


def test_runs_that_diverged_are_counted_beside_the_outcomes(study: Study, forecast: Forecast) -> None:
    for target in ("big", "wild"):
        register(forecast, study, target=target)
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.3}))
    study.save_run(Run(run_id="wild", status="diverged"))

    said = calibration([study]).summary()

    assert "Forecasts with an outcome: 1" in said
    assert "runs that diverged, so that their forecasts are not judged: 1" in said


def test_of_the_forecasts_for_one_run_the_last_one_before_it_is_judged(
    study: Study, forecast: Forecast
) -> None:
    for median in (3.0, 3.3, 3.6):
        register(replace(forecast, median=median), study, target="big")
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.6}))

    assert calibration([study]).scores["median"].tolist() == [3.6]


def test_a_record_without_outcomes_says_how_to_get_one(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")

    with pytest.raises(ForecastError, match="No forecast here has an outcome yet"):
        calibration([study])


@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_chart_shows_a_dot_for_each_forecast(count: int) -> None:
    drawn = calibration_chart(judged(even(count))).to_dict()

    assert drawn["title"]["text"].startswith("90% intervals held")
    assert len(drawn["datasets"][drawn["layer"][-1]["data"]["name"]]) == count
