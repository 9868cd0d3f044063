"""The commands that judge fits: refit, compare, multiplier, frontier, sources."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.fitting import Fit

Said = pytest.CaptureFixture[str]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two recipes on one grid of sizes and tokens, the new one 1.5 times as good with compute."""
    rng = np.random.default_rng(0)
    rows = []
    for recipe, gain in (("old", 1.0), ("new", 1.5)):
        for n, d in product(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 4)):
            root = np.sqrt(gain)
            loss = 1.69 + 406.4 / (root * n) ** 0.34 + 410.7 / (root * d) ** 0.28
            rows.append((recipe, n, d, loss * np.exp(0.002 * rng.standard_normal())))
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows, columns=["recipe", "params", "tokens", "loss"]).to_csv(path, index=False)
    return path


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """IsoFLOP profiles of three budgets: as few as approach 2 takes."""
    rows = [
        (n, c / 6 / n, c, 1.69 + 406.4 / n**0.34 + 410.7 / (c / 6 / n) ** 0.28)
        for c in (1e18, 1e19, 1e20)
        for n in 0.09 * np.sqrt(c) * np.geomspace(0.1, 10, 7)
    ]
    path = tmp_path / "profiles.csv"
    pd.DataFrame(rows, columns=["params", "tokens", "flops", "loss"]).to_csv(path, index=False)
    return path


@pytest.fixture
def saved(table: Path, tmp_path: Path, capsys: Said) -> Path:
    path = tmp_path / "fit.json"
    assert run(["fit", str(table), "--draws", "50", "--save", str(path)]) == 0
    capsys.readouterr()
    return path


def test_a_saved_fit_comes_out_again_to_the_last_digit(saved: Path, capsys: Said) -> None:
    assert run(["refit", str(saved)]) == 0

    said = capsys.readouterr().out
    assert said.startswith("Identical")
    assert "50 draws" in said


def test_a_fit_of_other_numbers_is_told_from_its_refit(saved: Path, capsys: Said) -> None:
    stored = Fit.load(saved)
    worse = {**stored.coefficients, "alpha": stored.coefficients["alpha"] * (1 + 1e-12)}
    object.__setattr__(stored, "coefficients", worse)
    stored.save(saved)

    assert run(["refit", str(saved), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["stored"]["alpha"] != found["again"]["alpha"]


def test_laws_are_ranked_by_the_runs_held_out(table: Path, capsys: Said) -> None:
    assert run(["compare", str(table), "--where", "recipe = 'old'", "--steps", "1", "--draws", "20"]) == 0

    said = capsys.readouterr().out
    assert said.index("chinchilla") < said.index("log-log line")  # the true form beats a line
    assert "1 " in said


def test_the_compute_multiplier_of_a_recipe_is_found(table: Path, capsys: Said) -> None:
    arguments = ["multiplier", str(table), "--by", "recipe", "--reference", "old", "--draws", "50"]
    assert run([*arguments, "--json"]) == 0

    found = json.loads(capsys.readouterr().out)["table"][0]
    assert found["low"] < 1.5 < found["high"]


def test_the_three_approaches_stand_side_by_side(table: Path, capsys: Said) -> None:
    assert run(["frontier", str(table), "--flops", "1e21", "--draws", "20", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert {row["fit"] for row in found["table"]} | set(found["refused"]) == {
        "approach 1 (envelope)",
        "approach 2 (IsoFLOP)",
        "approach 3 (law)",
    }


def test_what_is_doubtful_about_an_approach_is_said_beside_the_others(profiles: Path, capsys: Said) -> None:
    assert run(["frontier", str(profiles), "--flops", "1e21", "--draws", "20"]) == 0

    said = capsys.readouterr().out
    assert "approach 2 (IsoFLOP): warning: The power laws go through 3 budgets" in said


def test_no_runs_left_are_refused_with_the_filter_that_left_them_out(table: Path, capsys: Said) -> None:
    assert run(["compare", str(table), "--where", "recipe = 'odd'", "--draws", "2"]) == 3
    assert "left out 40 of 40 by not: recipe = 'odd'" in capsys.readouterr().err


def test_sources_name_formats_and_published_tables(capsys: Said) -> None:
    assert run(["sources"]) == 0

    said = capsys.readouterr().out
    assert "nanochat:" in said
    assert "published:hoffmann2022:" in said


def test_an_address_keeps_its_slashes(capsys: Said) -> None:
    assert run(["fit", "published:no_such_table"]) == 2

    assert "no_such_table" in capsys.readouterr().err


OWN_LAW = """
from allometry.laws import Coefficient, law

def scale(name):
    return Coefficient(name=name, meaning="mine", unit="1", low=0.01, high=100.0)

@law(reads=("params", "unique_tokens"), source="mine", coefficients=(scale("E"), scale("A"), scale("a")))
def mine(N, U, *, E, A, a):
    return E + A / (N * U / 1e15) ** a
"""


@pytest.fixture
def own(table: Path, tmp_path: Path, capsys: Said) -> list[str]:
    """A fit by a law of the user's own, of a column without an option of its own, and where that law is."""
    law = tmp_path / "mylaws.py"
    law.write_text(OWN_LAW)
    fit = str(tmp_path / "own.json")
    asked = ["--columns", "tokens=unique_tokens", "--draws", "20", "--save", fit]
    assert run(["fit", str(table), "--law", f"{law}:mine", *asked]) == 0
    capsys.readouterr()
    return [fit, "--law", f"{law}:mine"]


def test_a_law_of_ones_own_is_checked_forecasts_and_comes_out_again(own: list[str], capsys: Said) -> None:
    at = ["--params", "10B", "--at", "unique_tokens=1T"]

    assert run(["check", *own]) == 0
    assert run(["refit", *own]) == 0
    assert run(["forecast", *own, *at]) == 0
    assert "Forecast at 10B params, 1T unique_tokens: loss" in capsys.readouterr().out


def test_without_its_file_a_law_of_ones_own_is_asked_for(own: list[str], capsys: Said) -> None:
    assert run(["check", own[0]]) == 2
    assert "--law FILE.py:mine" in capsys.readouterr().err


def test_an_input_that_the_law_does_not_read_is_refused_and_not_dropped(saved: Path, capsys: Said) -> None:
    assert run(["forecast", str(saved), "--params", "1B", "--tokens", "1T", "--flops", "1e21"]) == 2
    assert "not from 'flops'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "first", "rows"),
    [("floor", "E", 10), ("objective", "objective", 5), ("run", "run", 40), ("worst", "left_out", 6)],
)
def test_the_forecast_is_shown_under_each_choice(
    saved: Path, capsys: Said, to: str, first: str, rows: int
) -> None:
    assert (
        run(["sensitivity", str(saved), "--to", to, "--at", "params=1B", "--at", "tokens=1T", "--json"]) == 0
    )

    found = json.loads(capsys.readouterr().out)
    assert len(found) == rows
    assert {first, "forecast"} <= set(found[0])
    assert all(1.5 < row["forecast"] < 3 for row in found)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["alpha"], "alpha 0.3"),
        (["--at", "params=1B", "--at", "tokens=1T"], "loss 2."),
    ],
)
def test_the_interval_of_a_coefficient_and_of_the_curve_is_stated(
    saved: Path, capsys: Said, asked: list[str], words: str
) -> None:
    assert run(["interval", str(saved), *asked]) == 0

    said = capsys.readouterr().out
    assert said.startswith(words)
    assert "90% interval" in said
