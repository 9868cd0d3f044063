"""Published fits by name, as they were fitted: with source, all printed digits, conventions and range.

None is a default. Between them the best size for one budget differs by more than a factor of two, and a loss
of one tokenizer and one text is no loss of another. The coefficients printed in 2022 with two digits are not
here: rounded so far they ask for four times the tokens per parameter that the paper itself recommends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.allocation import optimal_params
from allometry.laws import LAWS, Law, data_constrained
from allometry.planning.numbers import require_number
from allometry.planning.published_ranges import StatedIntervals
from allometry.planning.surfaces import Surface, five_numbers
from allometry.registry import Catalog
from allometry.units import show_count, show_power

Array = NDArray[np.float64]

_FLOPS_PER_PARAMETER_TOKEN = 6.0  # Kaplan et al. 2020, section 2.1, arXiv:2001.08361


@dataclass(frozen=True, kw_only=True)
class FittedRange:
    """What the runs behind a fit covered, from the smallest to the largest.

    Attributes:
        params, tokens, flops: Ends; NaN where the source does not state them.
    """

    params: tuple[float, float] = (math.nan, math.nan)
    tokens: tuple[float, float] = (math.nan, math.nan)
    flops: tuple[float, float] = (math.nan, math.nan)

    def beyond(self, *, params: float, tokens: float) -> dict[str, float]:
        """Factor by which a plan exceeds the largest run, for each column that is known.

        >>> FittedRange(params=(1e8, 1e10)).beyond(params=7e10, tokens=1e12)
        {'params': 7.0}
        """
        plan = {"params": params, "tokens": tokens, "flops": _FLOPS_PER_PARAMETER_TOKEN * params * tokens}
        most = {"params": self.params[1], "tokens": self.tokens[1], "flops": self.flops[1]}
        return {name: plan[name] / end for name, end in most.items() if not math.isnan(end)}


@dataclass(frozen=True, kw_only=True)
class PublishedOptimum:
    """The compute-optimal point of a published fit at one budget.

    Attributes:
        loss: Predicted loss; NaN for a rule that predicts none.
        beyond: Column to the factor by which the point exceeds the largest run of the source; the summary
            states the largest of them.
    """

    name: str
    flops: float
    params: float
    tokens: float
    loss: float
    beyond: Mapping[str, float]

    @property
    def tokens_per_parameter(self) -> float:
        """Tokens over parameters."""
        return self.tokens / self.params

    def summary(self) -> str:
        """The point and how far it lies outside the fitted range, on one line."""
        far = max(self.beyond.values(), default=0.0)
        place = (
            f"{far:{'.3g' if far < 1000 else ',.0f'}} x the largest fitted"
            if far > 1
            else "inside the fitted range"
        )
        size, data = show_count(self.params), show_count(self.tokens)
        ratio = f"{self.tokens_per_parameter:.3g} tokens per parameter"
        return f"{self.name}: {size} parameters, {data} tokens, {ratio}; {place}"


@dataclass(frozen=True, kw_only=True)
class PublishedFit:
    """A law with coefficients from the literature.

    Attributes:
        name: In the catalog.
        law, coefficients: As fitted, with every digit that was published.
        source: Where the coefficients were read.
        params_convention: What its parameters count.
        loss_of: Text and tokenizer that the loss belongs to.
        digits: How precisely the coefficients are known, in words.
        fitted: Range of the runs.
        notes: What has misled people who used it.
        ranges: Intervals of the coefficients; None where the source gives none.
        runs: The public table of its runs, by the name that `read_runs` knows; empty where there is none.
    """

    name: str
    law: Law
    coefficients: Mapping[str, float]
    source: str
    params_convention: str
    loss_of: str
    digits: str
    fitted: FittedRange
    notes: str = ""
    ranges: StatedIntervals | None = None
    runs: str = ""

    def surface(self) -> Surface:
        """The fit as a floor plus a power of size plus a power of data, with its draws where it has some.

        Raises:
            InputError: If the law has another shape.
        """
        five = five_numbers(self.sets(), self.law)
        if five is None:
            raise InputError(f"Law '{self.law.name}' of '{self.name}' has no floor and no such surface.")
        return Surface(**five, unit="nat/token", name=self.name)

    def sets(self) -> dict[str, Array]:
        """Coefficient to its value, then to the draws that the source's intervals give; of shape (sets,).

        >>> len(PUBLISHED["besiroglu_2024"].sets()["A"]), len(PUBLISHED["hoffmann_2022"].sets()["A"])
        (501, 1)
        """
        drawn = {} if self.ranges is None else self.ranges.draws(self.coefficients)
        return {name: np.append(value, drawn.get(name, [])) for name, value in self.coefficients.items()}

    def no_ranges_because(self) -> str:
        """Why there are no draws; empty where there are.

        >>> PUBLISHED["muennighoff_2023"].no_ranges_because()
        'the source of muennighoff_2023 gives none; fit its runs for some, published:muennighoff2023'
        """
        if self.ranges is not None:
            return ""
        way_out = f"; fit its runs for some, {self.runs}" if self.runs else ""
        return f"the source of {self.name} gives none{way_out}"

    def optimum(self, flops: float) -> PublishedOptimum:
        """Size and tokens of least loss for 6 · params · tokens, with as much fresh data as they need.

        Raises:
            InputError: If the budget buys less than one parameter and token.

        >>> PUBLISHED["besiroglu_2024"].optimum(5.76e23).summary()
        'besiroglu_2024: 72.4B parameters, 1.33T tokens, 18.3 tokens per parameter; 44.3 x the largest fitted'
        """
        law, coefficients = self._without_repeats()
        _refuse_no_budget(flops)
        names = {"params": "params", "tokens": "tokens"}
        params = float(optimal_params(law, names, coefficients, flops)[0])
        tokens = flops / _FLOPS_PER_PARAMETER_TOKEN / params
        loss = float(law.evaluate({"params": params, "tokens": tokens}, coefficients))
        beyond = self.fitted.beyond(params=params, tokens=tokens)
        return PublishedOptimum(
            name=self.name, flops=flops, params=params, tokens=tokens, loss=loss, beyond=beyond
        )

    def _without_repeats(self) -> tuple[Law, Mapping[str, float]]:
        if self.law.name != data_constrained.name:
            return self.law, self.coefficients
        fresh = LAWS["chinchilla"]
        return fresh, {name: self.coefficients[name] for name in fresh.names}


@dataclass(frozen=True, kw_only=True)
class PublishedRule:
    """A published rule for size and tokens as powers of compute, without a law of the loss.

    Attributes:
        size_scale, size_exponent: FLOP for each token = scale · compute^exponent.
        data_scale, data_exponent: Tokens in the same way.
        other attributes: As of `PublishedFit`.
    """

    name: str
    size_scale: float
    size_exponent: float
    data_scale: float
    data_exponent: float
    source: str
    params_convention: str
    digits: str
    fitted: FittedRange = field(default_factory=FittedRange)
    notes: str = ""

    def optimum(self, flops: float) -> PublishedOptimum:
        """Size and tokens for a budget; size is FLOP for each token over six.

        >>> round(PUBLISHED["deepseek_2024"].optimum(1e20).params / 1e8, 1)
        8.8
        """
        _refuse_no_budget(flops)
        params = self.size_scale * flops**self.size_exponent / _FLOPS_PER_PARAMETER_TOKEN
        tokens = self.data_scale * flops**self.data_exponent
        beyond = self.fitted.beyond(params=params, tokens=tokens)
        return PublishedOptimum(
            name=self.name, flops=flops, params=params, tokens=tokens, loss=math.nan, beyond=beyond
        )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What published fits advise for one budget when there is no own fit.

    Attributes:
        optima: One for each fit.
        params, tokens: The least and the most of them.
    """

    flops: float
    optima: tuple[PublishedOptimum, ...]
    params: tuple[float, float]
    tokens: tuple[float, float]

    def summary(self) -> str:
        """The spread in plain words, one line for each fit."""
        span = f"{show_count(self.params[0])} to {show_count(self.params[1])} parameters"
        head = f"Published fits for {show_power(self.flops)} FLOP: {span}. Fit your own runs to know better."
        return "\n".join([head, *(f"  {one.summary()}" for one in self.optima)])


