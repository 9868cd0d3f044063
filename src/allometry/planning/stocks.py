"""A stock of data made of sources whose tokens are not all worth the same, and what more of each is worth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from allometry.errors import InputError
from allometry.fitting.result import Estimate
from allometry.planning.data_limits import DataPlan, worth_of_data
from allometry.planning.numbers import require_above_zero
from allometry.units import read_quantity, show_count

_GIVEN = "given without a source"
_ASSUMED = (
    "A token of weight w is taken to count as w tokens (effective tokens, Chang et al. 2024, "
    "arXiv:2410.03083), at every size and at every repeat, and all sources are repeated equally often. Goyal "
    "et al. 2024 (arXiv:2404.07177) found that sources lose worth at different rates. The weights "
    "are taken as certain."
)


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """One source of a stock.

    Attributes:
        name: For example "web".
        unique_tokens: Distinct tokens it has.
        weight: What one of its tokens is worth in tokens of weight 1, the text the law was fitted on.
        weight_from: Where the weight comes from; empty where that is not known.

    Raises:
        InputError: If it has no name, or a number is not finite and above zero.

    >>> DataSource(name="code", unique_tokens=5e10, weight=1.5).worth
    75000000000.0
    """

    name: str
    unique_tokens: float
    weight: float = 1.0
    weight_from: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip()):
            raise InputError(f"A source of data has a name, such as 'web'; not {self.name!r}.")
        require_above_zero(**{f"unique tokens of source '{self.name}'": self.unique_tokens})
        require_above_zero(**{f"weight of source '{self.name}'": self.weight})

    @property
    def worth(self) -> float:
        """Its unique tokens in tokens of weight 1."""
        return self.weight * self.unique_tokens

    def described(self) -> str:
        """Name, tokens, weight, and where that comes from."""
        told = "" if self.weight == 1 and not self.weight_from else f" ({self.weight_from or _GIVEN})"
        return f"{self.name} {show_count(self.unique_tokens)} at {self.weight:g}{told}"


@dataclass(frozen=True, kw_only=True)
class Stock:
    """Distinct tokens from sources of stated quality, all repeated equally often.

    A token of weight w counts as w tokens, so that D tokens of which U are distinct are to the law

        m · D tokens of which m · U are distinct, with m = Σ wᵢ·uᵢ / Σ uᵢ,

    while they cost the compute of D tokens.

    Attributes:
        sources: At least one, each with another name.

    Raises:
        InputError: If there is none, or two have one name.

    Source:
        Tokens times their quality as "effective training tokens": Chang et al. 2024, arXiv:2410.03083. Where
        a quality Q enters as B / (D^beta · Q^gamma), as in Subramanyam et al. 2025, arXiv:2510.03313, it is
        w = Q^(gamma/beta).

    >>> web = DataSource(name="web", unique_tokens=4e11)
    >>> stock = Stock(sources=(web, DataSource(name="code", unique_tokens=1e11, weight=1.5)))
    >>> stock.unique_tokens, stock.weight
    (500000000000.0, 1.1)
    """

    sources: tuple[DataSource, ...]

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("A stock needs a source, for example web=4e11.")
        name, times = Counter(one.name for one in self.sources).most_common(1)[0]
        if times > 1:
            raise InputError(
                f"Source '{name}' is given {times} times: give each source once, or other names."
            )

    @property
    def unique_tokens(self) -> float:
        """Distinct tokens of all sources, Σ uᵢ."""
        return sum(one.unique_tokens for one in self.sources)

    @property
    def weight(self) -> float:
        """What one token of the stock is worth on average, m."""
        return sum(one.worth for one in self.sources) / self.unique_tokens

    def assumptions(self) -> tuple[str, ...]:
        """What a plan on this stock assumes, in sentences."""
        each = "; ".join(one.described() for one in self.sources)
        total = f"{show_count(self.unique_tokens)} unique tokens, each worth {self.weight:.3g}"
        return (
            f"The stock is {total} tokens of the law's own text on average: {each}.",
            _ASSUMED,
        )


@dataclass(frozen=True, kw_only=True)
class SourceWorth:
    """What one source brings to a plan.

    Attributes:
        name: Of the source.
        tokens: Trained on from it, repeats counted.
        saved: Percent of compute saved at equal loss by one percent more unique tokens of it; below zero
            where a source of low weight thins out a stock that is not short.
    """

    name: str
    tokens: float
    saved: Estimate

    def words(self) -> str:
        """What more of it saves."""
        return worth_of_data(self.saved.value, f"of {self.name}")


def worth_of_sources(stock: Stock, data: DataPlan) -> tuple[SourceWorth, ...]:
    """What each source of a stock brings to a plan.

    With s the share of the stock's worth and p the share of its tokens that a source has, one percent more of
    it is s percent more of the weighted stock and raises the mean weight by s - p percent. The first saves
    what a plan says of the stock as a whole, the second as much compute as it replaces tokens.

    Args:
        data: Of the plan on that stock.
    """
    whole, worth = stock.unique_tokens, stock.weight * stock.unique_tokens
    shares = [(one, one.worth / worth, one.unique_tokens / whole) for one in stock.sources]
    return tuple(
        SourceWorth(
            name=one.name, tokens=part * data.tokens.value, saved=_shared(data.saved_by_data, s, part)
        )
        for one, s, part in shares
    )


def _shared(saved: Estimate, of_worth: float, of_tokens: float) -> Estimate:
    ends = (of_worth * end + of_worth - of_tokens for end in (saved.value, saved.low, saved.high))
    value, low, high = ends
    return replace(saved, value=value, low=low, high=high)


def read_stock(given: tuple[str, ...]) -> Stock:
    """Sources as they are written on a command line: name=tokens, name=tokens,weight, and where that is from.

    Raises:
        InputError: If one is not of that form, or as of `DataSource` and `Stock`.

    >>> read_stock(("web=400B", "code=5e10,1.5,own ablations")).sources[1].weight_from
    'own ablations'
    """
    return Stock(sources=tuple(_read_source(text) for text in given))


def _read_source(text: str) -> DataSource:
    name, equals, rest = (part.strip() for part in text.partition("="))
    tokens, *weighed = (part.strip() for part in rest.split(",", 2))
    if not (name and equals and tokens and all(weighed)):
        raise InputError(f"'{text}' is no source of data; write it like web=4e11 or code=5e10,1.5.")
    weight, told = weighed[0] if weighed else "1", weighed[1] if len(weighed) > 1 else ""
    return DataSource(
        name=name, unique_tokens=_number(tokens, text), weight=_number(weight, text), weight_from=told
    )


def _number(part: str, text: str) -> float:
    try:
        return read_quantity(part)
    except InputError as error:
        raise InputError(f"In '{text}': {error}") from None
