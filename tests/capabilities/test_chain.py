"""Chains from loss to task on ladders with known laws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from allometry.capabilities.chain import Chain, chain
from allometry.capabilities.chain_forecast import chained
from allometry.capabilities.chain_recipes import TaskForecasts, forecast_tasks
from allometry.capabilities.chain_steps import Steps
from allometry.capabilities.chain_tasks import Task
from allometry.cli import run
from allometry.errors import FitError, InputError, MissingColumn, TableError
from allometry.laws import chinchilla
from allometry.runs.run import Runs

LAW = {"E": 0.5, "A": 60.0, "B": 60.0, "alpha": 0.3, "beta": 0.3}
MIDDLE, SLOPE, CHANCE = 0.75, 6.0, 0.25
TARGET = {"params": 4e9, "tokens": 8e10}
CHANCES = {"acc": CHANCE, "guessed": CHANCE}
FEW = Steps(draws=12)
Ladder = Callable[..., Runs]


def loss_of(params: ArrayLike, tokens: ArrayLike) -> np.ndarray:
    return np.asarray(chinchilla.evaluate({"params": params, "tokens": tokens}, LAW))


def score_of(loss: np.ndarray) -> np.ndarray:
    return 1 - (1 - CHANCE) / (1 + np.exp(-SLOPE * (loss - MIDDLE)))


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    """Make four sizes at four horizons with noise of both steps."""

    def make(noise: float = 0.0, seed: int = 0) -> Runs:
        rng = np.random.default_rng(seed)
        params = np.repeat(np.geomspace(2e8, 1.3e9, 4), 4)
        tokens = params * np.tile([10.0, 20.0, 40.0, 100.0], 4)
        loss = loss_of(params, tokens) * np.exp(noise * rng.standard_normal(16))
        score = score_of(loss) + noise * rng.standard_normal(16)
        guesses = CHANCE + 0.01 * np.tile([1.0, -1.0], 8)
        table = {"params": params, "tokens": tokens, "loss": loss, "acc": score, "guessed": guesses}
        return Runs(pd.DataFrame(table))

    return make


@pytest.fixture(scope="module")
def found(ladder: Ladder) -> Chain:
    return chain(ladder(0.01), ["acc", "guessed"], chance=CHANCES, steps=FEW)


@pytest.fixture(scope="module")
def recipes(ladder: Ladder) -> TaskForecasts:
    """The second recipe's scores are 0.05 lower throughout."""
    table = ladder(0.002).table
    worse = table.assign(acc=table["acc"] - 0.05, mix="web")
    both = pd.concat([table.assign(mix="books"), worse], ignore_index=True)
    return forecast_tasks(Runs(both), ["acc"], TARGET, by="mix", steps=FEW)


def test_without_noise_the_chain_is_the_true_law(ladder: Ladder) -> None:
    forecast = chain(ladder(), ["acc"], steps=Steps(draws=4)).tasks["acc"].forecast(**TARGET)

    truth = float(score_of(loss_of(**TARGET)))
    assert forecast.median == pytest.approx(truth, abs=1e-4)
    assert forecast.high - forecast.low < 1e-3


@pytest.mark.slow
def test_intervals_hold_the_score_of_a_new_noisy_run(ladder: Ladder) -> None:
    inside = []
    for seed in range(3):
        forecast = chain(ladder(0.01, seed), ["acc"], steps=FEW).tasks["acc"].forecast(**TARGET)
        rng = np.random.default_rng(100 + seed)
        losses = loss_of(**TARGET) * np.exp(0.01 * rng.standard_normal(200))
        scores = score_of(losses) + 0.01 * rng.standard_normal(200)
        inside.append(np.mean((forecast.low <= scores) & (scores <= forecast.high)))

    assert 0.8 < np.mean(inside) < 1.0


def test_a_step_one_that_knows_nothing_widens_the_forecast(found: Chain) -> None:
    one = found.tasks["acc"]
    draws = one.loss.draws
    assert draws is not None
    sure = replace(one.loss, draws=draws.assign(**one.loss.coefficients))

    known, unknown = (chained(loss, one.score, TARGET) for loss in (sure, one.loss))

    assert known.width["loss law"] == 0
    assert unknown.width["loss law"] > 0.05
    assert known.high - known.low < unknown.high - unknown.low


def test_the_rule_calls_a_task_predictable_and_declines_guesses(found: Chain) -> None:
    says = found.verdicts().set_index("task")["says"]
    rows = found.forecasts(**TARGET).set_index("task")

    assert dict(says) == {"acc": "predictable", "guessed": "at chance"}
    assert np.isnan(rows["forecast"]["guessed"])
    assert "at chance" in rows["declined"]["guessed"]
    with pytest.raises(InputError, match="measure larger runs"):
        found.tasks["guessed"].forecast(**TARGET)


def test_every_task_is_said_with_what_decided_and_the_part_of_step_one(recipes: TaskForecasts) -> None:
    chain_of = recipes.chains["web"].tasks["acc"]
    width = chain_of.forecast(**TARGET).width
    part = width["loss law"] + width["noise of the loss"]

    (line,) = [line for line in recipes.summary().splitlines() if line.startswith("  web, acc: ")]

    assert line.startswith(
        f"  web, acc: predictable, as the back-test is off by {chain_of.verdict.backtest:.3f}"
    )
    assert line.endswith(f"step one makes {part:.0%} of the squared width")
    assert 0 < part < 1


