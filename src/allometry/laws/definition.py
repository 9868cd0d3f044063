"""What a law is: one formula, and the open numbers in it with their meaning and unit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allometry.errors import InputError, did_you_mean
from allometry.laws.derivation import Derivation, derive

Array = NDArray[np.float64]
Scale = Literal["log", "raw", "logit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A column that a law reads.

    Attributes:
        name: Column, in base units.
        low, high: Range that an ordinary study covers; examples and simulations are drawn from it.
        positive: Only values above zero make sense; else any number does: a calendar year, a share that may
            be 0.
    """

    name: str
    low: float
    high: float
    positive: bool = True

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.positive and self.low <= 0):
            raise ValueError(f"Input '{self.name}': {self.low} to {self.high} is not a range it can take.")


# A laptop's ladder to a laboratory's; a law whose inputs mean something else states its own.
_ORDINARY = {
    "params": (1e7, 1e9),
    "tokens": (1e9, 1e11),
    "unique_tokens": (1e8, 1e10),
    "flops": (1e17, 1e21),
    "x": (1e3, 1e7),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Coefficient:
    """A number that a law leaves open.

    Attributes:
        name: As in the formula; "alpha" prints as α.
        meaning: What it says about training, in a few words.
        unit: Unit of its value, in terms of the law's inputs and output where it depends on them.
        low, high: Range in which starting values are looked for; a fit may leave it.
        of: An input in whose observed range the values lie, such as the place of a break: low and high are
            then multiples of its smallest and largest value.
        positive: Estimated as its logarithm, so that it stays above zero; else it may be zero or below.
        bounds: Values a fit never leaves; one that ends there is reported as a finding.
        typical: A published or ordinary value; simulations and the contract suite use it.
    """

    name: str
    meaning: str
    unit: str
    low: float
    high: float
    positive: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)
    of: str = ""
    typical: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Coefficient '{self.name}': low {self.low} must be below high {self.high}.")
        if self.positive and self.low <= 0:
            raise ValueError(f"Coefficient '{self.name}' is positive, so low must be too, not {self.low}.")


