"""The first two examples: published runs fitted again, and the whole loop in Python."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC = ROOT.parent / "shared" / "data"


@pytest.mark.public_data
@pytest.mark.skipif(not PUBLIC.exists(), reason="the public tables are not here")
def test_published_runs_are_fitted_checked_and_forecast_by_rivals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALLOMETRY_DATA", str(PUBLIC))

    runpy.run_path(str(ROOT / "examples" / "01_fit_published_runs.py"))["main"](draws=50)

    said = capsys.readouterr().out
    for words in ("alpha", "Best size for 5.76e+23 FLOP", "trained once", "chinchilla_tied", "kaplan"):
        assert words in said


def _without_filters(text: str) -> list[str]:
    """What was said, but for the lines on runs left out: the second time there is one more."""
    return [line for line in text.splitlines() if "left out" not in line and "filter" not in line]


def test_a_ladder_forecasts_a_larger_run_that_is_then_trained_and_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "02_sweep_on_a_laptop.py"))
    folder = str(tmp_path / "study")

    example["main"](folder, horizons=(16_384, 24_576))
    first = capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in Path(folder).glob("runs/*/run.json")}
    example["main"](folder, horizons=(16_384, 24_576))

    assert "Measured:" in first
    said, again = (_without_filters(text) for text in (first, capsys.readouterr().out))
    assert again == said  # nothing is trained twice, and the run that was forecast moves no fit
    assert before == {path: path.stat().st_mtime_ns for path in Path(folder).glob("runs/*/run.json")}
