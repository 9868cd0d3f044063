"""The part of a report on a plan: the library's own answers, and nothing where the law is not here."""

from __future__ import annotations

import pytest

from allometry.fitting import Fit
from allometry.planning.allocation import Plan, allocate
from allometry.planning.sensitivity import sensitivity
from allometry.report.contents import gather
from allometry.report.plan_section import law_of, plan_section
from allometry.report.section import Section
from allometry.report.sections import sections


@pytest.fixture(scope="module")
def plan(drawn: Fit) -> Plan:
    return allocate(drawn, usd=2e4, device="h100-sxm")


@pytest.fixture(scope="module")
def shown(plan: Plan, drawn: Fit) -> Section:
    return plan_section(plan, [drawn], 1)


def test_a_plan_on_a_device_has_its_trades_its_spending_and_its_changes(shown: Section) -> None:
    titles = [figure.title for figure in shown.figures]

    assert titles[0] == "Size against data at equal loss"
    assert sum(title.startswith("What a loss takes") for title in titles) == 2  # money and energy
    assert any(title.startswith("What would change the plan") for title in titles)


def test_the_table_has_every_change_ranked(shown: Section, plan: Plan, drawn: Fit) -> None:
    ranked = sensitivity(drawn, plan.question).ranked()

    (table,) = shown.tables
    assert [row[:2] for row in table.rows] == [(one.what, one.setting) for one in ranked]


def test_a_plan_whose_law_is_not_here_is_told_in_words(plan: Plan) -> None:
    told = plan_section(plan, [], 1)

    assert not told.figures
    assert told.sentences[0].startswith("Train ")


def test_a_published_law_is_found_by_its_name() -> None:
    assert law_of(allocate("besiroglu_2024", flops=1e22), []) == "besiroglu_2024"


def test_a_report_has_a_part_for_each_plan_that_is_given(plan: Plan, drawn: Fit) -> None:
    assert [part.slug for part in sections(gather([drawn, plan]))] == ["plan-1"]
    assert not list(sections(gather(drawn)))