@dataclass(frozen=True, kw_only=True)
class Law:
    """A formula with named inputs and open coefficients.

    Attributes:
        name: The function's name.
        inputs: Columns it reads, in the order of the function's positional arguments.
        symbols: What the formula calls them: N for params, D for tokens.
        predicts: Column it predicts.
        on: Scale on which predictions and runs are compared unless a fit says otherwise: "log", "raw", or
            "logit" for shares between 0 and 1.
        coefficients: In the order of the function's keyword arguments.
        source: Where the form was published.
        description: The function's docstring.
        function: The formula itself; it is called once, with SymPy symbols.
    """

    name: str
    inputs: tuple[Input, ...]
    symbols: tuple[str, ...]
    predicts: str
    on: Scale
    coefficients: tuple[Coefficient, ...] = field(repr=False)
    source: str
    description: str = field(repr=False)
    function: Callable[..., Any] = field(repr=False)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the columns it reads, in order."""
        return tuple(one.name for one in self.inputs)

    @property
    def typical(self) -> dict[str, float]:
        """A published or ordinary value of each coefficient that states one."""
        return {c.name: c.typical for c in self.coefficients if c.typical is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in order."""
        return tuple(coefficient.name for coefficient in self.coefficients)

    @cached_property
    def derivation(self) -> Derivation:
        """NumPy code, derivatives and structure, each derived from the formula on first use."""
        positive = {c.name for c in self.coefficients if c.positive}
        unsigned = {symbol for symbol, one in zip(self.symbols, self.inputs, strict=True) if one.positive}
        return derive(self.function, self.symbols, self.names, frozenset(positive | unsigned))

    @property
    def formula(self) -> str:
        """The formula as one line of text; a stored fit is checked against it."""
        return self.derivation.text

    def has_form_of(self, other: Law) -> bool:
        """Whether both are one formula; a law of the catalog is known without deriving anything."""
        return self.function is other.function or self.formula == other.formula

    def latex(self) -> str:
        """The right-hand side in LaTeX."""
        return self.derivation.latex

    def evaluate(self, inputs: Mapping[str, ArrayLike], coefficients: Mapping[str, ArrayLike]) -> Array:
        """The predicted value.

        Args:
            inputs: Column name to values, of shape (runs,) or a number.
            coefficients: Name to value; of shape (batch, 1) they broadcast against the runs.

        Raises:
            InputError: If a name is missing or unknown.
        """
        x, c = self._arguments(inputs, coefficients)
        with np.errstate(all="ignore"):  # a wild draw may overflow: infinity says so
            return np.asarray(self.derivation.value(x, c))

    def gradient(self, inputs: Mapping[str, ArrayLike], coefficients: Mapping[str, ArrayLike]) -> Array:
        """First derivatives with respect to the coefficients, stacked on the last axis."""
        x, c = self._arguments(inputs, coefficients)
        value, first, _ = self.derivation.second_order(x, c)
        return np.stack([np.broadcast_to(part, np.shape(value)) for part in first], axis=-1)

    def hessian(self, inputs: Mapping[str, ArrayLike], coefficients: Mapping[str, ArrayLike]) -> Array:
        """Second derivatives with respect to the coefficients, on the last two axes."""
        x, c = self._arguments(inputs, coefficients)
        value, _, second = self.derivation.second_order(x, c)
        filled = np.zeros((*np.shape(value), len(self.names), len(self.names)))
        for (i, j), part in zip(self.derivation.pairs, second, strict=True):
            filled[..., i, j] = filled[..., j, i] = part
        return filled

    def _arguments(
        self, inputs: Mapping[str, ArrayLike], coefficients: Mapping[str, ArrayLike]
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        _same_names(f"Law '{self.name}' reads", self.reads, inputs)
        _same_names(f"Law '{self.name}' has the coefficients", self.names, coefficients)
        x = tuple(np.asarray(inputs[name], dtype=np.float64) for name in self.reads)
        return x, tuple(np.asarray(coefficients[name], dtype=np.float64) for name in self.names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Laws that differ in how many terms or which inputs they have: one formula for each choice.

    Attributes:
        name: As in "broken_power_law(2)".
        arguments: What stands in the brackets, in words.
        member: The law for these words. A member's name is the text that `read_law` finds it by.
    """

    name: str
    arguments: str
    member: Callable[..., Law]


def law(
    *,
    reads: tuple[str | Input, ...],
    source: str,
    coefficients: tuple[Coefficient, ...],
    predicts: str = "loss",
    on: Scale = "log",
    name: str = "",
) -> Callable[[Callable[..., Any]], Law]:
    """Turn a formula into a law.

    The formula is ordinary arithmetic; `exp`, `log`, `logistic`, `least` and `largest` come from
    `allometry.laws.mathematics`.

    Args:
        reads: Columns the positional arguments stand for, in order; an `Input` where the column is not one
            of params, tokens, unique_tokens, flops or x.
        source: Where the form was published.
        coefficients: What the keyword arguments mean, in their order.
        predicts: Column the law predicts.
        on: Scale on which it is compared with runs: "log", "raw" or "logit".
        name: The function's name if not given.

    >>> slope = Coefficient(name="k", meaning="loss per doubling", unit="nat/token", low=0.01, high=1.0)
    >>> @law(reads=("tokens",), source="an example", coefficients=(slope,))
    ... def line(D, *, k):
    ...     "Loss is proportional to tokens."
    ...     return k * D
    >>> float(line.evaluate({"tokens": 3.0}, {"k": 2.0})), line.latex()
    (6.0, 'D k')
    """

    def define(function: Callable[..., Any]) -> Law:
        symbols, opened = _arguments_of(function)
        called = name or function.__name__
        inputs = tuple(_ordinary(one) if isinstance(one, str) else one for one in reads)
        if len(symbols) != len(reads):
            raise ValueError(f"Law '{called}' takes {len(symbols)} inputs and reads {len(reads)} columns.")
        if opened != tuple(c.name for c in coefficients):
            raise ValueError(f"Law '{called}' leaves {opened} open; describe these, in this order.")
        return Law(
            name=called,
            inputs=inputs,
            symbols=symbols,
            predicts=predicts,
            on=on,
            coefficients=coefficients,
            source=source,
            description=inspect.getdoc(function) or "",
            function=function,
        )

    return define


def _arguments_of(function: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parameters = inspect.signature(function).parameters.values()
    symbols = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
    return symbols, tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _ordinary(name: str) -> Input:
    low, high = _ORDINARY.get(name, (1.0, 1e3))
    return Input(name=name, low=low, high=high)


def _same_names(what: str, expected: tuple[str, ...], given: Mapping[str, ArrayLike]) -> None:
    for name in given:
        if name not in expected:
            raise InputError(f"{what} {', '.join(expected)}; not '{name}'.{did_you_mean(name, expected)}")
    missing = [name for name in expected if name not in given]
    if missing:
        raise InputError(f"{what} {', '.join(expected)}; give also {', '.join(missing)}.")
