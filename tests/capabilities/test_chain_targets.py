"""From a target score back to its loss, on a chain whose laws are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.chain import Chain, chain
from allometry.capabilities.chain_steps import Steps
from allometry.capabilities.chain_targets import loss_for
from allometry.cli import run
from allometry.errors import InputError
from allometry.runs.run import Runs

MIDDLE, SLOPE, CHANCE = 0.75, 6.0, 0.25


def table() -> pd.DataFrame:
    params = np.repeat(np.geomspace(2e8, 1.3e9, 4), 4)
    tokens = params * np.tile([10.0, 20.0, 40.0, 100.0], 4)
    loss = 0.5 + 60 / params**0.3 + 60 / tokens**0.3
    rng = np.random.default_rng(0)
    score = 1 - (1 - CHANCE) / (1 + np.exp(-SLOPE * (loss - MIDDLE))) + 0.002 * rng.standard_normal(16)
    guessed = CHANCE + 0.01 * np.tile([1.0, -1.0], 8)
    return pd.DataFrame({"params": params, "tokens": tokens, "loss": loss, "acc": score, "guessed": guessed})


@pytest.fixture(scope="module")
def found() -> Chain:
    chances = {"acc": CHANCE, "guessed": CHANCE}
    return chain(Runs(table()), ["acc", "guessed"], chance=chances, steps=Steps(draws=12))


def test_the_loss_of_a_score_is_where_the_curve_comes_to_it(found: Chain) -> None:
    target = loss_for(found.tasks["acc"], 0.7)

    # 0.7 = 1 - 0.75 / (1 + exp(-6 (L - 0.75))) at L = 0.75 - ln(1.5) / 6
    assert target.loss.value == pytest.approx(0.75 - np.log(1.5) / 6, abs=0.01)
    assert target.loss.low < target.loss.value < target.loss.high
    assert target.reachable == 1.0
    back = found.tasks["acc"].score.law.evaluate(
        {"loss": target.loss.value}, found.tasks["acc"].score.coefficients
    )
    assert float(back) == pytest.approx(0.7, abs=1e-12)


def test_a_score_beyond_the_end_of_the_curve_is_at_no_loss(found: Chain) -> None:
    acc = found.tasks["acc"]
    ends = {"b": 0.65, "a": CHANCE - 0.65}
    assert acc.score.draws is not None
    drawn = acc.score.draws.assign(**ends)
    lower = replace(acc.score, coefficients={**acc.score.coefficients, **ends}, draws=drawn)

    target = loss_for(replace(acc, score=lower), 0.7)

    assert np.isnan(target.loss.value)
    assert target.reachable == 0.0
    assert "beyond the end" in target.summary()


@pytest.mark.parametrize(
    ("task", "score", "words"),
    [
        ("acc", 1.5, "between 0 and 1"),
        ("acc", 0.2, "Guessing already brings 0.25"),
        ("guessed", 0.7, "at chance"),
    ],
)
def test_what_cannot_be_asked_is_refused(found: Chain, task: str, score: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        loss_for(found.tasks[task], score)


def test_the_command_goes_on_to_the_least_compute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.csv"
    table().to_csv(path, index=False)
    how = ("--task", "acc", "--chance", "0.25", "--draws", "12", "--json")

    assert run(["capability", "reach", str(path), "0.7", *how]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["plan"]["loss"]["value"] == pytest.approx(said["target"]["loss"]["value"], abs=0.01)
    assert said["plan"]["requirements"]["reachable"] > 0.5
