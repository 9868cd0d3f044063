"""What a law is: one formula, and the open numbers in it with their meaning and unit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allometry.errors import InputError, did_you_mean
from allometry.laws.derivation import Derivation, derive

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coefficient:
    """A number that a law leaves open.

    Attributes:
        name: As in the formula; "alpha" prints as α.
        meaning: What it says about training, in a few words.
        unit: Unit of its value, in terms of the law's inputs and output where it depends on them.
        low, high: Range in which starting values are looked for; a fit may leave it.
        positive: Estimated as its logarithm, so that it stays above zero; else it may be zero or below.
        bounds: Values a fit never leaves; one that ends there is reported as a finding.
    """

    name: str
    meaning: str
    unit: str
    low: float
    high: float
    positive: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)

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
        reads: Columns it reads, in the order of the function's positional arguments.
        symbols: What the formula calls them: N for params, D for tokens.
        predicts: Column it predicts.
        coefficients: In the order of the function's keyword arguments.
        source: Where the form was published.
        description: The function's docstring.
        function: The formula itself; it is called once, with SymPy symbols.
    """

    name: str
    reads: tuple[str, ...]
    symbols: tuple[str, ...]
    predicts: str
    coefficients: tuple[Coefficient, ...] = field(repr=False)
    source: str
    description: str = field(repr=False)
    function: Callable[..., Any] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in order."""
        return tuple(coefficient.name for coefficient in self.coefficients)

    @cached_property
    def derivation(self) -> Derivation:
        """NumPy code, derivatives and structure, derived from the formula on first use."""
        positive = {c.name for c in self.coefficients if c.positive}
        return derive(self.function, self.symbols, self.names, frozenset(positive))

    @property
    def formula(self) -> str:
        """The formula as one line of text; a stored fit is checked against it."""
        return self.derivation.text

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


def law(
    *, reads: tuple[str, ...], source: str, coefficients: tuple[Coefficient, ...], predicts: str = "loss"
) -> Callable[[Callable[..., Any]], Law]:
    """Turn a formula into a law.

    Args:
        reads: Columns the positional arguments stand for, in order.
        source: Where the form was published.
        coefficients: What the keyword arguments mean, in their order.
        predicts: Column the law predicts.

    >>> slope = Coefficient(name="k", meaning="loss per doubling", unit="nat/token", low=0.01, high=1.0)
    >>> @law(reads=("tokens",), source="an example", coefficients=(slope,))
    ... def line(D, *, k):
    ...     "Loss is proportional to tokens."
    ...     return k * D
    >>> float(line.evaluate({"tokens": 3.0}, {"k": 2.0})), line.latex()
    (6.0, 'D k')
    """

    def define(function: Callable[..., Any]) -> Law:
        parameters = inspect.signature(function).parameters.values()
        symbols = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        opened = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        name = function.__name__
        if len(symbols) != len(reads):
            raise ValueError(f"Law '{name}' takes {len(symbols)} inputs and reads {len(reads)} columns.")
        if opened != tuple(c.name for c in coefficients):
            raise ValueError(f"Law '{name}' leaves {opened} open; describe these, in this order.")
        return Law(
            name=name,
            reads=reads,
            symbols=symbols,
            predicts=predicts,
            coefficients=coefficients,
            source=source,
            description=inspect.getdoc(function) or "",
            function=function,
        )

    return define


def _same_names(what: str, expected: tuple[str, ...], given: Mapping[str, ArrayLike]) -> None:
    for name in given:
        if name not in expected:
            raise InputError(f"{what} {', '.join(expected)}; not '{name}'.{did_you_mean(name, expected)}")
    missing = [name for name in expected if name not in given]
    if missing:
        raise InputError(f"{what} {', '.join(expected)}; give also {', '.join(missing)}.")
