"""Prices of a score over time: known answers, the frontier, and what is flagged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from allometry.cli import run
from allometry.errors import FitError, InputError, MissingColumn
from allometry.plots import prices_over_time
from allometry.runs.run import Runs
from allometry.trends.prices import price_trends

DAYS = np.array([0, 200, 420, 600, 900, 1100, 1300])


def models(factor: float = 10.0, scatter: float = 0.3) -> pd.DataFrame:
    """A model every few months, at prices that fall by a factor in 365 days; dear ones of the same score."""
    noise = scatter * np.sin(7 * DAYS)
    dates = pd.Timestamp("2021-03-01") + pd.to_timedelta(DAYS, unit="D")
    cheap = pd.DataFrame({
        "model": list("abcdefg"), "date": dates.strftime("%Y-%m-%d"),
        "usd": 60 * factor ** (-DAYS / 365) * np.exp(noise), "score": [50.0, 60, 60, 70, 70, 80, 80],
    })  # fmt: skip
    return pd.concat([cheap, cheap.assign(usd=cheap["usd"] * 30, model="dear")])


def test_an_exact_fall_is_found_exactly_and_dear_models_do_not_count() -> None:
    found = price_trends(Runs(models(10, 0)), price="usd", score="score", thresholds=[50])

    (one,) = found.trends
    assert one.series.labels == tuple("abcdefg")
    assert one.factor.value == pytest.approx(10, rel=1e-9)


def test_the_interval_is_that_of_the_regression_on_days() -> None:
    table = models().query("model != 'dear'")
    one = price_trends(Runs(table), price="usd").trends[0]

    line = linregress(DAYS, np.log(table["usd"]))
    half = 2.0150483733 * line.stderr  # t, 5 degrees of freedom, 95%
    assert one.factor.value == pytest.approx(np.exp(-365 * line.slope))
    assert one.factor.low == pytest.approx(np.exp(-365 * (line.slope + half)))
    assert one.factor.high == pytest.approx(np.exp(-365 * (line.slope - half)))


def test_a_model_as_dear_as_the_last_does_not_make_the_score_cheaper() -> None:
    table = pd.DataFrame({"year": [2020, 2021, 2021.5, 2022, 2022, 2023], "usd": [8.0, 4, 4, 3, 2, 1]})
    one = price_trends(Runs(table), price="usd").trends[0]

    assert one.series.values.tolist() == [8, 4, 2, 1]


def test_a_higher_score_leaves_fewer_models_and_is_declined_below_four() -> None:
    found = price_trends(Runs(models()), price="usd", score="score", thresholds=[50, 60, 80])

    assert found.table["points"].tolist() == [7, 6]
    assert list(found.declined) == ["score at 80 or more"]
    assert "needs 4 dated points or more" in found.declined["score at 80 or more"]
    assert "no_trend_of_some" in {one.code for one in found.findings}


def test_fewer_than_six_points_the_same_fit_twice_and_shared_points_are_said() -> None:
    few = models().query("model in ['a', 'b', 'c', 'd', 'e']")
    table = pd.concat([few.assign(bench="one"), few.assign(bench="two"), models().assign(bench="three")])
    found = price_trends(Runs(table), price="usd", by=["bench"])

    said = {one.code: one.sentence for one in found.findings}
    assert said["few_points"] == "Fewer than 6 points: one (5), two (5)."
    assert "'one' and 'two' go through the same points" in said["same_fit"]
    assert "3 of 3 trends share" in said["points_shared"]
    assert "fewer than 6 points" in found.summary()


def test_a_price_that_may_not_fall_is_said() -> None:
    table = pd.DataFrame({"year": [2020, 2020.1, 2020.2, 2024], "usd": [8.0, 4, 2, 1.9]})

    assert "no_trend" in {one.code for one in price_trends(Runs(table), price="usd").findings}


def test_wrong_input_gets_a_sentence() -> None:
    runs = Runs(models())
    with pytest.raises(InputError, match="needs both"):
        price_trends(runs, price="usd", score="score")
    with pytest.raises(FitError, match="needs 4 dated points"):
        price_trends(runs, price="usd", score="score", thresholds=[99])
    with pytest.raises(MissingColumn, match="no 'cost'"):
        price_trends(runs, price="cost")
    with pytest.raises(InputError, match="is no date; write it like"):
        price_trends(Runs(models().assign(date="03/04/2024")), price="usd")
    with pytest.raises(InputError, match="There is no trend 'x'"):
        price_trends(runs, price="usd")["x"]


def test_the_command_prints_the_factor_and_saves_the_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models(10, 0).to_csv(tmp_path / "models.csv", index=False)
    words = ["trend", "prices", str(tmp_path / "models.csv"), "--price", "usd", "--score", "score"]

    code = run([*words, "--threshold", "50", "--plot", str(tmp_path / "prices.svg"), "--json"])

    (row,) = json.loads(capsys.readouterr().out)["prices"]
    assert (code, row["factor"]) == (0, pytest.approx(10))
    assert "50 or more: 10× (10× to 10×), n = 7" in (tmp_path / "prices.svg").read_text()


def test_the_chart_has_a_colour_a_score_and_says_what_it_leaves_out() -> None:
    found = price_trends(Runs(models()), price="usd", score="score", thresholds=[50, 60])

    chart = prices_over_time(found, most=1).to_dict()
    assert chart["title"]["subtitle"][-1] == "1 more score left out of the picture."
    assert len(chart["layer"]) == 2
