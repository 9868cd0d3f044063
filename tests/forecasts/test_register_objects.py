"""In object storage the register is one object a record, and as hard to change unseen as the file is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from allometry.errors import ForecastError, StudyBusy
from allometry.fitting.result import Forecast
from allometry.forecasts import objects
from allometry.forecasts.register import read_register, register
from allometry.forecasts.scoring import score
from allometry.runs.run import Run
from allometry.runs.study import Study
from allometry.storage import listing

fsspec = pytest.importorskip("fsspec", reason="object storage is read through fsspec")
pytest.importorskip("upath", reason="object storage is read through universal_pathlib")


@pytest.fixture
def remote(forecast: Forecast) -> Iterator[Study]:
    study = Study.create("memory://registers/demo", 'name = "demo"')
    for number in range(3):
        register(replace(forecast, median=2.0 + number / 10), study, target=f"run{number}")
    yield study
    fsspec.filesystem("memory").rm("/registers", recursive=True)


def test_forecasts_are_kept_in_order_and_scored(remote: Study) -> None:
    remote.save_run(Run(run_id="run1", status="done", values={"loss": 2.1}))

    entries = read_register(Study.open("memory://registers/demo"))

    assert [(entry.number, entry.target) for entry in entries] == [(1, "run0"), (2, "run1"), (3, "run2")]
    assert score(remote).set_index("target").loc["run1", "outcome"] == 2.1


def test_the_same_forecast_again_adds_nothing(remote: Study, forecast: Forecast) -> None:
    again = register(replace(forecast, median=2.1), remote, target="run1")

    assert again.number == 2
    assert len(read_register(remote)) == 3


def test_a_record_that_is_changed_or_missing_is_found(remote: Study) -> None:
    second = remote.folder / objects.FOLDER / "000002.json"
    whole = second.read_bytes()

    second.write_bytes(whole.replace(b"run1", b"run9"))
    with pytest.raises(ForecastError, match="line 2 was changed"):
        read_register(remote)
    second.unlink()
    with pytest.raises(ForecastError, match="line 2 does not follow"):
        read_register(remote)


def test_records_are_read_by_their_numbers_in_whatever_order_they_are_listed(
    remote: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = sorted(listing(remote.folder / objects.FOLDER), reverse=True)
    monkeypatch.setattr(objects, "listing", lambda folder: listed)

    assert [entry.number for entry in read_register(remote)] == [1, 2, 3]


def test_of_two_who_state_at_once_one_is_told_to_state_again(remote: Study) -> None:
    register_path = remote.folder / "forecasts.jsonl"
    with objects.opened(register_path) as one, objects.opened(register_path) as other:
        one.add(b"first")
        with pytest.raises(StudyBusy, match="at the same time; state the forecast again"):
            other.add(b"second")

        assert (remote.folder / objects.FOLDER / "000004.json").read_bytes() == b"first\n"
