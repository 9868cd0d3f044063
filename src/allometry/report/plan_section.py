"""The part of a report on a plan: what it takes, what it trades, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allometry import plots
from allometry.errors import FitError
from allometry.fitting import Fit
from allometry.planning.allocation import Plan
from allometry.planning.changes import Number, Sensitivity
from allometry.planning.sensitivity import Source, sensitivity
from allometry.plots.spending import Spent
from allometry.report.brief import answer_words, chance_words, cost_words
from allometry.report.figure import Figure, as_figure
from allometry.report.numbers import count, places, short
from allometry.report.section import Section
from allometry.report.tables import Table, number, words

_SHOWN: tuple[Number, ...] = ("params", "usd")


def plan_section(plan: Plan, fits: Sequence[Fit], place: int) -> Section:
    """A plan with its trades and what would change it; in words alone where its law is not here.

    Args:
        fits: Of the report; one of them may be what the plan was made from.
        place: Of the plan among those of the report, from 1.
    """
    law = law_of(plan, fits)
    found = None if law is None else _changed(plan, law)
    return Section(
        slug=f"plan-{place}",
        title=f"The plan for {plan.question.asked()}",
        sentences=(answer_words(plan), " ".join(cost_words(plan)), " ".join(chance_words(plan))),
        figures=() if law is None or found is None else tuple(_figures(plan, law, found)),
        tables=() if found is None else (changes_table(found),),
        notes=(*plan.notes, *(() if found is None else found.notes)),
    )


def law_of(plan: Plan, fits: Sequence[Fit]) -> Source | None:
    """What the plan was made from: one of the fits, a published law's name, or None where it is not here."""
    if not plan.fit_hash:
        return plan.source.partition(" (")[0]
    return next((fit for fit in fits if fit.fit_hash == plan.fit_hash), None)


def changes_table(found: Sensitivity) -> Table:
    """One row a change, the largest effect on size first."""
    headers = (
        words("changed"), words("to"), number("parameters", "1"), number("tokens", "token"),
        number("predicted loss"), number("cost", "USD"), number("size over that planned"),
    )  # fmt: skip
    rows = tuple(
        (
            one.what, one.setting, count(one.answer.params), count(one.answer.tokens),
            places(one.answer.loss, 3), count(one.answer.usd), short(found.over_base(one, "params")),
        )
        for one in found.ranked()
    )  # fmt: skip
    return Table(title=f"What would change the plan for {found.asked}", headers=headers, rows=rows)


def _changed(plan: Plan, law: Source) -> Sensitivity | None:
    try:
        return sensitivity(law, plan.question)
    except FitError:  # a law of another shape: the plan itself is all that can be said
        return None


def _figures(plan: Plan, law: Source, found: Sensitivity) -> Iterator[Figure]:
    try:
        yield as_figure(plots.equal_loss_lines(plan, law))
        yield as_figure(plots.trade_at_equal_loss(plan, law))
        for spent in _spent(plan):
            yield as_figure(plots.least_loss(plan, law, spent), small=spent != "flops")
    except FitError:  # no floor plus a power of each: no such lines
        pass
    for by in _SHOWN:
        if any(found.effect(one, by) > 0 for one in found.changes):
            yield as_figure(plots.what_would_change(found, by))


def _spent(plan: Plan) -> Iterator[Spent]:
    yield "flops"
    if plan.cost is not None and plan.cost.run.money is not None:
        yield "usd"
    if plan.cost is not None and plan.cost.run.energy is not None:
        yield "kilowatt_hours"
