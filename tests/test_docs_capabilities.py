"""The pages on capabilities show what the commands print, and their examples run."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run

ROOT = Path(__file__).parents[1]
SHOWN = [
    pytest.param(line, output, id=" ".join(line.split()[1:3]))
    for page in ("loss-to-task", "test-time-compute", "other-axes")
    for line, output in re.findall(
        r"```console\n\$ (.*?)\n(.*?)```",
        (ROOT / "docs" / "capabilities" / f"{page}.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that the pages speak of, made by the examples that they name."""
    folder = tmp_path_factory.mktemp("tables")
    ladder = runpy.run_path(str(ROOT / "examples" / "06_loss_to_task.py"))["ladder"]
    chances = runpy.run_path(str(ROOT / "examples" / "07_test_time_compute.py"))["chances"]
    ladder().table.to_csv(folder / "runs.csv", index=False)
    right = np.random.default_rng(1).binomial(100, chances())
    pd.DataFrame({"n": 100, "c": right}).to_csv(folder / "counts.csv", index=False)
    axes = runpy.run_path(str(ROOT / "examples" / "16_other_axes.py"))
    for name in ("finetuned", "scratch", "reinforced", "images"):
        axes[name]().table.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.mark.parametrize(("line", "output"), SHOWN)
def test_a_command_prints_what_its_page_shows(
    line: str, output: str, tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tables)

    assert run(shlex.split(line)[1:]) == 0

    printed = capsys.readouterr().out
    assert doctest.OutputChecker().check_output(output, printed, doctest.ELLIPSIS), printed


def test_each_page_with_a_command_shows_its_output() -> None:
    assert len(SHOWN) == 8


def test_the_example_of_attempts_holds_the_truth_it_was_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "07_test_time_compute.py"), run_name="__main__")

    assert ", inside the range" in capsys.readouterr().out


def test_the_example_of_other_axes_comes_near_its_truths(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "16_other_axes.py"))["main"]()

    said = capsys.readouterr().out
    assert "alpha 0.18 (90%: 0.15" in said  # the truth is .18
    assert said.endswith("The truth: 0.820.\n")
