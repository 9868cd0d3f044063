"""The report in a real browser without a network: every chart draws, nothing complains."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from allometry.fitting import Fit
from allometry.fitting.comparison.laws import Comparison
from allometry.fitting.comparison.recipes import Multiplier
from allometry.fitting.frontier.approaches import Approaches
from allometry.report import write_report
from allometry.runs.study import Study

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_every_chart_draws_offline_and_the_console_stays_silent(
    make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = write_report(make_study(), tmp_path / "report.html")
    # A folded part draws its charts when it is opened.
    path.write_text(path.read_text().replace('<details class="more">', '<details class="more" open>'))
    seen = _opened(path, tmp_path)

    charts = re.findall(r'<div class="chart[^"]*" id="([^"]+)"', seen.stdout)
    assert len(charts) == 16
    assert seen.stdout.count("<svg") - seen.stdout.count('<svg viewBox="0 0 16 16"') == len(charts)
    assert "cannot be drawn" not in seen.stdout.split("<script>")[0]
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_charts_of_comparisons_draw_and_folded_ones_wait(
    drawn: Fit, compared: Comparison, approaches: Approaches, recipes: Multiplier, tmp_path: Path
) -> None:
    path = write_report([drawn, compared, approaches, recipes], tmp_path / "report.html")
    seen = _opened(path, tmp_path)

    drawn_charts = re.findall(r'<div class="chart vega-embed[^"]*" id="([^"]+)"', seen.stdout)
    assert {"comparison-1-1", "comparison-1-2", "approaches-1-1", "multiplier-1-1"} <= set(drawn_charts)
    assert not [name for name in drawn_charts if name.startswith("change")]
    assert "cannot be drawn" not in seen.stdout.split("<script>")[0]
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]


def _opened(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--proxy-server=127.0.0.1:9", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=15000", "--dump-dom",
    ]  # fmt: skip
    command = [BROWSER, *flags, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
