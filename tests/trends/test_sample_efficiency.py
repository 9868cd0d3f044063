"""Tokens to a target: the closed form, never, scores, trends over recipes, and ratios the user defines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import FitError, InputError
from allometry.plots.sample_efficiency import tokens_to_target
from allometry.runs.run import Runs
from allometry.trends.intelligence import intelligence_per
from allometry.trends.sample_efficiency import SampleEfficiency, tokens_to_reach

TOKENS = np.geomspace(1e8, 1e10, 7)
YEARS = (2020, 2021, 2022, 2023)


def recipes(scatter: float = 0.0) -> pd.DataFrame:
    """Each year's recipe needs half of the tokens for the same loss."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({
            "recipe": f"of {year}", "year": year, "tokens": TOKENS,
            "loss": (2 + 400 * (2.0 ** (year - 2020) * TOKENS) ** -0.3)
            * np.exp(scatter * rng.standard_normal(len(TOKENS))),
        })
        for year in YEARS
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def exact() -> SampleEfficiency:
    return tokens_to_reach(Runs(recipes()), 2.5, date="year", draws=20)


def test_the_tokens_are_those_of_the_closed_form(exact: SampleEfficiency) -> None:
    # 2.5 = 2 + 400 (k D)^-0.3
    first = (400 / 0.5) ** (1 / 0.3)

    assert exact.table["tokens"].tolist() == pytest.approx([first, first / 2, first / 4, first / 8], rel=1e-3)
    assert exact.table["multiplier"].tolist() == pytest.approx([1, 2, 4, 8], rel=1e-3)


def test_the_trend_over_recipes_is_their_halving(exact: SampleEfficiency) -> None:
    assert exact.trend is not None
    assert exact.trend.doublings.value == pytest.approx(-1, abs=1e-3)
    assert "tokens_needed halves every 365 days" in exact.summary()


def test_a_target_below_the_floor_is_never_reached() -> None:
    made = tokens_to_reach(Runs(recipes().query("year == 2020")), 1.9, draws=20)

    assert made.table["tokens"].tolist() == [np.inf]
    assert made.table["never"].tolist() == [1]
    assert "never" in made.summary()


def test_noise_gives_intervals_that_hold_the_truth_and_recipes_do_not_share_their_luck() -> None:
    made = tokens_to_reach(Runs(recipes(0.003).query("year < 2022")), 2.5, draws=100, level=0.98)

    low, high = made.table[["low", "high"]].iloc[0]
    assert low < (400 / 0.5) ** (1 / 0.3) < high
    assert made.table["multiplier_low"].iloc[1] < 2 < made.table["multiplier_high"].iloc[1]
    one, other = (np.log(drawn) for drawn in made.draws.values())
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.35


def test_a_reference_that_gets_there_in_some_draws_only_leaves_a_multiplier_without_an_end() -> None:
    made = tokens_to_reach(Runs(recipes(0.008).query("year < 2022")), 2.03, draws=40)

    assert made.table["never"].between(0, 1, inclusive="neither").all()
    assert made.table["multiplier_high"].iloc[1] == np.inf
    # The reference against itself: draws in which neither gets there have no ratio, not an endless one.
    assert made.table[["multiplier_low", "multiplier_high"]].iloc[0].tolist() == [1, 1]


def test_the_chart_marks_where_each_curve_meets_the_target(exact: SampleEfficiency) -> None:
    rows = [row for part in tokens_to_target(exact).to_dict()["datasets"].values() for row in part]

    met = {row["recipe"]: row for row in rows if row.get("shown")}
    assert {name: row["tokens"] for name, row in met.items()} == dict(
        exact.table[["recipe", "tokens"]].to_numpy().tolist()
    )
    tokens = np.array([met["of 2020"]["tokens"]])
    assert exact.curve("of 2020", tokens) == pytest.approx([2.5])
    assert len([row for row in rows if "recipe" not in row and row.get("x") in TOKENS]) >= 28


def test_the_chart_of_recipes_that_never_get_there_has_no_star() -> None:
    made = tokens_to_reach(Runs(recipes().query("year == 2020")), 1.9, draws=10)
    spec = tokens_to_target(made).to_dict()

    assert not any(row.get("shown") for part in spec["datasets"].values() for row in part)
    assert "NaN" not in json.dumps(spec)


