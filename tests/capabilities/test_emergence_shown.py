"""Emergence by command, chart, report, example and on the public table shows the library's own verdicts."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pandas as pd
import pytest

from allometry.capabilities.emergence import Emergence, Skill, Verdict, judge_emergence
from allometry.cli import run
from allometry.plots import emergence_chart
from allometry.report.contents import gather
from allometry.report.emergence_section import emergence_section
from allometry.report.sections import sections
from allometry.runs.run import Runs

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "09_is_it_emergent.py"))
Printed = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def found() -> Emergence:
    return EXAMPLE["judged"](1.0)  # type: ignore[no-any-return]


def test_the_example_tells_the_artefact_from_the_break(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["example"])
    EXAMPLE["main"]()

    first, second = capsys.readouterr().out.split("\n\n")
    assert first.startswith("score: artefact of the metric")
    assert second.startswith("score: genuine break")


def test_the_chart_shows_the_scores_the_power_of_the_length_and_the_onset(found: Emergence) -> None:
    chart = emergence_chart(found).to_dict()

    text = json.dumps(chart)
    assert chart["title"]["text"] == "score: artefact of the metric"
    assert "smooth law to the power 5" in text
    assert f"{found.onset.quantile(0.5)}" in text


def test_the_report_states_the_verdict_with_its_evidence(found: Emergence) -> None:
    section = emergence_section(found, 1)

    assert "artefact of the metric" in section.sentences[0]
    assert section.findings == found.findings
    assert [one.slug for one in sections(gather(found))] == ["emergence-1"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "scores.csv"
    EXAMPLE["outputs"](5.0).table.to_csv(path, index=False)
    return str(path)


def test_the_command_prints_the_verdict_and_draws_it(table: str, tmp_path: Path, capsys: Printed) -> None:
    picture = tmp_path / "emergence.svg"
    words = [
        "capability",
        "emergence",
        table,
        "--score",
        "score=token",
        "--length",
        "score=5",
        "--draws",
        "40",
    ]

    assert run([*words, "--json", "--plot", str(picture)]) == 0

    (printed,) = json.loads(capsys.readouterr().out)
    assert printed["verdict"] == "genuine break"
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_too_few_scales_are_refused_by_the_command(tmp_path: Path, capsys: Printed) -> None:
    path = tmp_path / "few.csv"
    EXAMPLE["outputs"](1.0).table.head(4).to_csv(path, index=False)

    assert run(["capability", "emergence", str(path), "--score", "score"]) == 3
    assert "4 scales" in capsys.readouterr().err


@pytest.mark.public_data
@pytest.mark.skipif(not SHARED.exists(), reason="the public tables are not here")
def test_public_jumps_without_items_or_a_smooth_metric_are_not_decided() -> None:
    models = pd.read_csv(SHARED / "obs_base_llm_benchmark_eval.csv")
    scores = pd.read_csv(SHARED / "obs_base_llm_emergent_capability_eval.csv")
    joined = scores.merge(models, on="Model").rename(columns={"FLOPs (1E21)": "flops"})

    found = judge_emergence(Runs(joined), Skill(score="word_unscrambling_2_exact_match"), draws=20)

    assert found.verdict is Verdict.UNDECIDED
    assert {"items_unknown", "no_continuous_metric"} <= {one.code for one in found.findings}
