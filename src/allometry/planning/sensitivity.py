"""What would change a plan: the law, its coefficients, prices, utilisation, and how much will be served.

One thing is changed at a time, and the question is answered again: the same budget or the same target.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from allometry.errors import InputError
from allometry.fitting.result import Fit, middle
from allometry.planning.changes import NUMBERS, Answer, Change, Kind, Number, Sensitivity, rounding_words
from allometry.planning.cost import budget_flops
from allometry.planning.inference import best_to_own, cheapest_to_own
from allometry.planning.published import PUBLISHED, PublishedFit, PublishedRule
from allometry.planning.quantities import Quantity
from allometry.planning.questions import Question
from allometry.planning.rates import Rate
from allometry.planning.surfaces import Array, Surface, reachable
from allometry.units import show_count

Source = Fit | Surface | PublishedFit

_COEFFICIENTS = ("E", "A", "B", "alpha", "beta")
_STEP = 1e-4  # of the logarithm of a coefficient, for slopes by central differences
_FEWEST_DRAWS = 3  # to see how the coefficients move together


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A question as numbers: compute to spend or a loss to reach, and what a FLOP costs."""

    flops: float | None
    loss: float | None
    served: float  # tokens, weighted by what they cost against training; 0 where the budget pays for none
    usd_per_flop: float

    def answer(self, surface: Surface) -> Answer:
        """By the first set of coefficients."""
        first = replace(surface, **{name: getattr(surface, name)[:1] for name in _COEFFICIENTS})
        if self.flops is not None:
            params, tokens = (float(one[0]) for one in best_to_own(first, self.flops, self.served))
        else:
            params, tokens = (float(one[0]) for one in cheapest_to_own(first, self.loss or 0.0, self.served))
        spent = 6 * params * tokens + 2 * params * self.served
        loss = float(first.loss(params, tokens)[0])
        return Answer(params=params, tokens=tokens, loss=loss, flops=spent, usd=spent * self.usd_per_flop)


def sensitivity(fit: Source | None, question: Question) -> Sensitivity:
    """What would change the answer to a question.

    Each published law is asked the same at the same compute. Its loss is left out, because a loss of another
    text and tokenizer is another quantity. Each coefficient is moved to both ends of its interval, and the
    others follow as they do in the draws: the coefficients of a law are known together, and one that moved
    alone would leave the runs. Price and utilisation are moved to the ends of their ranges; what is served,
    where the budget pays for it, to nothing, half and double. All are asked with as much fresh data as they
    need.

    Args:
        fit: An own fit, the surface of one, or a published law. With None the published law whose size is in
            the middle for this question answers, and the spread over all is the result.
        question: Budget or target, and what stands around it.

    Raises:
        InputError: If a target is given without a law of its text, or it is under the floor.

    >>> from allometry.planning.published import published_fit
    >>> found = sensitivity(published_fit("besiroglu_2024"), Question(flops=5.76e23))
    >>> top = found.ranked("params")[0]
    >>> top.what, round(found.over_base(top, "params"), 2)
    ('kaplan_2020', 3.34)
    """
    task = _task(question)
    law = fit if fit is not None else _middle_law(task)
    surface = surface_of(law)
    if task.loss is not None:
        reachable(surface, task.loss)
    base = task.answer(surface)
    changes = (
        *_laws(law, task, base),
        *_moved_coefficients(surface, task, question.level),
        *_moved_rates(surface, task, question),
        *_moved_demands(surface, task),
    )
    return Sensitivity(
        asked=question.asked() + _demand_words(question, task),
        law=surface.name,
        base=base,
        changes=changes,
        elasticities=_elasticities(surface, task),
        level=question.level,
        own=isinstance(fit, Fit | Surface),
        notes=tuple(_notes(fit, surface, base, changes, question)),
    )


def surface_of(law: Source) -> Surface:
    """The surface of a fit, of a published law, or as it is.

    Raises:
        FitError: If a fit's law has no such surface.
        InputError: If a published law has none.
    """
    if isinstance(law, Surface):
        return law
    return Surface.of(law) if isinstance(law, Fit) else law.surface()


def _task(question: Question) -> _Task:
    demand = question.demand
    counted = demand is not None and (question.pays_for == "life" or question.kind == "loss")
    return _Task(
        flops=None if question.kind == "loss" else _flops(question),
        loss=question.loss,
        served=demand.weighted_tokens if demand is not None and counted else 0.0,
        usd_per_flop=_usd_per_flop(question.rate, priced=question.kind == "usd"),
    )


def _flops(question: Question) -> float:
    if question.flops is not None or question.rate is None:
        return question.amount
    named = {question.kind: question.amount}
    return budget_flops(question.rate, devices=question.devices, **named).value


def _usd_per_flop(rate: Rate | None, *, priced: bool) -> float:
    if rate is None:
        return math.nan
    price = rate.price or (rate.device.rental() if priced else None)
    return math.nan if price is None else price.value / rate.flops_per_hour.value