def test_a_score_is_reached_where_what_is_missing_to_one_has_fallen() -> None:
    table = recipes().query("year == 2020").assign(score=lambda runs: 1 - (runs["loss"] - 1.9) / 10)
    made = tokens_to_reach(Runs(table), 1 - 0.06, output="score", score=True, draws=20)

    assert made.table["tokens"].iloc[0] == pytest.approx((400 / 0.5) ** (1 / 0.3), rel=1e-3)


def test_a_law_of_size_and_tokens_is_read_at_a_size() -> None:
    params, tokens = (one.ravel() for one in np.meshgrid(np.geomspace(1e7, 1e9, 4), TOKENS))
    loss = 1.7 + 400 * params**-0.34 + 400 * tokens**-0.28
    table = pd.DataFrame({"recipe": "base", "params": params, "tokens": tokens, "loss": loss})

    made = tokens_to_reach(Runs(table), 3.0, law="chinchilla", at={"params": 1e9}, draws=10)
    expected = (400 / (3.0 - 1.7 - 400 * 1e9**-0.34)) ** (1 / 0.28)
    assert made.table["tokens"].iloc[0] == pytest.approx(expected, rel=0.01)
    with pytest.raises(InputError, match="reads params beside tokens"):
        tokens_to_reach(Runs(table), 3.0, law="chinchilla", draws=10)


def test_wrong_input_gets_a_sentence() -> None:
    runs = Runs(recipes().query("year == 2020"))
    with pytest.raises(InputError, match="between 0 and 1, not at 80"):
        tokens_to_reach(runs, 80, score=True)
    with pytest.raises(InputError, match=r"Row 1: loss is .* a score lies in \[0, 1\)"):
        tokens_to_reach(runs, 0.8, score=True)
    with pytest.raises(InputError, match="above zero, not at -1"):
        tokens_to_reach(runs, -1)
    with pytest.raises(FitError):
        tokens_to_reach(Runs(runs.table.head(2)), 2.5)
    with pytest.raises(InputError, match="no curve of 'new'"):
        tokens_to_reach(runs, 2.5, reference="new", draws=10)


def test_what_a_watt_buys_is_as_the_user_defines_it() -> None:
    years = np.arange(2018, 2024.0)
    table = pd.DataFrame({"year": years, "score": 2.0 ** (years - 2018), "rate": 3.0, "watts": 2.0})

    made = intelligence_per(Runs(table), "score * rate", "watts", draws=10)
    assert made.series.values.tolist() == [1.5, 3, 6, 12, 24, 48]
    assert made.trend.doublings.value == pytest.approx(1)
    with pytest.raises(InputError, match="Cannot compute"):
        intelligence_per(Runs(table), "skore", "watts")


def test_the_command_draws_what_a_watt_buys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    years = np.arange(2018, 2024.0)
    table = pd.DataFrame({"year": years, "score": 2.0 ** (years - 2018), "watts": 2.0})
    table.to_csv(tmp_path / "devices.csv", index=False)
    words = ["trend", "intelligence", str(tmp_path / "devices.csv"), "score", "--per", "watts"]

    assert run([*words, "--draws", "10", "--plot", str(tmp_path / "bought.svg")]) == 0
    assert "score per watts: what it may do next" in (tmp_path / "bought.svg").read_text()
    assert "doubles every 365 days" in capsys.readouterr().out


def test_the_command_prints_the_tokens_of_each_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes().query("year < 2022").to_csv(tmp_path / "runs.csv", index=False)

    words = ["trend", "sample-efficiency", str(tmp_path / "runs.csv"), "2.5", "--draws", "10", "--json"]
    assert run([*words, "--plot", str(tmp_path / "tokens.svg")]) == 0
    assert "Tokens to a loss of 2.5" in (tmp_path / "tokens.svg").read_text()
    rows = json.loads(capsys.readouterr().out)["recipes"]
    assert [row["recipe"] for row in rows] == ["of 2020", "of 2021"]
