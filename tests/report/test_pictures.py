"""The picture of a forecast shows the runs it came from, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.fitting import Fit
from allometry.forecasts.register import register
from allometry.report.pictures import save_forecast_picture
from allometry.runs.study import Study
from allometry.sweeps.spec import quickstart_path


@pytest.fixture
def study(tmp_path: Path, drawn: Fit) -> Study:
    made = Study.create(tmp_path / "study", quickstart_path().read_text(encoding="utf-8"))
    drawn.save(made.folder / "fits" / "chinchilla.json")
    register(drawn.predict(params=3e7, tokens=3e8), made, target="t1")
    return made


def test_the_fit_that_made_the_forecast_is_drawn_with_it(study: Study, tmp_path: Path) -> None:
    drawing = save_forecast_picture(study, tmp_path / "forecast.svg").read_text()

    assert "16 fitted runs" in drawing


def test_a_fit_made_anew_since_is_not_passed_off_as_the_forecasts(
    study: Study, tmp_path: Path, other_law: Fit
) -> None:
    other_law.save(study.folder / "fits" / "chinchilla.json")
    drawing = save_forecast_picture(study, tmp_path / "forecast.svg").read_text()

    assert "fitted run" not in drawing
    assert "the forecast as stated" in drawing


def test_without_a_forecast_there_is_nothing_to_draw(study: Study, tmp_path: Path) -> None:
    (study.folder / "forecasts.jsonl").unlink()

    with pytest.raises(InputError, match="State it with: allometry forecast"):
        save_forecast_picture(study, tmp_path / "forecast.svg")
    assert not (tmp_path / "forecast.svg").exists()
