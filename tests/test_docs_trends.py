"""The pages on trends show what their commands and examples print."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from allometry.cli import run

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "12_model_families": "capabilities/model-families",
    "13_algorithmic_progress": "trends/efficiency",
    "14_prices": "trends/prices",
    "15_tokens_to_a_loss": "trends/sample-efficiency",
    "17_growth_of_inputs": "trends/walls",
    "18_train_or_try_again": "capabilities/test-time-compute",
}


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize(("example", "page"), EXAMPLES.items())
def test_an_example_prints_what_its_page_shows(
    example: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(ROOT / "examples" / f"{example}.py"))["main"]()

    assert blocks(page, "text")[0] in capsys.readouterr().out


def test_the_command_prints_for_the_table_on_the_page_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "trends/efficiency"
    (table,), shown = blocks(page, "csv"), blocks(page, "text")[-1]
    command = next(line for line in "".join(blocks(page, "sh")).splitlines() if "devices.csv" in line)
    (tmp_path / "devices.csv").write_text(table)
    monkeypatch.chdir(tmp_path)

    assert run(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown
