"""The register: what is stated stays as stated, once, and before the run."""

from __future__ import annotations

import errno
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allometry.errors import ForecastError, InputError, StudyError
from allometry.fitting.result import Forecast
from allometry.forecasts.records import hash_of, read_record, write_record
from allometry.forecasts.register import (
    REGISTER,
    attach_outcomes,
    read_outcomes,
    read_register,
    register,
    set_torn_line_aside,
)
from allometry.forecasts.scoring import score
from allometry.recipe import Recipe
from allometry.report.registering import scored
from allometry.report.terminal import describe_stated
from allometry.runs.merging import merge
from allometry.runs.run import Run
from allometry.runs.study import Study


@pytest.fixture
def three(study: Study, forecast: Forecast) -> Path:
    """The register after three forecasts."""
    for place in range(3):
        register(replace(forecast, median=3.2 + place / 100), study, target=f"run{place}")
    return study.folder / REGISTER


def test_a_forecast_is_kept_in_every_field_and_digit(study: Study, forecast: Forecast) -> None:
    exact = replace(forecast, median=0.1 + 0.2, quantiles={1 / 3: math.pi}, low=-math.inf)

    entry = register(exact, study, target="big", assumptions="same data\nand recipe", fit_path="fits/a.json")

    assert read_register(study) == [entry]
    assert entry.forecast == exact
    assert (entry.number, entry.target, entry.previous) == (1, "big", "")
    assert (entry.assumptions, entry.fit_path) == ("same data\nand recipe", "fits/a.json")
    assert abs((datetime.now(UTC) - entry.stated).total_seconds()) < 60


def test_a_forecast_without_an_interval_is_kept_as_such(study: Study, forecast: Forecast) -> None:
    register(replace(forecast, low=math.nan, high=math.nan, quantiles={}), study)

    kept = read_register(study)[0].forecast
    assert math.isnan(kept.low)
    assert math.isnan(kept.high)


def test_each_line_keeps_the_hash_of_the_line_before(study: Study, three: Path) -> None:
    entries = read_register(study)

    assert len({entry.hash for entry in entries}) == 3
    assert [entry.number for entry in entries] == [1, 2, 3]


def test_an_empty_study_has_no_forecasts(study: Study) -> None:
    assert read_register(study) == []


def test_a_byte_changed_anywhere_is_found(study: Study, three: Path) -> None:
    whole = three.read_bytes()
    for place in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[place] ^= 1
        three.write_bytes(changed)

        with pytest.raises(ForecastError, match=r"line [123]"):
            read_register(study)


def test_a_blank_added_to_the_last_line_is_found(study: Study, three: Path) -> None:
    three.write_bytes(three.read_bytes().removesuffix(b"}\n") + b" }\n")

    with pytest.raises(ForecastError, match="line 3 was changed after it was written"):
        read_register(study)


@pytest.mark.parametrize(
    ("order", "line"), [([1, 2], 1), ([0, 2], 2), ([1, 0, 2], 1), ([0, 2, 1], 2), ([0, 1, 1, 2], 3)]
)
def test_a_line_taken_out_moved_or_doubled_is_found(
    study: Study, three: Path, order: list[int], line: int
) -> None:
    lines = three.read_bytes().splitlines(keepends=True)
    three.write_bytes(b"".join(lines[place] for place in order))

    with pytest.raises(ForecastError, match=f"line {line} does not follow"):
        read_register(study)


def test_a_line_made_to_look_whole_still_breaks_the_chain_after_it(
    study: Study, three: Path, forecast: Forecast
) -> None:
    lines = three.read_bytes().splitlines()
    forged = write_record(
        number=2, stated=datetime.now(UTC), target="run1", forecast=replace(forecast, median=3.0),
        assumptions="", fit_path="", previous=read_record(lines[1]).previous,
    )  # fmt: skip
    three.write_bytes(b"\n".join([lines[0], forged, lines[2], b""]))

    with pytest.raises(ForecastError, match="line 3 does not follow"):
        read_register(study)


def test_a_line_of_another_number_is_found_though_it_follows_by_its_hash(
    study: Study, three: Path, forecast: Forecast
) -> None:
    lines = three.read_bytes().splitlines()
    forged = write_record(
        number=7, stated=datetime.now(UTC), target="run2", forecast=forecast, assumptions="", fit_path="",
        previous=hash_of(lines[1]),
    )  # fmt: skip
    three.write_bytes(b"\n".join([*lines[:2], forged, b""]))

    with pytest.raises(ForecastError, match="line 3 does not follow"):
        read_register(study)


def test_outcomes_that_are_attached_together_follow_each_other(study: Study, forecast: Forecast) -> None:
    for target in ("one", "other"):
        register(forecast, study, target=target)
        study.save_run(Run(run_id=target, status="done", values={"loss": 3.3}))

    attach_outcomes(study)

    assert [one.number for one in read_outcomes(study)] == [3, 4]


