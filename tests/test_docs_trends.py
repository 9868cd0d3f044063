"""The page on efficiency shows what its command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from allometry.cli import run

PAGE = (Path(__file__).parents[1] / "docs" / "trends" / "efficiency.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_command_prints_for_the_table_on_the_page_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (table,), (shown,) = blocks("csv"), blocks("text")
    command = next(line for line in "".join(blocks("sh")).splitlines() if "devices.csv" in line)
    (tmp_path / "devices.csv").write_text(table)
    monkeypatch.chdir(tmp_path)

    assert run(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown
