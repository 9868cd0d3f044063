"""Observational laws on made-up families with one ability, and on the public table of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.families import Families, observe_families
from allometry.capabilities.families_components import components_of
from allometry.cli import run
from allometry.errors import FitError, InputError, MissingColumn, TableError
from allometry.runs.importers.table import read_runs
from allometry.runs.run import Runs

SHARED = Path(__file__).parents[3] / "shared" / "data"
METRICS = ["m1", "m2", "m3", "m4"]
WEIGHTS = np.array([0.5, 0.4, 0.3, 0.6])
SLOPES = {"a": 0.10, "b": 0.12, "c": 0.08}


def models(end: float = 1.0) -> Runs:
    """Ability grows by SLOPES with log compute; the target is a logistic of it, up to `end`."""
    rows = []
    for family, slope in SLOPES.items():
        for flops in np.geomspace(1e21, 1e24, 8):
            ability = 0.2 + slope * np.log(flops / 1e21)
            target = 0.2 + (end - 0.2) / (1 + np.exp(-10 * (ability - 0.6)))
            scores = dict(zip(METRICS, 0.1 + WEIGHTS * ability, strict=True))
            rows.append({"family": family, "flops": flops, "target": target, **scores})
    return Runs(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def found() -> Families:
    return observe_families(
        models(0.6), METRICS, target="target", train="flops <= 6e22", components=1, reference="a",
        chance=0.2, draws=10,
    )  # fmt: skip


def test_one_ability_is_one_component_and_rises_with_compute_as_made() -> None:
    made = observe_families(models(), METRICS, components=1)

    length = float(np.linalg.norm(WEIGHTS))
    slopes = made.lines.set_index("family")["slope"]
    assert made.components.shares[0] == pytest.approx(1.0)
    assert made.components.directions[0] == pytest.approx(WEIGHTS / length)
    assert dict(slopes) == pytest.approx({name: slope * length for name, slope in SLOPES.items()})


def test_compute_is_expressed_on_the_scale_of_the_reference(found: Families) -> None:
    row = found.table[(found.table["family"] == "b") & (found.table["flops"] > 9e23)].iloc[0]

    # Equal ability: 0.10 ln(C / 1e21) = 0.12 ln(1e24 / 1e21).
    assert row["equivalent_flops"] == pytest.approx(1e21 * np.exp(1.2 * np.log(1e3)), rel=1e-6)


def test_what_the_largest_model_of_a_family_counts_as_is_said(found: Families) -> None:
    (line,) = [line.split() for line in found.summary().splitlines() if line.strip().startswith("b ")]

    assert [float(word) for word in line[-2:]] == pytest.approx([1e24, 1e21 * 1e3**1.2], rel=0.01)


def test_components_see_the_training_split_alone(found: Families) -> None:
    runs = models(0.6)
    late = runs.table["flops"] > 6e22
    spoiled = runs.table.assign(m1=runs.table["m1"].where(~late, 0.0))

    other = observe_families(Runs(spoiled), METRICS, train="flops <= 6e22", components=1, reference="a")

    assert other.components.directions.tolist() == found.components.directions.tolist()


def test_a_score_that_ends_below_1_makes_the_two_ends_disagree(found: Families) -> None:
    assert found.fixed is not None
    assert found.free is not None
    assert found.free.end == pytest.approx(0.6, abs=1e-3)
    assert found.fixed.end == 1.0
    assert [one.code for one in found.findings] == ["ends_disagree"]
    assert found.errors()["free"] < 0.01 < found.errors()["fixed"]


def test_a_score_that_ends_at_1_lets_them_agree() -> None:
    made = observe_families(
        models(), METRICS, target="target", train="flops <= 2e23", components=1, chance=0.2, draws=3
    )

    assert [one.code for one in made.findings] == ["ends_agree"]
    assert max(made.errors().values()) < 0.01


def test_missing_scores_are_filled_in_from_the_components() -> None:
    rng = np.random.default_rng(0)
    scores = 0.5 + np.outer(rng.standard_normal(40), WEIGHTS) / 10
    holes = scores.copy()
    holes[[3, 11, 20], [0, 1, 2]] = np.nan

    made = components_of(holes, METRICS, 1)

    assert made.filled == 3
    assert made.place(holes) == pytest.approx(components_of(scores, METRICS, 1).place(scores), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"family": "one"}, FitError, "fit a law of its compute"),
        ({"m1": 71.0}, TableError, "Divide percentages by 100"),
        ({"flops": None}, MissingColumn, "has no 'flops'"),
    ],
)
def test_impossible_tables_get_a_sentence_with_the_way_out(
    change: dict[str, Any], error: type[Exception], words: str
) -> None:
    table = models().table
    for column, value in change.items():
        table = table.drop(columns=column) if value is None else table.assign(**{column: value})

    with pytest.raises(error, match=words):
        observe_families(Runs(table), METRICS)


def test_a_target_among_the_metrics_is_refused() -> None:
    with pytest.raises(InputError, match="forecast itself"):
        observe_families(models(), METRICS, target="m1")


def test_a_target_far_below_guessing_is_refused() -> None:
    with pytest.raises(TableError, match=r"'target' is .*; guessing scores 0.3"):
        observe_families(models(), METRICS, target="target", components=1, chance=0.3)


def test_the_command_says_both_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(0.6).table.to_csv(tmp_path / "models.csv", index=False)
    words = [word for name in METRICS for word in ("--metric", name)]
    words += [
        "--target",
        "target",
        "--train",
        "flops <= 6e22",
        "--components",
        "1",
        "--draws",
        "3",
        "--chance",
        "0.2",
    ]

    picture = ["--plot", str(tmp_path / "ends.svg")]
    assert run(["capability", "families", str(tmp_path / "models.csv"), *words, *picture, "--json"]) == 0
    assert "target with the upper end at 1" in (tmp_path / "ends.svg").read_text()

    said = json.loads(capsys.readouterr().out)
    assert said["findings"][0]["code"] == "ends_disagree"
    assert said["lines"][0]["models"] == 5


BENCHMARKS = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "XWinograd", "HumanEval"]


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Runs:
    if not SHARED.is_dir():
        pytest.skip(f"the public tables are not at {SHARED}")
    monkeypatch.setenv("ALLOMETRY_DATA", str(SHARED))
    return read_runs("published:obs_scaling")


@pytest.mark.public_data
def test_public_scores_have_the_published_components(public: Runs) -> None:
    metrics = [*BENCHMARKS, "GSM8K"]
    whole = Runs(public.table.dropna(subset=metrics).reset_index(drop=True))

    made = observe_families(whole, metrics, family="Model Family")

    assert made.components.shares[0] == pytest.approx(0.85, abs=0.01)  # published as "about" whole percents
    assert made.components.shares[:3].sum() == pytest.approx(0.97, abs=0.01)


@pytest.mark.public_data
def test_the_fitted_end_of_gsm8k_lies_below_what_larger_models_reach(public: Runs) -> None:
    made = observe_families(
        public, BENCHMARKS, family="Model Family", target="GSM8K", train="flops <= 8.4e22", draws=2
    )

    assert made.free is not None
    assert made.free.end < 0.7
    assert made.table.loc[~made.table["trained"], "target"].max() > 0.8
    assert "ends_disagree" in [one.code for one in made.findings]
