"""The parts of a report on repeated attempts hold what the library found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.capabilities.attempts import Counts, PassForecast, forecast_pass
from allometry.capabilities.exchange import ExchangeCurve
from allometry.capabilities.joint import JointOptimum
from allometry.capabilities.thinking import fit_thinking
from allometry.capabilities.verifiers import verifier_curve
from allometry.capabilities.voting import ballots_from_chances, vote
from allometry.fitting import Estimate
from allometry.report import write_report
from allometry.report.attempts_section import attempts_section


@pytest.fixture(scope="module")
def forecast() -> PassForecast:
    rng = np.random.default_rng(0)
    return forecast_pass(Counts.of([50] * 60, rng.binomial(50, rng.beta(0.3, 3, 60))), [100, 1000], draws=60)


def test_a_forecast_is_shown_at_every_k_and_by_form(forecast: PassForecast) -> None:
    section = attempts_section(forecast, 1)

    assert [row[1] for row in section.tables[0].rows] == [f"{value:.3f}" for value in forecast.median]
    assert len(section.tables[1].rows) == 5
    assert section.findings == forecast.findings


def test_a_gain_a_doubling_is_told_with_its_chart() -> None:
    tokens = 2.0 ** np.arange(4, 12)
    section = attempts_section(fit_thinking(tokens, 0.1 + 0.05 * np.log2(tokens), draws=50), 2)

    assert "+5.0 points" in section.sentences[0]
    assert len(section.figures) == 1


def test_an_optimum_and_an_exchange_are_tables() -> None:
    one = Estimate(value=2e9, low=1e9, high=3e9, unit="1")
    share = Estimate(value=0.3, low=0.2, high=0.4, unit="1")
    best = JointOptimum(
        flops=1e21, params=one, tokens=one, k=one, score=share, inference_share=share, training_only=one,
        level=0.9, sizes=pd.DataFrame({"k": [2e9, 2e9], "params": [1e9, 3e9], "score": [0.2, 0.3]}),
    )  # fmt: skip
    ways = ExchangeCurve(
        score=0.5, k=np.array([1.0, 10]), train=np.array([1e21, 1e20]), train_low=np.array([5e20, 5e19]),
        train_high=np.array([2e21, 2e20]), inference=np.array([1e18, 1e18]), rate=np.array([10.0]),
        rate_low=np.array([5.0]), rate_high=np.array([20.0]), level=0.9,
    )  # fmt: skip

    assert attempts_section(best, 1).tables[0].rows[0][1] == "2B (1B to 3B)"
    assert [len(attempts_section(one, 1).figures) for one in (best, ways)] == [1, 1]
    assert attempts_section(ways, 2).tables[0].rows[1][1] == "1e20"


def test_a_vote_and_a_verifier_are_told_with_chart_and_table() -> None:
    voted = attempts_section(vote(ballots_from_chances([0.6, 0.3], [1.0]), [1, 5], draws=20), 1)
    chosen = attempts_section(verifier_curve(0.2, [1, 10], auc=0.8), 2)

    assert voted.sentences == ("It ends at 0.500; a perfect chooser would reach 1.000.",)
    assert voted.tables[0].rows[0][:2] == ("1", "0.450")
    assert chosen.tables[0].rows[1][2] == f"{1 - 0.8**10:.3f}"
    assert [len(section.figures) for section in (voted, chosen)] == [1, 1]


def test_a_report_of_a_forecast_alone_has_its_part(forecast: PassForecast, tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    write_report([forecast], page)

    text = page.read_text()
    assert "More attempts at the same task" in text
    assert 'aria-label="Verdict"' not in text  # a box without a line says nothing
