"""What would change a plan: the law, its coefficients, prices, utilisation, what is served, and the data.

One thing is changed at a time, and the question is answered again: the same budget or the same target.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.result import Fit, middle
from allometry.planning.basis import Basis, basis_of
from allometry.planning.budgets import bought
from allometry.planning.changes import NUMBERS, Answer, Change, Kind, Number, Sensitivity, rounding_words
from allometry.planning.divisions import divided, served_tokens, stock_of
from allometry.planning.inference import Demand
from allometry.planning.memory import BITS
from allometry.planning.published import PUBLISHED, PublishedFit, PublishedRule
from allometry.planning.quantities import Quantity, exactly
from allometry.planning.questions import Question
from allometry.planning.rates import Rate
from allometry.planning.surfaces import reachable
from allometry.units import show_count

Array = NDArray[np.float64]
Source = Fit | PublishedFit | str

_STEP = 1e-4  # of the logarithm of a coefficient, for slopes by central differences
_FEWEST_DRAWS = 3  # to see how the coefficients move together
_FEWER_BITS = ("float8", "int4")  # of served weights
_FACTORS = ((0.5, "half"), (2.0, "twice"))


def sensitivity(fit: Source | None, question: Question) -> Sensitivity:
    """What would change the answer to a question.

    Each published law is asked the same at the same compute. Its loss is left out, because a loss of another
    text and tokenizer is another quantity. Each coefficient is moved to both ends of its interval, and the
    others follow as they do in the draws: the coefficients of a law are known together, and one that moved
    alone would leave the runs. Price and utilisation are moved to the ends of their ranges; what is served
    and the stock of unique tokens to half, double, and none of either. What a served token costs is moved to
    half and double, by its utilisation and by its price, and to what weights of fewer bits would read:
    decoding is bound by memory, and what it costs in accuracy is not known here.

    Args:
        fit: An own fit, or a published one or its name. With None the published law whose size is in the
            middle for this question answers, and the spread over all is the result.
        question: Budget or target, and what stands around it.

    Raises:
        InputError: If a target is given without a law of its text, or it is under the floor.
        FitError: As of `allocate`.

    >>> found = sensitivity("besiroglu_2024", Question(flops=5.76e23))
    >>> top = found.ranked("params")[0]
    >>> top.what, round(found.over_base(top, "params"), 2)
    ('kaplan_2020', 3.34)
    """
    law = fit if fit is not None else middle_law(question)
    basis = _basis(law, question)
    if question.loss is not None:
        reachable(basis.surface(), question.loss)
    base = _answer(basis, question)
    laws = tuple(_laws(law, question, base))
    return Sensitivity(
        asked=question.asked() + _around(question),
        law=f"{basis.law.name} on {basis.source}",
        base=base,
        changes=(*laws, *_moved_coefficients(basis, question), *_moved_questions(basis, question)),
        elasticities=_elasticities(basis, question),
        level=question.level,
        own=isinstance(fit, Fit),
        notes=tuple(_notes(fit, basis, base, laws, served=question.demand is not None)),
    )


def _basis(law: Source, question: Question) -> Basis:
    basis = basis_of(law)
    return basis if question.unique_tokens is None else basis.with_repeats(question.unique_tokens)


def _answer(basis: Basis, question: Question) -> Answer:
    """By the fitted coefficients."""
    first = basis.fitted().weighing(question.weight)
    budget = math.nan if question.kind == "loss" else bought(question).value
    found = divided(first, question, budget)
    params, tokens = float(found.params[0]), float(found.tokens[0])
    spent = 6 * params * tokens + 2 * params * served_tokens(question)
    loss = float(first.loss(found.params, found.tokens, stock_of(question))[0])
    usd = spent * _usd_per_flop(question.rate)
    return Answer(params=params, tokens=tokens, loss=loss, flops=spent, usd=usd)


def _usd_per_flop(rate: Rate | None) -> float:
    known = rate is not None and rate.price is not None
    return rate.price.value / rate.flops_per_hour.value if known else math.nan  # type: ignore[union-attr]


def middle_law(question: Question) -> str:
    """Name of the published law of the middle size, so that a plan without own runs is none of the extremes.

    Raises:
        InputError: If the question is a target loss, which belongs to one text.

    >>> middle_law(Question(flops=1e22))
    'muennighoff_2023'
    """
    if question.kind == "loss":
        raise InputError(
            "A target loss belongs to a text and a tokenizer: give the law of that text, fitted or published."
        )
    fits = [
        name for name, one in PUBLISHED.items() if isinstance(one, PublishedFit) and "E" in one.coefficients
    ]
    sizes = {name: _answer(_basis(name, question), question).params for name in fits}
    return sorted(sizes, key=lambda name: sizes[name])[len(sizes) // 2]


def _laws(law: Source, question: Question, base: Answer) -> Iterator[Change]:
    """Every other published law at the compute of the plan; those that cannot answer are left out."""
    paid = question.pays_for == "life"
    compute = base.flops if paid else 6 * base.params * base.tokens
    same = replace(question, **{question.kind: None, "flops": compute})  # type: ignore[arg-type]
    for other in PUBLISHED.values():
        cited = other.source.partition(",")[0]
        if law in (other, other.name):
            continue
        try:
            answer = _published(other, law, same, base)
        except (FitError, InputError):  # a rule knows no serving, and not every law knows repeats
            continue
        yield Change(kind=Kind.LAW, what=other.name, setting=cited, answer=answer)


def _published(other: PublishedFit | PublishedRule, law: Source, question: Question, base: Answer) -> Answer:
    if isinstance(other, PublishedFit):
        answer = _answer(_basis(other, question), question)
        return answer if _text(law) == other.loss_of else replace(answer, loss=math.nan)
    if question.demand is not None or question.unique_tokens is not None:
        raise InputError(f"'{other.name}' is a rule for fresh data and training alone.")
    best = other.optimum(base.flops)
    return replace(base, params=best.params, tokens=best.tokens, loss=math.nan)


def _text(law: Source) -> str:
    """What a published law's loss belongs to; empty for an own fit."""
    if isinstance(law, str):
        law = PUBLISHED[law.removeprefix("published:")]  # type: ignore[assignment]
    return law.loss_of if isinstance(law, PublishedFit) else ""


