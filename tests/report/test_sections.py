"""The parts of a report on laws, approaches, recipes and choices hold what the library found."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Finding, Fit, Severity, bootstrap, fit, sensitivity
from allometry.fitting.comparison.laws import Comparison
from allometry.fitting.comparison.recipes import Multiplier
from allometry.fitting.frontier.approaches import Approaches
from allometry.fitting.frontier.isoflop import IsoFlopFit
from allometry.laws import chinchilla
from allometry.report import write_report
from allometry.report.judging import judge_fits
from allometry.report.laws_compared import ahead_of, comparison_section
from allometry.report.optima import approaches_section, frontier_section
from allometry.report.recipes_compared import multiplier_section
from allometry.report.section import Section
from allometry.report.sensitivities import sensitivity_section
from allometry.report.tables import Table
from allometry.runs.run import Runs


def table(section: Section, title: str) -> Table:
    return next(one for one in section.tables if title in one.title)


def column(shown: Table, text: str) -> list[str]:
    place = next(place for place, header in enumerate(shown.headers) if header.text == text)
    return [row[place] for row in shown.rows]


@pytest.fixture(scope="module")
def laws(compared: Comparison) -> Section:
    return comparison_section(compared, 1)


@pytest.fixture(scope="module")
def sizes(approaches: Approaches) -> Section:
    return approaches_section(approaches, 1)


@pytest.fixture(scope="module")
def multiplied(recipes: Multiplier) -> Section:
    return multiplier_section(recipes, 1)


@pytest.fixture(scope="module")
def changes(drawn: Fit) -> Section:
    return sensitivity_section(drawn, 1)


def test_the_ranking_is_told_in_its_order_with_its_errors(laws: Section, compared: Comparison) -> None:
    shown = table(laws, "Ranking")

    assert column(shown, "forecaster") == compared.ranking["law"].tolist()
    assert [float(cell) for cell in column(shown, "error")] == pytest.approx(
        100 * compared.ranking["error"], abs=0.005
    )
    assert compared.best in laws.sentences[0]


def test_laws_have_a_fan_their_held_out_errors_and_their_findings(
    laws: Section, compared: Comparison
) -> None:
    assert [shown.title for shown in laws.figures] == [
        "What the laws say beyond the runs",
        "How far off each law was on runs that it had not seen",
    ]
    assert laws.findings == compared.findings


def test_the_joint_forecast_is_that_of_the_comparison(laws: Section, compared: Comparison) -> None:
    read = {c for n, w in compared.weights.items() if w > 0 for c in compared.fits[n].inputs.values()}
    joint = compared.predict(0.9, **{c: v for c, v in ahead_of(compared).items() if c in read})

    assert f"{joint.median:.3f} nat/token (90%: {joint.low:.3f} to {joint.high:.3f})" in laws.sentences[1]


def test_a_law_that_refused_a_split_is_said_to_have_refused(compared: Comparison) -> None:
    refused = compared.table.assign(refused="too few runs", rms=np.nan)
    section = comparison_section(replace(compared, table=refused), 1)

    assert set(column(table(section, "By split"), "error")) == {"refused"}


def test_each_approach_is_a_row_and_its_best_size_is_the_librarys(
    sizes: Section, approaches: Approaches
) -> None:
    shown = table(sizes, "Compute-optimal at")

    assert column(shown, "approach") == approaches.table["fit"].tolist()
    for cell, low in zip(column(shown, "parameters N*"), approaches.table["params_low"], strict=True):
        assert f"({low / 1e6:.3g}M to" in cell


def test_iso_flop_profiles_are_drawn_and_each_budget_has_its_row(
    sizes: Section, approaches: Approaches
) -> None:
    assert any("at each budget" in shown.title for shown in sizes.figures)
    assert column(table(sizes, "Budgets"), "budget") == ["1e15", "1e16", "1e17", "1e18"]


def test_approaches_that_exclude_each_other_are_told(approaches: Approaches) -> None:
    apart = Finding(code="made_up", severity=Severity.WARNING, sentence="They exclude each other.")
    section = approaches_section(replace(approaches, findings=(apart,)), 1)

    assert section.findings[0] == apart


def test_why_runs_cannot_carry_an_approach_is_told(approaches: Approaches) -> None:
    refused = replace(approaches, refused={"approach 2 (IsoFLOP)": "No budgets."})

    assert (
        "These runs cannot carry approach 2 (IsoFLOP). No budgets."
        in approaches_section(refused, 1).sentences
    )


def test_one_approach_alone_is_a_section_too(approaches: Approaches) -> None:
    found = approaches.fits["approach 2 (IsoFLOP)"]
    assert isinstance(found, IsoFlopFit)
    section = frontier_section(found, 1)

    assert f"C^{found.params_law.exponent:.3f} (90%:" in section.sentences[0]
    assert len(section.figures) == 2


def test_recipes_lead_with_the_verdict_and_have_a_row_each(multiplied: Section, recipes: Multiplier) -> None:
    shown = table(multiplied, "Multipliers")
    row = recipes.table.iloc[0]

    assert multiplied.sentences[0] == recipes.verdict
    assert shown.rows[0][2:4] == (f"{row['multiplier']:.3g}", f"{row['low']:.3g} to {row['high']:.3g}")
    assert multiplied.findings == recipes.findings


def test_objectives_floors_and_runs_left_out_are_shown_under_a_fit(changes: Section, drawn: Fit) -> None:
    objectives, left_out = sensitivity.by_objective(drawn), sensitivity.influence(drawn)

    shown = table(changes, "By objective")
    assert [float(cell) for cell in column(shown, "forecast")] == pytest.approx(
        objectives["forecast"], abs=5e-5
    )
    assert len(table(changes, "Runs that move").rows) == 5
    most = max(
        ("alpha", "beta"), key=lambda name: np.abs(left_out[name] / drawn.coefficients[name] - 1).max()
    )
    shift = np.abs(left_out[most] / drawn.coefficients[most] - 1)
    assert column(table(changes, "Runs that move"), "without run")[0] == left_out["run"][shift.idxmax()]
    assert changes.figures[0].title == "What the forecast would be under other floors"


def test_the_answer_that_may_change_is_stated_with_its_interval_and_place(
    changes: Section, drawn: Fit
) -> None:
    at = sensitivity.ahead(drawn)

    assert f"gives {chinchilla.evaluate(at, drawn.coefficients):.4f} nat/token (90%: " in changes.sentences[0]
    assert "10 times the compute of the largest run" in changes.sentences[0]


def test_a_fit_with_a_held_floor_and_few_runs_shows_what_it_can() -> None:
    runs = Runs.of([]).table
    flops = np.geomspace(1e17, 1e20, 4)
    runs = runs.assign(flops=flops, loss=1.8 + 60 * flops**-0.1)
    made = fit("power_law_with_floor", Runs(runs), inputs={"x": "flops"}, hold={"E": 1.8})
    section = sensitivity_section(made, 1)

    assert "floors" not in " ".join(figure.title for figure in section.figures)
    assert "no interval: no draws" in section.sentences[0]


def test_a_lower_envelope_has_no_floors_to_rule_out(drawn: Fit) -> None:
    runs = Runs(pd.DataFrame({**drawn.data.inputs, "loss": drawn.data.output}))
    section = sensitivity_section(fit("chinchilla", runs, objective="lower_envelope"), 1)

    assert not any("floors" in figure.title for figure in section.figures)


def test_the_laws_of_a_study_are_judged_by_its_largest_runs(drawn: Fit, other_law: Fit) -> None:
    judged = judge_fits([drawn, other_law])

    assert set(judged[0].ranking["law"]) == {"chinchilla", "kaplan", "log-log line", "no change"}
    compute = 6 * drawn.data.inputs["params"] * drawn.data.inputs["tokens"]
    assert judged[0].held_out["x"].min() > np.quantile(compute, 0.6)


def test_one_law_or_laws_of_other_data_are_not_judged(drawn: Fit, other_law: Fit) -> None:
    few = drawn.data.inputs["params"] > 2e6
    table = pd.DataFrame({n: v[few] for n, v in drawn.data.inputs.items()}).assign(
        loss=drawn.data.output[few]
    )
    elsewhere = bootstrap(fit("kaplan", Runs(table)), draws=5)

    assert judge_fits([drawn]) == ()
    assert judge_fits([drawn, elsewhere]) == ()


def test_a_report_of_everything_puts_verdict_first_and_folds_the_rest(
    tmp_path: Path,
    drawn: Fit,
    compared: Comparison,
    approaches: Approaches,
    recipes: Multiplier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allometry.report.figures.figures", lambda contents: [])  # tested elsewhere
    path = write_report([drawn, compared, approaches, recipes], tmp_path / "report.html")
    page = html.unescape(path.read_text())

    places = [
        page.index(text)
        for text in (
            'aria-label="Verdict"', recipes.verdict, "What was fitted", '<details class="more">',
            "Compute multipliers by recipe", "Laws compared", "The compute-optimal size by several",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert "No forecast was stated" not in page
    assert len(path.read_bytes()) < 2_000_000


def test_a_serious_finding_of_a_comparison_is_a_red_flag(tmp_path: Path, recipes: Multiplier) -> None:
    found = Finding(code="made_up", severity=Severity.SERIOUS, sentence="The recipes never met.")
    path = write_report([replace(recipes, findings=(found,))], tmp_path / "report.html")
    verdict = path.read_text().partition('aria-label="Verdict"')[2].partition("</section>")[0]

    assert "Red flags" in verdict
    assert "The recipes never met." in verdict


def test_an_iso_flop_fit_by_itself_can_be_reported(tmp_path: Path, approaches: Approaches) -> None:
    found = approaches.fits["approach 2 (IsoFLOP)"]
    assert isinstance(found, IsoFlopFit)
    page = write_report([found], tmp_path / "report.html").read_text()

    assert "The compute-optimal frontier by approach 2 (IsoFLOP)" in page
    assert "Nothing has been fitted yet" not in page
