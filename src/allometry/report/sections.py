"""Which parts a report has beside its fits, forecasts and runs, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator

from allometry.report.attempts_section import attempts_section
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


def sections(contents: Contents) -> Iterator[Section]:
    """One part for each plan that was asked for, each comparison and each other result."""
    for place, plan in enumerate(contents.asked, start=1):
        yield plan_section(plan, contents.fits, place)
    for place, recipes in enumerate(contents.multipliers, start=1):
        yield multiplier_section(recipes, place)
    for place, laws in enumerate(contents.comparisons, start=1):
        yield comparison_section(laws, place)
    for place, approaches in enumerate(contents.approaches, start=1):
        yield approaches_section(approaches, place)
    for place, frontier in enumerate(contents.frontiers, start=1):
        yield frontier_section(frontier, place)
    for place, series in enumerate(contents.trends, start=1):
        yield trend_section(series, place)
    for place, progress in enumerate(contents.progress, start=1):
        yield progress_section(progress, place)
    for place, supply in enumerate(contents.supplies, start=1):
        yield supply_section(supply, place)
    for place, tasks in enumerate(contents.tasks, start=1):
        yield chain_section(tasks, place)
    for place, families in enumerate(contents.families, start=1):
        yield families_section(families, place)
    for place, found in enumerate(contents.emergences, start=1):
        yield emergence_section(found, place)
    for place, tried in enumerate(contents.attempts, start=1):
        yield attempts_section(tried, place)