def published_spread(flops: float) -> Spread:
    """The optimum of every published fit at one budget.

    >>> spread = published_spread(1e21)
    >>> 2 < spread.params[1] / spread.params[0] < 20
    True
    """
    optima = tuple(one.optimum(flops) for one in PUBLISHED.values())
    sizes, tokens = [one.params for one in optima], [one.tokens for one in optima]
    return Spread(
        flops=flops,
        optima=optima,
        params=(min(sizes), max(sizes)),
        tokens=(min(tokens), max(tokens)),
    )


def _refuse_no_budget(flops: float) -> None:
    require_number(flops=flops)
    if not (np.isfinite(flops) and flops >= _FLOPS_PER_PARAMETER_TOKEN):
        raise InputError(f"A budget of {flops} FLOP buys no training; write it like 1e21.")


_HOFFMANN_RUNS = FittedRange(params=(5.73e7, 1.62e10), tokens=(2.45e8, 3.18e11), flops=(1.4e18, 1.3e22))

_FITS = (
    PublishedFit(
        name="hoffmann_2022",
        law=LAWS["chinchilla"],
        coefficients={
            "E": math.exp(0.5267228),
            "A": math.exp(6.0073404),
            "B": math.exp(6.0179186),
            "alpha": 0.33917084,
            "beta": 0.2849083,
        },
        source="Hoffmann et al. 2022, TeX source of arXiv:2203.15556, as Besiroglu et al. 2024 read it",
        params_convention="total",
        loss_of="MassiveText, SentencePiece of 32,000",
        digits="seven; unrounded, unlike equation 10 of the paper",
        fitted=_HOFFMANN_RUNS,
        notes="Its search ended early: it asks for more tokens than approaches 1 and 2 of the paper.",
    ),
    PublishedFit(
        name="besiroglu_2024",
        law=LAWS["chinchilla"],
        coefficients={"E": 1.81686, "A": 482.006, "B": 2085.434, "alpha": 0.34781, "beta": 0.36585},
        source="Besiroglu et al. 2024, arXiv:2404.10102",
        params_convention="total",
        loss_of="MassiveText, SentencePiece of 32,000",
        digits="five or more",
        fitted=_HOFFMANN_RUNS,
        notes="From points read off a figure; 240 of 245 runs.",
        ranges=StatedIntervals(
            ends={
                "E": (1.769, 1.871),
                "A": (285.214, 743.626),
                "B": (1042.357, 5810.344),
                "alpha": (0.317, 0.373),
                "beta": (0.331, 0.415),
            },
            ratio=(7.6, 35.9),
            flops=5.88e23,
            level=0.95,
            source="4,000 resamples in data_analysis.ipynb of epoch-research/analyzing-chinchilla",
        ),
        runs="published:hoffmann2022",
    ),
    PublishedFit(
        name="muennighoff_2023",
        law=LAWS["data_constrained"],
        coefficients={
            "E": math.exp(0.6254804),
            "A": math.exp(6.255414),
            "B": math.exp(7.3049974),
            "alpha": 0.3526596,
            "beta": 0.3526596,
            "RD": 15.387756,
            "RN": 5.309743,
        },
        source="Muennighoff et al. 2023, arXiv:2305.16264; huggingface/datablations, README",
        params_convention="total",
        loss_of="C4, GPT-2 tokenizer of 50,257",
        digits="seven",
        fitted=FittedRange(params=(7.1e6, 8.67e9), tokens=(1e8, 9e11), flops=(4.3e15, 9.3e21)),
        runs="published:muennighoff2023",
    ),
    PublishedFit(
        name="gadre_2024_c4",
        law=LAWS["chinchilla_tied"],
        coefficients={"E": 1.51, "a": 141.0, "b": 190.0, "eta": 0.121},
        source="Gadre et al. 2024, arXiv:2403.08540",
        params_convention="total",
        loss_of="C4, GPT-NeoX tokenizer of 50,432",
        digits="three",
        fitted=FittedRange(params=(1.1e7, 4.12e8), tokens=(2.1e8, 8.2e9)),
        notes="From five small runs, to forecast larger ones.",
        runs="published:gadre2024",
    ),
    PublishedFit(
        name="gadre_2024_refinedweb",
        law=LAWS["chinchilla_tied"],
        coefficients={"E": 1.73, "a": 157.0, "b": 246.0, "eta": 0.127},
        source="Gadre et al. 2024, arXiv:2403.08540",
        params_convention="total",
        loss_of="RefinedWeb, GPT-NeoX tokenizer of 50,432",
        digits="three",
        fitted=FittedRange(params=(1.1e7, 4.12e8), tokens=(2.1e8, 8.2e9)),
        notes="From five small runs, to forecast larger ones.",
        runs="published:gadre2024",
    ),
    PublishedFit(
        name="kaplan_2020",
        law=LAWS["kaplan"],
        coefficients={"Nc": 6.4e13, "Dc": 1.8e13, "aN": 0.076, "aD": 0.103},
        source="Kaplan et al. 2020, equation 1.5 and table 2, arXiv:2001.08361",
        params_convention="non-embedding",
        loss_of="WebText2, GPT-2 tokenizer of 50,257",
        digits="two or three",
        fitted=FittedRange(params=(768, 1.5e9), tokens=(2.2e7, 2.3e10)),
        notes="Of runs trained to convergence with early stopping; the paper's own advice grows size faster.",
    ),
)
_RULES = (
    PublishedRule(
        name="deepseek_2024",
        size_scale=0.1715,
        size_exponent=0.5243,
        data_scale=5.8316,
        data_exponent=0.4757,
        source="DeepSeek-AI 2024, section 3.2, arXiv:2401.02954",
        params_convention="non-embedding FLOP for each token, attention included, over six",
        digits="four",
        fitted=FittedRange(flops=(1e17, 3e20)),
    ),
    PublishedRule(
        name="llama3_2024",
        size_scale=1 / 0.2982,
        size_exponent=1 - 0.5369,
        data_scale=0.2982,
        data_exponent=0.5369,
        source="Grattafiori et al. 2024, section 3.2.1 and fig. 2, arXiv:2407.21783",
        params_convention="total",
        digits="four, of approach 2 on the points read off the figure",
        fitted=FittedRange(flops=(6e18, 1e22)),
        notes="The two digits printed (0.29, 0.53) give 10.5T tokens at 3.8e25 FLOP; the paper plans 16.55T.",
    ),
)

PUBLISHED: Catalog[PublishedFit | PublishedRule] = Catalog(
    "published fit", {one.name: one for one in (*_FITS, *_RULES)}
)


def published_fit(name: str) -> PublishedFit:
    """A published law by name.

    Raises:
        UnknownName: If there is none of that name.
        InputError: If it is a rule that predicts no loss.
    """
    found = PUBLISHED[name]
    if isinstance(found, PublishedRule):
        laws = ", ".join(one.name for one in _FITS)
        raise InputError(f"'{name}' is a rule for size and tokens and predicts no loss. Laws: {laws}.")
    return found
