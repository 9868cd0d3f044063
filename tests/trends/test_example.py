"""The example runs, and the page shows what it prints."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_example_runs_and_the_page_shows_its_trend(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "08_time_horizon.py"))["main"]()

    said = capsys.readouterr().out
    page = (ROOT / "docs" / "trends" / "time-horizon.md").read_text()
    (shown,) = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    assert shown in said
    assert "The truth: 183 days." in said