def _moved_coefficients(basis: Basis, question: Question) -> Iterator[Change]:
    """Each coefficient at both ends of its interval, the others where the draws then have them."""
    names = _positive(basis)
    logs = np.log(np.array([basis.coefficients[name] for name in names]))
    drawn = logs[:, 1:]
    for place, name in enumerate(names):
        if drawn.shape[1] < _FEWEST_DRAWS or not np.ptp(drawn[place]) > 0:
            continue
        slopes = np.cov(drawn)[place] / np.var(drawn[place], ddof=1)
        for end in middle(drawn[place], question.level):
            moved = np.exp(logs[:, 0] + slopes * (end - logs[place, 0]))
            answer = _answer(_with(basis, dict(zip(names, moved, strict=True))), question)
            yield Change(kind=Kind.COEFFICIENT, what=name, setting=f"{math.exp(end):.4g}", answer=answer)


def _moved_questions(basis: Basis, question: Question) -> Iterator[Change]:
    for kind, what, setting, other in _other_questions(question):
        yield Change(kind=kind, what=what, setting=setting, answer=_answer(basis, other))


def _other_questions(question: Question) -> Iterator[tuple[Kind, str, str, Question]]:
    yield from _other_rates(question)
    yield from _other_amounts(question)
    yield from _other_servings(question)


def _other_rates(question: Question) -> Iterator[tuple[Kind, str, str, Question]]:
    """The question with price and utilisation at the ends of their ranges."""
    rate = question.rate
    if rate is None:
        return
    for end in _ends(rate.price):
        priced = replace(rate, price=exactly(end, "USD/h", "an end of its range"))
        yield Kind.PRICE, "price of an hour", f"{end:.3g} USD", replace(question, rate=priced)
    for end in _ends(rate.utilisation):
        used = replace(rate, utilisation=exactly(end, "1", "an end of its range"))
        # A serving utilisation that is stated stays: its FLOP then cost more or less of training's.
        held = end / rate.utilisation.value if question.serving_utilisation is not None else 1.0
        moved = replace(question, rate=used, demand=_costing(question.demand, decode=held))
        yield Kind.UTILISATION, "utilisation", f"{end:.3g}", moved