def test_nothing_is_added_to_a_broken_register(study: Study, three: Path, forecast: Forecast) -> None:
    three.write_bytes(three.read_bytes().replace(b"run1", b"run9"))
    before = three.read_bytes()

    with pytest.raises(ForecastError, match="line 2"):
        register(forecast, study, target="new")
    assert three.read_bytes() == before


def test_a_torn_last_line_is_refused_and_can_be_set_aside(
    study: Study, three: Path, forecast: Forecast
) -> None:
    whole = three.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last + 1, len(whole) - 1, 97):
        three.write_bytes(whole[:end])
        with pytest.raises(ForecastError, match="line 3 is unfinished"):
            read_register(study)
        with pytest.raises(ForecastError, match="set_torn_line_aside"):
            register(forecast, study, target="new")

        aside = set_torn_line_aside(study)

        assert aside.read_bytes() == whole[last:end]
        assert three.read_bytes() == whole[:last]
        assert register(forecast, study, target="new").number == 3


def test_only_an_unfinished_line_is_set_aside(study: Study, three: Path) -> None:
    with pytest.raises(ForecastError, match="nothing was moved"):
        set_torn_line_aside(study)


def test_a_whole_last_line_without_its_line_break_is_a_forecast(
    study: Study, three: Path, forecast: Forecast
) -> None:
    three.write_bytes(three.read_bytes().rstrip(b"\n"))

    assert len(read_register(study)) == 3
    assert register(forecast, study, target="new").number == 4
    assert len(read_register(study)) == 4


def test_a_write_that_fails_leaves_the_register_as_it_was(
    study: Study, three: Path, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = three.read_bytes()

    def full(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="disk is full"):
        register(forecast, study, target="new")
    assert three.read_bytes() == before


def test_two_writers_at_once_lose_nothing(study: Study, forecast: Forecast) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda place: register(replace(forecast, median=place), study, target="big"), range(1, 25)
            )
        )

    assert sorted(entry.forecast.median for entry in read_register(study)) == list(range(1, 25))


def test_stating_the_same_again_adds_nothing_even_after_the_run(study: Study, forecast: Forecast) -> None:
    first = register(forecast, study, target="big", assumptions="same data")
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.0}))

    again = register(forecast, study, target="big", assumptions="same data", fit_path="elsewhere.json")

    assert again == first
    assert len(read_register(study)) == 1


def test_a_forecast_changed_before_the_run_is_kept_beside_the_first(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    register(replace(forecast, median=3.26), study, target="big")
    register(forecast, study, target="big", assumptions="back to the first")

    assert [entry.forecast.median for entry in read_register(study)] == [3.25, 3.26, 3.25]


def test_a_run_that_is_known_cannot_be_forecast(study: Study, forecast: Forecast) -> None:
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.0}))

    with pytest.raises(ForecastError, match="'big' has already been trained"):
        register(forecast, study, target="big")
    assert read_register(study) == []


def test_a_run_whose_outcome_is_in_the_register_stays_known_when_its_folder_is_gone(
    study: Study, forecast: Forecast
) -> None:
    register(forecast, study, target="big")
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.3}))
    attach_outcomes(study)
    shutil.rmtree(study.run_folder("big"))

    with pytest.raises(ForecastError, match=r"Line 2 of the register of .* holds what run 'big' measured"):
        register(replace(forecast, median=3.3), study, target="big")


def test_a_target_that_was_run_by_another_seed_is_known_but_for_noise(
    study: Study, forecast: Forecast, tiny: Recipe
) -> None:
    other = replace(tiny, seed=1)
    study.save_run(Run(run_id=tiny.run_id, status="done", values={"loss": 3.0, "seed": 0}))

    with pytest.raises(ForecastError, match=f"Run '{tiny.run_id}' .* in its seed alone"):
        register(forecast, study, target=other.run_id, recipe=other.to_toml())
    longer = replace(other, tokens=2 * tiny.tokens)
    assert register(forecast, study, target=longer.run_id, recipe=longer.to_toml()).number == 1


def test_a_target_that_was_run_in_a_study_merged_since_is_known(
    study: Study, forecast: Forecast, tmp_path: Path
) -> None:
    elsewhere = Study.create(tmp_path / "elsewhere", 'name = "elsewhere"')
    elsewhere.save_run(Run(run_id="big", status="done", values={"loss": 3.0}))
    merge(study, elsewhere)

    with pytest.raises(ForecastError, match="'big' has already been trained"):
        register(forecast, study, target="big")


def test_a_recipe_that_is_not_the_targets_is_refused(study: Study, forecast: Forecast, tiny: Recipe) -> None:
    with pytest.raises(
        ForecastError, match=f"recipe is that of run '{tiny.run_id}' and the forecast is for 'b"
    ):
        register(forecast, study, target="big", recipe=tiny.to_toml())
    assert not (study.folder / REGISTER).exists()


