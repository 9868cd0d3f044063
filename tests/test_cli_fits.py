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


def test_sources_name_formats_and_published_tables(capsys: Said) -> None:
    assert run(["sources"]) == 0

    said = capsys.readouterr().out
    assert "nanochat:" in said
    assert "published:hoffmann2022:" in said


def test_an_address_keeps_its_slashes(capsys: Said) -> None:
    assert run(["fit", "published:no_such_table"]) == 2

    assert "no_such_table" in capsys.readouterr().err
