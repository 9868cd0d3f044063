"""The commands, the report and the verbs behind them, on simulated tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import MissingColumn
from allometry.report.contents import gather
from allometry.report.sections import sections
from allometry.runs.run import Runs
from allometry.trends.account import TrendAccount, days_by_penalty, horizon_account
from allometry.trends.horizon import time_horizons
from allometry.trends.series import horizon_series
from allometry.trends.success_curves import Penalty
from allometry.trends.trend import exponential_trend
from allometry.trends.trend_words import penalties_words


def devices() -> pd.DataFrame:
    years = np.arange(2016, 2024.0)
    return pd.DataFrame(
        {"name": list("abcdefgh"), "date": years, "flops_per_usd": 1e9 * 2 ** ((years - 2016) / 2.5)}
    )


@pytest.fixture(scope="module")
def account(runs: Runs) -> TrendAccount:
    return horizon_account(runs, draws=40, at=("2026-01-01",), reaches=(10_000.0,))


def test_task_runs_become_horizons_trend_outlook_and_forecasts(account: TrendAccount) -> None:
    said = account.summary()

    assert account.horizons is not None
    assert len(account.horizons.table) == 6
    assert account.trend.doublings.low < 2.0 < account.trend.doublings.high
    assert "p50 on 2026-01-01" in said
    assert "p50 reaches 10000 min on" in said


def test_a_report_shows_the_trend_with_its_windows_and_every_agent(account: TrendAccount) -> None:
    (section,) = sections(gather([account]))

    assert [table.title for table in section.tables] == [
        "Windows and forms",
        "Time horizons",
        "Time horizons by penalty",
    ]
    assert len(section.figures) == 3
    assert [len(table.rows) for table in section.tables[1:]] == [6, 6]
    assert any(note.startswith("By the penalty on slopes") for note in section.notes)
    assert any("doubles every" in sentence for sentence in section.sentences)


@pytest.mark.parametrize("penalty", ["none", "published"])
def test_the_doubling_time_by_another_penalty_is_what_asking_for_it_gives(
    runs: Runs, account: TrendAccount, penalty: Penalty
) -> None:
    asked = exponential_trend(horizon_series(time_horizons(runs, penalty=penalty, draws=0)).best(), draws=20)

    assert account.by_penalty[penalty] == pytest.approx(asked.doubling_days.value)
    assert f"{asked.doubling_days.value:.0f} {penalty}" in account.summary()
    assert account.facts()["doubling_days_by_penalty"] == account.by_penalty
    assert f"p80_{penalty}" in account.facts()["penalties"]


def test_a_window_with_too_few_horizons_by_a_penalty_says_so(account: TrendAccount) -> None:
    found = account.horizons
    assert found is not None
    lost = found.penalties.assign(p50_none=[np.nan] * 3 + found.penalties["p50_none"].tolist()[3:])

    days = days_by_penalty(replace(found, penalties=lost), 0.5, None, None)

    assert np.isnan(days["none"])
    assert "too few points none" in penalties_words(days)
    assert np.isfinite(days["published"])


def test_the_command_reads_a_table_of_horizons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    years = np.arange(2019, 2026.0)
    table = pd.DataFrame({"model": list("abcdefg"), "release_date": years, "p50": 2.0 ** (years - 2022)})
    table.to_csv(tmp_path / "horizons.csv", index=False)

    code = run(["trend", "horizon", str(tmp_path / "horizons.csv"), "--draws", "20", "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["doubling_days"]["value"] == pytest.approx(365.25)
    assert found["horizons"] is None


def test_the_command_gives_the_doubling_time_of_any_value_and_saves_its_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices().to_csv(tmp_path / "devices.csv", index=False)
    picture = tmp_path / "chart.svg"

    words = [
        "trend",
        "efficiency",
        str(tmp_path / "devices.csv"),
        "--value",
        "flops_per_usd",
        "--draws",
        "20",
    ]
    code = run([*words, "--plot", str(picture)])

    assert code == 0
    assert "flops_per_usd doubles every 913 days" in capsys.readouterr().out
    assert picture.read_text().startswith("<svg")


def test_too_few_points_are_refused_with_exit_code_3_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices().head(3).to_csv(tmp_path / "devices.csv", index=False)

    assert run(["trend", "efficiency", str(tmp_path / "devices.csv"), "--value", "flops_per_usd"]) == 3
    assert "needs 4 dated points or more; there are 3" in capsys.readouterr().err


def test_a_table_of_neither_kind_is_refused() -> None:
    with pytest.raises(MissingColumn, match="holds neither task runs"):
        horizon_account(Runs(pd.DataFrame({"date": [2020.0], "loss": [1.0]})))
