"""The commands on repeated attempts print what the library says, and refuse in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.fitting import bootstrap, fit
from allometry.runs.run import Runs

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def table(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    n = np.full(60, 50)
    path = tmp_path / "counts.csv"
    pd.DataFrame({"problem": range(60), "n": n, "c": rng.binomial(n, rng.beta(0.3, 3, 60))}).to_csv(
        path, index=False
    )
    return str(path)


def test_pass_at_one_is_the_share_of_right_attempts(table: str, capsys: Printed) -> None:
    assert run(["attempts", "pass", table, "--k", "1,10", "--json"]) == 0

    first = json.loads(capsys.readouterr().out)["pass"][0]
    read = pd.read_csv(table)
    assert first["pass_at_k"] == pytest.approx((read["c"] / read["n"]).mean())


def test_a_forecast_is_printed_and_drawn(table: str, tmp_path: Path, capsys: Printed) -> None:
    picture = tmp_path / "pass.svg"

    assert run(["attempts", "forecast", table, "--k", "1000", "--draws", "60", "--plot", str(picture)]) == 0

    assert "pass@1000" in capsys.readouterr().out
    assert picture.read_text().startswith("<svg")


def test_a_k_that_was_measured_is_refused_in_a_sentence(table: str, capsys: Printed) -> None:
    assert run(["attempts", "forecast", table, "--k", "50"]) == 2

    assert "is measured" in capsys.readouterr().err


def test_a_vote_and_a_verifier_are_judged(tmp_path: Path, capsys: Printed) -> None:
    path = tmp_path / "answers.csv"
    pd.DataFrame({"problem": [1, 1], "answer": ["4", "5"], "count": [7, 3], "right": [1, 0]}).to_csv(
        path, index=False
    )

    drawn = {kind: tmp_path / f"{kind}.svg" for kind in ("vote", "verifier")}

    picture = ["--plot", str(drawn["vote"])]
    assert run(["attempts", "vote", str(path), "--k", "1,9", *picture]) == 0
    picture = ["--plot", str(drawn["verifier"])]
    assert run(["attempts", "verifier", "--chance", "0.2", "--auc", "0.8", "--n", "1,8", *picture]) == 0

    assert "What a majority vote gets right" in drawn["vote"].read_text()
    assert "What choosing the best of n brings" in drawn["verifier"].read_text()
    printed = capsys.readouterr().out
    assert "It ends at 1.000" in printed
    assert "0.8322" in printed  # 1 - 0.8^8


def test_tokens_thought_are_fitted(tmp_path: Path, capsys: Printed) -> None:
    path = tmp_path / "thought.csv"
    tokens = 2.0 ** np.arange(4, 12)
    pd.DataFrame({"thought": tokens, "accuracy": 0.1 + 0.05 * np.log2(tokens)}).to_csv(path, index=False)

    assert run(["attempts", "thinking", str(path), "--tokens", "thought"]) == 0

    assert "+5.0 points" in capsys.readouterr().out


def test_one_budget_is_split_between_training_and_attempts(tmp_path: Path, capsys: Printed) -> None:
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"params": np.repeat([1e7, 1e8, 1e9], 3), "tokens": np.tile([1e9, 1e10, 1e11], 3)})
    noise = np.exp(0.002 * rng.standard_normal(9))
    runs["loss"] = (1.8 + 480 * runs["params"] ** -0.35 + 2100 * runs["tokens"] ** -0.37) * noise
    fitted = tmp_path / "fit.json"
    bootstrap(fit("chinchilla", Runs(runs)), draws=20).save(fitted)
    chances = {"a": (0.2, 4), "b": (0.3, 3), "c": (0.4, 2)}
    tried = [
        pd.DataFrame({"model": m, "problem": range(80), "n": 50, "c": rng.binomial(50, rng.beta(*ab, 80))})
        for m, ab in chances.items()
    ]
    path = tmp_path / "tried.csv"
    pd.concat(tried).to_csv(path, index=False)
    losses = [part for pair in ("a=3.0", "b=2.6", "c=2.2") for part in ("--losses", pair)]

    spend = ["--flops", "1e21", "--queries", "1e6", "--tokens", "500", "--score", "0.6"]
    spend += ["--plot", str(tmp_path / "ways.svg")]
    assert run(["attempts", "optimum", str(fitted), str(path), *losses, *spend]) == 0

    printed = capsys.readouterr().out
    assert "attempts k" in printed
    assert "pass@k of 0.6 is reached by" in printed
    assert "Ways to a pass@k of 0.6" in (tmp_path / "ways.svg").read_text()
    picture = tmp_path / "best.svg"
    assert (
        run(["attempts", "optimum", str(fitted), str(path), *losses, *spend[:6], "--plot", str(picture)]) == 0
    )
    assert "One budget of 1e21 FLOP" in picture.read_text()