def test_a_score_that_the_loss_does_not_explain_is_not_yet_predictable(ladder: Ladder) -> None:
    table = ladder(0.01).table
    luck = 0.4 + 0.1 * np.random.default_rng(0).standard_normal(len(table))

    verdicts = chain(Runs(table.assign(luck=luck)), ["luck"], chance={"luck": 0.0}, steps=FEW).verdicts()

    assert list(verdicts["says"]) == ["not yet"]


def test_checkpoints_of_a_run_add_no_evidence(ladder: Ladder, found: Chain) -> None:
    final = ladder(0.01).table.assign(run_id=[f"row {row}" for row in range(1, 17)])
    early = final.assign(tokens=final["tokens"] / 2, loss=9.9, acc=0.99)

    both = Runs(pd.concat([early, final], ignore_index=True))
    with_early = chain(both, ["acc"], chance={"acc": CHANCE}, steps=FEW).tasks["acc"].forecast(**TARGET)

    assert with_early.quantiles == found.tasks["acc"].forecast(**TARGET).quantiles


@pytest.mark.slow
def test_tasks_with_the_same_loss_share_step_one(ladder: Ladder) -> None:
    table = ladder(0.01).table
    gaps = table.assign(other=table["acc"], partly=table["acc"].where(table.index != 3))

    tasks = chain(Runs(gaps), ["acc", "other", "partly"], steps=Steps(draws=2)).tasks

    assert tasks["acc"].loss is tasks["other"].loss
    assert len(tasks["partly"].loss.data) == 15


def test_an_error_column_mirrors_its_score(ladder: Ladder) -> None:
    runs = ladder()
    mirrored = Runs(runs.table.assign(wrong=1 - runs.table["acc"]))

    wrong = chain(mirrored, [Task(score="wrong", chance=0.75, falls=True)], steps=Steps(draws=4))

    assert wrong.tasks["wrong"].forecast(**TARGET).median == pytest.approx(
        1 - float(score_of(loss_of(**TARGET))), abs=1e-4
    )
    assert list(wrong.verdicts()["says"]) == ["predictable"]


def test_the_exponential_law_of_errors_is_a_step_two_too(ladder: Ladder) -> None:
    table = ladder().table
    steps = Steps(task_law="task_exponential", draws=4)
    runs = Runs(table.assign(wrong=0.85 - 2.0 * np.exp(-2.0 * table["loss"])))

    made = chain(runs, [Task(score="wrong", falls=True)], steps=steps).tasks["wrong"].forecast(**TARGET)

    assert made.median == pytest.approx(0.85 - 2.0 * np.exp(-2.0 * float(loss_of(**TARGET))), abs=1e-4)


def test_images_and_another_law_do_as_well_as_tokens(ladder: Ladder) -> None:
    runs = Runs(ladder().table.rename(columns={"tokens": "images", "loss": "pixel_loss"}))
    steps = Steps(inputs={"tokens": "images"}, along="images", draws=4)

    made = chain(runs, ["acc=pixel_loss"], steps=steps).forecasts(params=4e9, images=8e10)

    assert made["forecast"][0] == pytest.approx(float(score_of(loss_of(**TARGET))), abs=1e-4)


def test_recipes_are_ranked_by_the_single_scale_and_by_the_forecast(recipes: TaskForecasts) -> None:
    places = recipes.ranking.set_index("recipe")[["place_by_single_scale", "place_by_forecast"]]

    assert dict(places["place_by_single_scale"]) == {"books": 1, "web": 2}
    assert dict(places["place_by_forecast"]) == {"books": 1, "web": 2}
    assert recipes.scale == pytest.approx(6 * 1.3e9 * 1.3e11)
    assert "Places by the score at" in recipes.summary()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"acc": 71.0}, TableError, "Divide percentages by 100"),
        ({"acc": 0.1}, TableError, "guessing scores 0.25"),
        ({"params": None}, MissingColumn, "has no 'flops'"),
        ({"acc": None}, MissingColumn, "has no 'acc'"),
    ],
)
def test_impossible_tables_get_a_sentence(
    ladder: Ladder, change: dict[str, float | None], error: type[Exception], words: str
) -> None:
    table = ladder().table
    for column, value in change.items():
        table = table.drop(columns=column) if value is None else table.assign(**{column: value})

    with pytest.raises(error, match=words):
        chain(Runs(table), ["acc"], chance={"acc": 0.25}, steps=FEW)


def test_too_few_scored_runs_are_refused(ladder: Ladder) -> None:
    with pytest.raises(FitError, match="needs 6 or more"):
        chain(Runs(ladder().table.head(5)), ["acc"])


def test_recipes_that_share_no_scale_cannot_be_ranked(ladder: Ladder) -> None:
    table = ladder().table
    other = table.assign(tokens=table["tokens"] * 1.5, mix="web")
    runs = Runs(pd.concat([table.assign(mix="books"), other], ignore_index=True))

    with pytest.raises(InputError, match="share no scale"):
        forecast_tasks(runs, ["acc"], TARGET, by="mix", steps=Steps(draws=4))


def test_the_command_prints_what_the_library_says(
    ladder: Ladder, found: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder(0.01).table.to_csv(tmp_path / "runs.csv", index=False)
    words = ["--task", "acc", "--chance", "acc=0.25", "--at", "params=4B", "--at", "tokens=80B"]
    words += ["--draws", "12", "--plot", str(tmp_path / "tasks.svg")]

    assert run(["capability", "chain", str(tmp_path / "runs.csv"), *words, "--json"]) == 0

    assert "Scores of 1 task at 4B params" in (tmp_path / "tasks.svg").read_text()

    (row,) = json.loads(capsys.readouterr().out)["forecasts"]
    assert row["forecast"] == pytest.approx(found.tasks["acc"].forecast(**TARGET).median, abs=1e-6)
