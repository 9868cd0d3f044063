"""What would change a plan, as values: the answer as planned, and the answer to each change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal, get_args

import pandas as pd

from allometry.errors import InputError
from allometry.planning.published import published_fit
from allometry.planning.surfaces import Surface
from allometry.units import show_count

Number = Literal["params", "tokens", "loss", "usd"]
NUMBERS: tuple[Number, ...] = get_args(Number)

# Hoffmann et al. 2022, equation 10: as printed. Here to show what rounding did; nothing is planned with it.
PRINTED_2022 = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


class Kind(StrEnum):
    """What kind of thing is changed."""

    LAW = "law"
    COEFFICIENT = "coefficient"
    PRICE = "price"
    UTILISATION = "utilisation"
    DEMAND = "demand"
    SERVING = "serving"
    DATA = "data"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to train, and what comes of it.

    Attributes:
        params, tokens: What to train.
        loss: Predicted, in the unit of the law; NaN for a law of another text or none of the loss.
        flops: Of training and of what is served, in FLOP of training.
        usd: What those cost; NaN without a price.
    """

    params: float
    tokens: float
    loss: float
    flops: float
    usd: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing changed, and the answer then.

    Attributes:
        kind, what: What was changed: "coefficient", "alpha".
        setting: To what, in words.
        answer: To the same question.
    """

    kind: Kind
    what: str
    setting: str
    answer: Answer


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivity:
    """What would change a plan, and by how much.

    Attributes:
        asked: The question in words.
        law: What answers it as planned.
        base: The answer as planned.
        changes: One entry a changed setting.
        elasticities: One row a coefficient: percent by which params, tokens, loss and usd change for one
            percent more of it, all else as it is.
        level: Of the intervals whose ends the coefficients are moved to.
        own: Whether the law was fitted on own runs.
        notes: What was left out and why, in sentences.
    """

    asked: str
    law: str
    base: Answer
    changes: tuple[Change, ...]
    elasticities: pd.DataFrame
    level: float
    own: bool
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row a change: kind, what, setting, the answer's numbers, and each over the base's."""
        return pd.DataFrame([self._row(change) for change in self.changes])

    @property
    def spread(self) -> tuple[float, float]:
        """Least and largest best size by the published laws."""
        sizes = [one.answer.params for one in self.changes if one.kind is Kind.LAW]
        return min(sizes), max(sizes)

    def over_base(self, change: Change, number: Number) -> float:
        """A number of a changed answer over that of the plan."""
        return float(getattr(change.answer, number) / getattr(self.base, number))

    def effect(self, change: Change, number: Number) -> float:
        """Size of a change as a logarithm; 0 where the number does not change or is not known."""
        ratio = self.over_base(change, number)
        # Nine digits: the rounding of a search is no effect.
        return round(abs(math.log(ratio)), 9) if ratio > 0 and math.isfinite(ratio) else 0.0

    def ranked(self, by: Number = "params") -> tuple[Change, ...]:
        """The changes, the largest effect on a number first; what does not touch it by its effect on others.

        Raises:
            InputError: If an answer has no such number.
        """
        if by not in NUMBERS:
            raise InputError(f"An answer has no '{by}'; it has: {', '.join(NUMBERS)}.")
        order = [by, *(name for name in NUMBERS if name != by)]
        effects = {id(one): [self.effect(one, name) for name in order] for one in self.changes}
        return tuple(sorted(self.changes, key=lambda one: effects[id(one)], reverse=True))

    def summary(self, by: Number = "params") -> str:
        """The plan, then what changes it, the largest effect on `by` first."""
        return "\n".join(_sentences(self, by))

    def _row(self, change: Change) -> dict[str, object]:
        ratios = {f"{name}_ratio": self.over_base(change, name) for name in NUMBERS}
        named = {"kind": str(change.kind), "what": change.what, "setting": change.setting}
        return {**named, **asdict(change.answer), **ratios}


def rounding_words(flops: float) -> str:
    """Why the digits printed in 2022 are not among the laws.

    >>> "from 58.9 to 92.6 tokens per parameter" in rounding_words(5.76e23)
    True
    """
    laws = (published_fit("hoffmann_2022").surface(), Surface.from_coefficients(PRINTED_2022))
    exact, printed = (_tokens_per_parameter(law, flops) for law in laws)
    return (
        "The digits printed in 2022 are not among the laws: rounding moved the best for training alone from "
        f"{exact:.3g} to {printed:.3g} tokens per parameter at this compute."
    )


def _tokens_per_parameter(surface: Surface, flops: float) -> float:
    params, tokens = surface.best(flops)
    return float(tokens[0] / params[0])


def _sentences(found: Sensitivity, by: Number) -> Iterator[str]:
    yield f"What would change the plan for {found.asked}, by {found.law}"
    yield f"  {'as planned':45s} {_answer_words(found.base)}"
    for change in found.ranked(by):
        yield f"  {f'{change.what}: {change.setting}':45s} {_answer_words(change.answer)}"
    yield from (f"  {note}" for note in found.notes)


def _answer_words(answer: Answer) -> str:
    size, data = f"{show_count(answer.params):>6s} params", f"{show_count(answer.tokens):>6s} tokens"
    loss = "" if math.isnan(answer.loss) else f"  loss {answer.loss:.4g}"
    return f"{size}  {data}{loss}" + ("" if math.isnan(answer.usd) else f"  {show_count(answer.usd)} USD")
