"""Which parts a report has beside its fits, forecasts and runs, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from allometry.report.attempts_section import attempts_section
from allometry.report.axes_section import axis_section
from allometry.report.chain_section import chain_section
from allometry.report.contents import Contents
from allometry.report.emergence_section import emergence_section
from allometry.report.families_section import families_section
from allometry.report.laws_compared import comparison_section
from allometry.report.optima import approaches_section, frontier_section
from allometry.report.plan_section import plan_section
from allometry.report.recipes_compared import multiplier_section
from allometry.report.section import Section
from allometry.report.supply_section import supply_section
from allometry.report.trend_section import progress_section, trend_section

_PARTS: tuple[tuple[str, Callable[[Any, int], Section]], ...] = (
    ("multipliers", multiplier_section),
    ("comparisons", comparison_section),
    ("approaches", approaches_section),
    ("frontiers", frontier_section),
    ("trends", trend_section),
    ("progress", progress_section),
    ("supplies", supply_section),
    ("tasks", chain_section),
    ("families", families_section),
    ("emergences", emergence_section),
    ("attempts", attempts_section),
    ("axes", axis_section),
)


def sections(contents: Contents) -> Iterator[Section]:
    """One part for each plan that was asked for, each comparison and each other result."""
    for place, plan in enumerate(contents.asked, start=1):
        yield plan_section(plan, contents.fits, place)
    for kind, section_of in _PARTS:
        for place, result in enumerate(getattr(contents, kind), start=1):
            yield section_of(result, place)
