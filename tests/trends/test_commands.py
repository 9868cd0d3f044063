"""The commands, the report and the verbs behind them, on simulated tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.cli import run
from allometry.errors import MissingColumn
from allometry.report.contents import gather
from allometry.report.sections import sections
from allometry.runs.run import Runs
from allometry.trends.account import TrendAccount, horizon_account


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

    assert [table.title for table in section.tables] == ["Windows and forms", "Time horizons"]
    assert len(section.figures) == 3
    assert len(section.tables[1].rows) == 6
    assert any("doubles every" in sentence for sentence in section.sentences)


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