def _middle_law(task: _Task) -> PublishedFit:
    """The published law of the middle size, so that a plan without own runs has nothing special about it."""
    if task.flops is None:
        raise InputError(
            "A target loss belongs to a text and a tokenizer: give the law of that text, fitted or published."
        )
    sizes = {name: task.answer(one.surface()).params for name, one in _with_surfaces().items()}
    return _with_surfaces()[sorted(sizes, key=lambda name: sizes[name])[len(sizes) // 2]]


def _with_surfaces() -> dict[str, PublishedFit]:
    return {
        name: one for name, one in PUBLISHED.items() if _has_surface(one) and isinstance(one, PublishedFit)
    }


def _has_surface(law: PublishedFit | PublishedRule) -> bool:
    return isinstance(law, PublishedFit) and "E" in law.coefficients


def _laws(law: Source, task: _Task, base: Answer) -> Iterator[Change]:
    """Every other published law at the compute of the plan; one without a surface cannot weigh serving."""
    same = replace(task, flops=base.flops, loss=None)
    for other in PUBLISHED.values():
        if other is law or (task.served and not _has_surface(other)):
            continue
        cited = other.source.partition(",")[0]
        yield Change(kind=Kind.LAW, what=other.name, setting=cited, answer=_published(other, law, same, base))


def _published(other: PublishedFit | PublishedRule, law: Source, task: _Task, base: Answer) -> Answer:
    if isinstance(other, PublishedFit) and _has_surface(other):
        answer = task.answer(other.surface())
        comparable = isinstance(law, PublishedFit) and law.loss_of == other.loss_of
        return answer if comparable else replace(answer, loss=math.nan)
    best = other.optimum(base.flops)
    return replace(base, params=best.params, tokens=best.tokens, loss=math.nan)


def _moved_coefficients(surface: Surface, task: _Task, level: float) -> Iterator[Change]:
    """Each coefficient at both ends of its interval, the others where the draws then have them."""
    logs = np.log(np.array([getattr(surface, name) for name in _COEFFICIENTS]))
    drawn = logs[:, 1:]
    for place, name in enumerate(_COEFFICIENTS):
        if drawn.shape[1] < _FEWEST_DRAWS or not np.ptp(drawn[place]) > 0:
            continue
        slopes = np.cov(drawn)[place] / np.var(drawn[place], ddof=1)
        for end in middle(drawn[place], level):
            answer = task.answer(_one(surface, np.exp(logs[:, 0] + slopes * (end - logs[place, 0]))))
            yield Change(kind=Kind.COEFFICIENT, what=name, setting=f"{math.exp(end):.4g}", answer=answer)


def _moved_rates(surface: Surface, task: _Task, question: Question) -> Iterator[Change]:
    """Price and utilisation at the ends of their ranges; a budget in FLOP stays what it is."""
    rate = question.rate
    if rate is None:
        return
    price = None if math.isnan(task.usd_per_flop) else rate.price or rate.device.rental()
    for end, ratio in _ends(price):
        moved = _repriced(task, ratio, 1 / ratio if question.kind == "usd" else 1.0)
        yield Change(
            kind=Kind.PRICE, what="price of an hour", setting=f"{end:.3g} USD", answer=moved.answer(surface)
        )
    for end, ratio in _ends(rate.utilisation):
        moved = _repriced(task, 1 / ratio, 1.0 if question.kind == "flops" else ratio)
        yield Change(
            kind=Kind.UTILISATION, what="utilisation", setting=f"{end:.3g}", answer=moved.answer(surface)
        )


def _repriced(task: _Task, dearer: float, more: float) -> _Task:
    flops = None if task.flops is None else task.flops * more
    return replace(task, usd_per_flop=task.usd_per_flop * dearer, flops=flops)


def _moved_demands(surface: Surface, task: _Task) -> Iterator[Change]:
    if not task.served:
        return
    for factor, words in ((0.0, "nothing"), (0.5, "half of it"), (2.0, "twice as much")):
        answer = replace(task, served=factor * task.served).answer(surface)
        yield Change(kind=Kind.DEMAND, what="tokens served", setting=words, answer=answer)


def _ends(quantity: Quantity | None) -> Sequence[tuple[float, float]]:
    """Ends of a range, each with its ratio to the value; none where there is no range."""
    if quantity is None or not quantity.low < quantity.high:
        return ()
    return [(end, end / quantity.value) for end in (quantity.low, quantity.high)]


def _elasticities(surface: Surface, task: _Task) -> pd.DataFrame:
    now = np.array([float(getattr(surface, name)[0]) for name in _COEFFICIENTS])
    rows = []
    for place, name in enumerate(_COEFFICIENTS):
        step = np.zeros(len(now))
        step[place] = _STEP
        less, more = (task.answer(_one(surface, now * np.exp(sign * step))) for sign in (-1, 1))
        slopes = {str(one): _slope(less, more, one) for one in NUMBERS}
        rows.append({"coefficient": name, **slopes})
    return pd.DataFrame(rows)


def _slope(less: Answer, more: Answer, number: Number) -> float:
    return math.log(getattr(more, number) / getattr(less, number)) / (2 * _STEP)


def _one(surface: Surface, coefficients: Array) -> Surface:
    """The surface with one set of coefficients, in the order of their names."""
    E, A, B, alpha, beta = coefficients[:, None]
    return replace(surface, E=E, A=A, B=B, alpha=alpha, beta=beta)


def _demand_words(question: Question, task: _Task) -> str:
    if question.demand is None or not task.served:
        return ""
    return f" with {show_count(question.demand.tokens)} tokens served"


def _notes(
    fit: Source | None, surface: Surface, base: Answer, changes: Sequence[Change], question: Question
) -> Iterator[str]:
    sizes = [one.answer.params for one in changes if one.kind is Kind.LAW]
    low, high = show_count(min(sizes)), show_count(max(sizes))
    yield (
        f"Published laws ask for {low} to {high} parameters at this compute; losses of other texts are not "
        "compared."
    )
    if not isinstance(fit, Fit | Surface):
        yield f"No law here is fitted on your runs, so the spread is the answer. {rounding_words(base.flops)}"
    if len(surface.E) <= _FEWEST_DRAWS:
        yield "No coefficient was moved to an end of its interval because there are no draws."
    if question.unique_tokens is not None:
        yield "All were asked without the limit of unique tokens; see plan_with_data for that."
