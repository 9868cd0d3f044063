"""The brief: one page for the person who pays, from what it costs to how past forecasts did."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from allometry import plots
from allometry.errors import FitError
from allometry.fitting.result import FitStatus
from allometry.forecasts.scoring import score
from allometry.planning.allocation import Plan, answer
from allometry.planning.changes import Change, Kind
from allometry.planning.cost import Costs
from allometry.planning.quantities import ranged
from allometry.planning.sensitivity import Source, sensitivity
from allometry.report.numbers import beyond_words, count, places, power, short
from allometry.runs.study import Study
from allometry.units import show_count

_MORE = 1.1  # times the budget: what the next tenth buys
_BETTER = 0.99  # of a target loss: what one percent less takes
_TOLD = 3  # changes that are named
_INNER = (Kind.LAW, Kind.COEFFICIENT)  # told as one range, and left to the report
_TOLD_CHANCES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """One question and its answer in sentences."""

    question: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What the page says.

    Attributes:
        title: What is planned.
        answer: In one sentence.
        paragraphs: The questions of who pays, in their order.
        chart: The least loss against what is spent, as Altair chart; None where the law has no such line.
    """

    title: str
    answer: str
    paragraphs: tuple[Paragraph, ...]
    chart: object | None


def make_brief(plan: Plan, law: Source, study: Study | None = None) -> Brief:
    """The page's words, computed from a plan, the law it was made from, and a study's scored forecasts.

    Args:
        law: A fit or the name of a published one.
        study: Whose register says how past forecasts did.
    """
    return Brief(
        title=f"Training plan for {plan.question.asked()}",
        answer=answer_words(plan),
        paragraphs=(
            Paragraph(question="What does it cost?", sentences=tuple(cost_words(plan))),
            Paragraph(question="What will it reach?", sentences=tuple(chance_words(plan))),
            Paragraph(question=_next_question(plan), sentences=(_next(plan, law),)),
            Paragraph(question="What would change the answer?", sentences=tuple(_changes(plan, law))),
            Paragraph(question="What was assumed?", sentences=tuple(_assumed(plan))),
            Paragraph(question="How did past forecasts do?", sentences=tuple(_past(study))),
        ),
        chart=_chart(plan, law),
    )


def answer_words(plan: Plan) -> str:
    """What to train, and what it will measure, in one sentence."""
    loss = plan.output.replace("_", " ")
    return (
        f"Train {count(plan.params.value)} parameters on {count(plan.tokens.value)} tokens; the {loss} is "
        f"forecast at {places(plan.loss.value, 3)} {plan.loss.unit}."
    )


def cost_words(plan: Plan) -> Iterator[str]:
    """What training and serving take, and what is not known of it."""
    yield f"Compute: {plan.compute.show(power)}."
    if plan.cost is None:
        yield "No money, time or energy, because no device was named."
        return
    sheet, title = plan.cost, plan.cost.rate.device.title
    yield (
        f"Training: {ranged(sheet.run.device_hours, show_count)} hours of {title}, {ranged(sheet.days)} days "
        f"on {sheet.devices}; {_money(sheet.run)}."
    )
    if plan.serving is not None and plan.question.demand is not None:
        served = show_count(plan.question.demand.tokens)
        yield f"Serving {served} tokens on the same kind of device: {_money(plan.serving)}."
    yield from (f"No {name}, because {why}." for name, why in sheet.missing.items() if name != "carbon")


def _money(costs: Costs) -> str:
    named = (costs.money, costs.energy, costs.carbon)
    return ", ".join(one.show(show_count) for one in named if one is not None) or "no price is known"


def chance_words(plan: Plan) -> Iterator[str]:
    """What the run will reach with which probability, or why there is none."""
    if plan.no_interval_because:
        yield f"No probabilities, because {plan.no_interval_because}."
    elif plan.quantiles:
        chances = [f"{100 * p:g}% to measure {places(plan.quantiles[p], 3)} or less" for p in _TOLD_CHANCES]
        unit = plan.loss.unit
        yield f"Chances for one run of the planned compute: {', '.join(chances)} ({unit})."
    if plan.loss.low < plan.loss.high:
        yield (
            f"{100 * plan.level:g}% range, with what is not known of the compute: "
            f"{places(plan.loss.low, 3)} to {places(plan.loss.high, 3)}."
        )
    if plan.requirements is not None and not math.isnan(plan.requirements.reachable):
        yield f"Probability that the target can be reached at all: {short(plan.requirements.reachable)}."
    yield f"Of the largest fitted run it takes {beyond_words(dict(plan.beyond))}."


def _next_question(plan: Plan) -> str:
    target = plan.question.kind == "loss"
    return "What does one percent less loss take?" if target else "What do the next 10% buy?"


def _next(plan: Plan, law: Source) -> str:
    if plan.question.kind == "loss":
        better = answer(law, replace(plan.question, loss=_BETTER * plan.question.amount))
        return (
            f"{short(better.flops / plan.flops)} times the compute: {count(better.params.value)} parameters "
            f"on {count(better.tokens.value)} tokens."
        )
    more = answer(law, plan.question.scaled(_MORE))
    gained = plan.loss.value - more.loss.value
    return (
        f"{short(gained, 2)} {plan.loss.unit} less, with {count(more.params.value)} parameters on "
        f"{count(more.tokens.value)} tokens."
    )


def _changes(plan: Plan, law: Source) -> Iterator[str]:
    found = sensitivity(law, plan.question)
    ranked = found.ranked("params")
    for what in list(dict.fromkeys(one.what for one in ranked if one.kind not in _INNER))[:_TOLD]:
        yield f"{what[0].upper()}{what[1:]}: {_settings([one for one in ranked if one.what == what])}."
    low, high = found.spread
    yield f"Published laws ask for {count(low)} to {count(high)} parameters at this compute."


def _settings(changes: list[Change]) -> str:
    first, *others = (f"{one.setting}, {count(one.answer.params)}" for one in changes)
    return "; ".join([f"{first} parameters", *others])


def _assumed(plan: Plan) -> Iterator[str]:
    yield f"Law: {plan.law}, fitted on {plan.source}. Ranges hold if it holds that far."
    yield from plan.notes
    if plan.status not in (FitStatus.CONVERGED, None):
        yield f"The fit is {str(plan.status).replace('_', ' ')}: look at it before money is spent."
    if plan.question.rate is not None:
        rate = plan.question.rate
        yield f"Utilisation {rate.utilisation.show()}: {rate.utilisation.origin}."
        priced = (one for one in (rate.price, rate.power) if one is not None)
        yield from (f"{one.show()}: {one.origin}." for one in priced)
    if plan.question.unique_tokens is not None:
        yield f"Unique tokens: {count(plan.question.unique_tokens)}."


def _past(study: Study | None) -> Iterator[str]:
    if study is None:
        yield "Not known: no study with registered forecasts was given."
        return
    scores = score(study)
    done = scores[(scores["status"] == "done") & scores["counts"]]
    if done.empty:
        yield f"{study.folder.name} has {len(scores)} registered forecasts and none with an outcome yet."
        return
    inside = int(done["inside"].fillna(False).sum())
    error = float(done["error_percent"].abs().median())
    yield (
        f"{len(done)} stated before the run and measured since: {inside} inside their interval, half of them "
        f"wrong by {short(error, 2)}% or less."
    )


def _chart(plan: Plan, law: Source) -> object | None:
    money = plan.cost is not None and plan.cost.run.money is not None
    try:
        return plots.least_loss(plan, law, "usd" if money else "flops")
    except FitError:  # a law of another shape: the words say all that is known
        return None