def test_a_target_that_diverged_has_been_run_and_cannot_be_forecast(study: Study, forecast: Forecast) -> None:
    study.save_run(Run(run_id="big", status="diverged"))

    with pytest.raises(ForecastError, match=r"already been trained in .*, and it diverged"):
        register(forecast, study, target="big")


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_target_that_failed_for_outside_reasons_can_be_forecast_again(
    study: Study, forecast: Forecast, status: Literal["failed", "stopped"]
) -> None:
    study.save_run(Run(run_id="big", status=status, reason="its node was lost"))

    assert register(forecast, study, target="big").number == 1


@pytest.mark.parametrize("target", ["../other/runs/x", "a/b", "..", "."])
def test_a_target_is_a_run_id_and_no_path(study: Study, forecast: Forecast, target: str) -> None:
    with pytest.raises(ForecastError, match="not a run_id"):
        register(forecast, study, target=target)


def test_a_forecast_of_nothing_is_refused(study: Study, forecast: Forecast) -> None:
    with pytest.raises(ForecastError, match="finite median"):
        register(replace(forecast, median=math.nan), study)


@given(line=st.binary(max_size=80))
def test_an_arbitrary_line_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(ForecastError):
        read_record(line)


def test_recipe_and_deadline_are_kept_and_older_lines_stay_readable(
    study: Study, forecast: Forecast, tiny: Recipe
) -> None:
    older = register(forecast, study, target="first")
    text = tiny.to_toml()
    newer = register(forecast, study, target=tiny.run_id, recipe=text, deadline="2050-12-31")

    assert read_register(study) == [older, newer]
    assert (newer.recipe, newer.deadline) == (text, "2050-12-31")
    assert b"deadline" not in (study.folder / REGISTER).read_bytes().splitlines()[0]


def test_a_deadline_that_is_no_day_is_refused(study: Study, forecast: Forecast) -> None:
    with pytest.raises(InputError, match="'soon' is not a day; write a deadline as 2027-01-31"):
        register(forecast, study, deadline="soon")
    assert not (study.folder / REGISTER).exists()


def test_intervals_of_other_levels_come_from_the_quantiles(study: Study, forecast: Forecast) -> None:
    entry = register(forecast, study)

    assert entry.interval(0.5) == (3.2, 3.35)
    with pytest.raises(ForecastError, match=r"Forecast 1 states no 90% interval: its quantiles are 0\.25, 0"):
        entry.interval(0.9)


def test_outcomes_are_attached_once_as_lines_of_the_chain(study: Study, forecast: Forecast) -> None:
    first = register(forecast, study, target="big")
    assert attach_outcomes(study) == []
    study.save_run(Run(run_id="big", status="done", values={"loss": 0.1 + 0.2}))

    (outcome,) = attach_outcomes(study)
    again = attach_outcomes(study)
    later = register(forecast, study, target="other")

    assert (outcome.number, outcome.target, outcome.output, outcome.value) == (2, "big", "loss", 0.1 + 0.2)
    assert again == []
    assert later.number == 3
    assert read_register(study) == [first, later]
    assert read_outcomes(study) == [outcome]


def test_an_attached_outcome_counts_whatever_the_run_says_later(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.3}))
    attach_outcomes(study)

    study.save_run(Run(run_id="big", status="done", values={"loss": 3.25}))

    assert score(study)["outcome"].tolist() == [3.3]


def test_an_outcome_that_is_changed_is_found(study: Study, forecast: Forecast) -> None:
    register(forecast, study, target="big")
    study.save_run(Run(run_id="big", status="done", values={"loss": 3.3}))
    attach_outcomes(study)
    path = study.folder / REGISTER

    path.write_bytes(path.read_bytes().replace(b"3.3}", b"3.2}"))

    with pytest.raises(ForecastError, match="line 2 was changed after it was written"):
        read_register(study)


def test_scores_of_several_studies_are_shown_together(tmp_path: Path, forecast: Forecast) -> None:
    studies = [Study.create(tmp_path / name, f'name = "{name}"') for name in ("one", "two")]
    for study in studies:
        register(forecast, study, target="big", deadline="2050-12-31")
        study.save_run(Run(run_id="big", status="done", values={"loss": 3.3}))

    scores, text = scored(studies)

    assert list(scores["study"]) == ["one", "two"]
    assert text.splitlines()[1].startswith("two: Forecast 1: inside the 90% interval")
    assert len(read_outcomes(studies[1])) == 1


def test_a_stated_forecast_says_its_levels_and_its_deadline(study: Study, forecast: Forecast) -> None:
    said = describe_stated(register(forecast, study, target="big", deadline="2050-12-31"))

    assert "intervals: 50% 3.2000 to 3.3500" in said
    assert "to be run until 2050-12-31" in said