def _other_amounts(question: Question) -> Iterator[tuple[Kind, str, str, Question]]:
    """The question with less and more that is served, and with other stocks of data."""
    demand, stock = question.demand, question.unique_tokens
    if demand is not None:
        nothing = replace(question, demand=None, pays_for="training")
        yield Kind.DEMAND, "tokens served", "nothing", nothing
        for factor, words in _FACTORS:
            prompts, written = factor * demand.prompt_tokens, factor * demand.generated_tokens
            moved = replace(demand, prompt_tokens=prompts, generated_tokens=written)
            yield Kind.DEMAND, "tokens served", words, replace(question, demand=moved)
    if stock is not None:
        for factor, words in _FACTORS:
            yield Kind.DATA, "unique tokens", words, replace(question, unique_tokens=factor * stock)
        yield Kind.DATA, "unique tokens", "no limit", replace(question, unique_tokens=None)
    if question.stock is not None:
        yield Kind.DATA, "weights of the data", "all 1", replace(question, stock=None)


def _other_servings(question: Question) -> Iterator[tuple[Kind, str, str, Question]]:
    """The question with a served token that costs more or less: utilisation, price, bytes of a weight."""
    if question.demand is None:
        return
    for factor, words in _FACTORS:
        used = _costing(question.demand, decode=1 / factor)
        yield Kind.SERVING, "serving utilisation", words, replace(question, demand=used)
        priced = _costing(question.demand, decode=factor, prefill=factor)
        yield Kind.SERVING, "price of serving", words, replace(question, demand=priced)
    for name in _FEWER_BITS:
        quantised = _costing(question.demand, decode=BITS[name] / BITS["bfloat16"])
        yield Kind.SERVING, "served weights", name, replace(question, demand=quantised)


def _costing(demand: Demand | None, *, decode: float, prefill: float = 1.0) -> Demand | None:
    """A demand whose FLOP cost so many times as much."""
    if demand is None:
        return None
    return replace(
        demand, decode_cost=decode * demand.decode_cost, prefill_cost=prefill * demand.prefill_cost
    )


def _ends(quantity: Quantity | None) -> Sequence[float]:
    if quantity is None or not quantity.low < quantity.high:
        return ()
    return quantity.low, quantity.high


def _elasticities(basis: Basis, question: Question) -> pd.DataFrame:
    rows = []
    for name in _positive(basis):
        now = float(basis.coefficients[name][0])
        ends = (now * math.exp(-_STEP), now * math.exp(_STEP))
        less, more = (_answer(_with(basis, {name: end}), question) for end in ends)
        slopes = {str(one): _slope(less, more, one) for one in NUMBERS}
        rows.append({"coefficient": name, **slopes})
    return pd.DataFrame(rows)


def _slope(less: Answer, more: Answer, number: Number) -> float:
    return math.log(getattr(more, number) / getattr(less, number)) / (2 * _STEP)


def _positive(basis: Basis) -> list[str]:
    """Coefficients that have a logarithm in every set; the others are not moved."""
    return [name for name, values in basis.coefficients.items() if (values > 0).all()]


def _with(basis: Basis, moved: Mapping[str, float]) -> Basis:
    """The basis with one set of coefficients, some of them moved."""
    one = {name: values[:1] for name, values in basis.coefficients.items()}
    return replace(basis, coefficients={**one, **{name: np.array([value]) for name, value in moved.items()}})


def _around(question: Question) -> str:
    served = "" if question.demand is None else f" with {show_count(question.demand.tokens)} tokens served"
    stock = question.unique_tokens
    return served + ("" if stock is None else f" from {show_count(stock)} unique tokens")


def _notes(
    fit: Source | None, basis: Basis, base: Answer, laws: Sequence[Change], *, served: bool
) -> Iterator[str]:
    sizes = [one.answer.params for one in laws]
    low, high = show_count(min(sizes)), show_count(max(sizes))
    yield (
        f"Published laws ask for {low} to {high} parameters at this compute; losses of other texts are not "
        "compared."
    )
    if not isinstance(fit, Fit):
        rounded = rounding_words(6 * base.params * base.tokens)
        yield f"No law here is fitted on your runs, so the spread is the answer. {rounded}"
    if served:
        yield (
            "Served weights of fewer bits are taken to cost as much less as they read fewer bytes; what they "
            "lose in accuracy is not known here."
        )
    if basis.sets <= _FEWEST_DRAWS:
        yield "No coefficient was moved to an end of its interval because there are no draws."
