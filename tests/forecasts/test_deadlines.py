"""A deadline is a day that is still to come where somebody may make the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.fitting.result import Forecast
from allometry.forecasts import register as registering
from allometry.forecasts.calibration import calibration
from allometry.forecasts.register import REGISTER, read_register, register
from allometry.forecasts.scoring import describe_score, score
from allometry.runs.run import Run
from allometry.runs.study import Study


def test_a_deadline_that_is_over_is_refused_and_nothing_is_written(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="first")
    before = (study.folder / REGISTER).read_bytes()

    with pytest.raises(InputError, match="The deadline 2020-01-31 is over: give a day by which"):
        register(forecast, study, target="big", deadline="2020-01-31")

    assert (study.folder / REGISTER).read_bytes() == before


def test_a_forecast_that_stands_may_be_stated_again_after_its_deadline(
    study: Study, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "refuse_past", lambda day: None)
    register(forecast, study, target="big", deadline="2020-01-31")
    monkeypatch.undo()

    again = register(forecast, study, target="big", deadline="2020-01-31")

    assert [entry.number for entry in read_register(study)] == [again.number]


def test_a_deadline_that_passed_without_an_outcome_is_said_and_counted(
    study: Study, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "refuse_past", lambda day: None)
    for target, deadline in (("made", "2020-01-31"), ("never", "2020-01-31"), ("open", "")):
        register(forecast, study, target=target, deadline=deadline)
    study.save_run(Run(run_id="made", status="done", values={"loss": 3.3}))

    said = [describe_score(row) for _, row in score(study).iterrows()]

    assert said[1].startswith("not run yet, and the deadline 2020-01-31 is over: no loss")
    assert said[2].startswith("not run yet: no loss")
    assert "deadlines that are over without an outcome: 1" in calibration([study]).summary()


def test_today_is_not_over(tmp_path: Path, forecast: Forecast) -> None:
    today = (datetime.now(UTC) - timedelta(hours=11)).date().isoformat()

    stated = register(forecast, Study.create(tmp_path / "s", ""), target="big", deadline=today)

    assert stated.deadline == today
