"""Where a run stands, and when a loss is in reach, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from allometry.cli import run

LAW = "besiroglu_2024"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("params", "tokens", "word"),
    [
        ("280B", "300B", "undertrained"),  # Gopher, as Hoffmann et al. 2022 argue
        ("70B", "1.4T", "compute-optimal"),  # Chinchilla
        ("8B", "15T", "over-trained"),  # Llama 3 8B
    ],
)
def test_a_public_model_stands_where_papers_say(
    params: str, tokens: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = printed(capsys, "triangle", LAW, "--params", params, "--tokens", tokens)

    assert place["standing"] == word


def test_a_run_with_fewer_unique_tokens_than_it_sees_is_limited_by_data_and_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of = ("--params", "8B", "--tokens", "15T", "--unique-tokens", "10T")

    place = printed(capsys, "triangle", LAW, *run_of, "--plot", str(tmp_path / "trade.svg"))

    assert place["limit"] == "data-limited"
    assert "8B on 15T tokens" in (tmp_path / "trade.svg").read_text()


def test_gains_and_paces_are_read_with_their_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--loss", "1.9", "--flops", "1e24", "--gain", "optimizer=2,1.5,3", "--pace", "chips=24")

    found = printed(capsys, "effective-compute", LAW, *asked)

    assert (found["effective"]["value"], found["effective"]["high"]) == (2e24, pytest.approx(3e24))
    assert found["arrival"]["years"]["value"] == pytest.approx(2 * found["arrival"]["doublings"]["value"])


def test_a_history_gives_the_pace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "chips.csv"
    table.write_text("date,speed\n2020,1\n2021,2.1\n2022,3.9\n2023,8.1\n")

    asked = ("--loss", "1.9", "--flops", "1e24", "--history", str(table), "--grows", "speed")
    found = printed(capsys, "effective-compute", LAW, *asked)

    (pace,) = found["arrival"]["paces"]
    assert pace["doublings"]["value"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["triangle", LAW, "--params=-1B", "--tokens", "1T"], "number of params is a number above zero"),
        (["triangle", LAW, "--params", "1B", "--tokens", "0"], "number of tokens is a number above zero"),
        (["triangle", "kaplan_2020", "--params", "1B", "--tokens", "1T"], "no floor plus a power"),
        (["effective-compute", LAW, "--loss", "1.8", "--flops", "1e24"], "the floor of"),
        (["effective-compute", LAW, "--loss", "1.9", "--flops", "1e24", "--gain", "2"], "name=value"),
        (["effective-compute", LAW, "--loss", "1.9", "--flops", "1e24", "--grows", "x"], "give --history"),
    ],
)
def test_what_cannot_be_answered_gets_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) in (2, 3)

    assert sentence in capsys.readouterr().err
