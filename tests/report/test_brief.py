"""The brief for the person who pays says what the library computed, offline and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from allometry.errors import InputError
from allometry.fitting import Fit
from allometry.planning.allocation import Plan, allocate, answer
from allometry.report.brief import Brief, make_brief
from allometry.report.briefing import write_brief
from allometry.runs.study import Study


@pytest.fixture(scope="module")
def plan(drawn: Fit) -> Plan:
    return allocate(drawn, days=2, device="h100-sxm", devices=8, served_tokens=1e12)


@pytest.fixture(scope="module")
def brief(plan: Plan, drawn: Fit) -> Brief:
    return make_brief(plan, drawn)


def said(brief: Brief, question: str) -> str:
    return " ".join(next(p for p in brief.paragraphs if question in p.question).sentences)


def test_every_question_of_who_pays_is_answered(brief: Brief) -> None:
    assert [paragraph.question for paragraph in brief.paragraphs] == [
        "What does it cost?",
        "What will it reach?",
        "What do the next 10% buy?",
        "What would change the answer?",
        "What was assumed?",
        "How did past forecasts do?",
    ]
    assert all(paragraph.sentences for paragraph in brief.paragraphs)


def test_chances_and_costs_are_those_of_the_plan(brief: Brief, plan: Plan) -> None:
    assert f"50% to measure {plan.quantiles[0.5]:.4f}"[:-1] in said(brief, "reach")
    assert plan.cost is not None
    assert plan.cost.run.money is not None
    assert "2 days on 8" in said(brief, "cost")
    assert "USD/h: rental price seen" in said(brief, "assumed")


def test_the_next_tenth_is_what_the_same_question_with_more_answers(
    brief: Brief, plan: Plan, drawn: Fit
) -> None:
    more = answer(drawn, plan.question.scaled(1.1))

    assert said(brief, "next 10%").startswith(f"{plan.loss.value - more.loss.value:.2g} nat/token less")


def test_coefficients_are_left_to_the_report(brief: Brief) -> None:
    changes = said(brief, "change the answer")

    assert changes.startswith("Tokens served:")
    assert "alpha" not in changes


def test_a_target_asks_for_one_percent_less_loss_instead(drawn: Fit) -> None:
    made = make_brief(allocate(drawn, loss=2.5), drawn)

    assert re.match(r"1\.\d+ times the compute", said(made, "one percent less loss"))
    assert "no device was named" in said(made, "cost")


def test_a_published_law_has_no_probabilities_and_says_why() -> None:
    made = make_brief(allocate("hoffmann_2022", flops=1e22), "hoffmann_2022")

    assert "No probabilities, because the source of hoffmann_2022 gives none" in said(made, "reach")


def test_past_forecasts_of_a_study_are_counted(
    plan: Plan, drawn: Fit, make_study: Callable[..., Study]
) -> None:
    told = said(make_brief(plan, drawn, make_study()), "past forecasts")

    assert "1 stated before the run and measured since" in told


def test_the_page_is_whole_without_network_and_scripts(plan: Plan, drawn: Fit, tmp_path: Path) -> None:
    page = write_brief(plan, tmp_path / "brief.html", law=drawn).read_text()

    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|src=|@import|url\(http", page)
    assert page.count("<svg") == 1
    assert 'width="' not in page.partition("<svg")[2].partition(">")[0]


def test_markdown_says_the_same_words(plan: Plan, drawn: Fit, brief: Brief, tmp_path: Path) -> None:
    page = write_brief(plan, tmp_path / "brief.md", law=drawn).read_text()

    assert page.startswith(f"# {brief.title}\n")
    for paragraph in brief.paragraphs:
        assert all(f"- {sentence}\n" in page for sentence in paragraph.sentences)


def test_another_suffix_is_refused(plan: Plan, drawn: Fit, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.html or \.md, not '\.pdf'"):
        write_brief(plan, tmp_path / "brief.pdf", law=drawn)
