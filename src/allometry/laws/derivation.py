"""From a formula to NumPy code, exact derivatives, LaTeX and structure, by SymPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allometry.errors import InputError

Array = NDArray[np.float64]
Arrays = tuple[Array, ...]

# What a slip in a file or formula of the user's own raises; nothing that means to stop the program.
SLIPS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
_WAY_OUT = (
    "It is called once, with symbols: write it with + - * / ** and, from allometry.laws.mathematics, exp, "
    "log, logistic, least and largest; no if, no NumPy; and return it."
)


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """What SymPy derives from a formula of p coefficients, each part when it is first asked for.

    Attributes:
        shown: The expression that the law's function returns for symbols.
        inputs, coefficients: The symbols.
    """

    shown: Any
    inputs: tuple[Any, ...]
    coefficients: tuple[Any, ...]

    @cached_property
    def value(self) -> Callable[[Arrays, Arrays], Array]:
        """(inputs, coefficients) to the predicted value."""
        return self._in_numpy(self._formula)

    @cached_property
    def second_order(self) -> Callable[[Arrays, Arrays], tuple[Array, list[Array], list[Array]]]:
        """The same to value, p first derivatives, and the second derivatives of `pairs`."""
        parts = [self._formula, *self._first, *self._second.values()]
        return _grouped(self._in_numpy(parts), len(self.coefficients))

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Coefficient index pairs (i <= j) whose second derivative is not zero everywhere."""
        return tuple(self._second)

    @cached_property
    def linear(self) -> tuple[int, ...]:
        """Indices of the most coefficients in which the formula is jointly linear, given the others."""
        return _jointly_linear(len(self.coefficients), frozenset(self._second))

    @cached_property
    def powers(self) -> Mapping[str, str]:
        """Coefficient to input, where the formula reads that input only as input**coefficient."""
        return _powers(self.shown, self.inputs, self.coefficients)

    @cached_property
    def text(self) -> str:
        """The formula, to compare."""
        return str(self.shown)

    @cached_property
    def latex(self) -> str:
        """The formula, to print."""
        import sympy

        return str(sympy.latex(self.shown))

    @cached_property
    def _formula(self) -> Any:
        return _powers_as_exponentials(self.shown)

    @cached_property
    def _first(self) -> list[Any]:
        return [self._formula.diff(symbol) for symbol in self.coefficients]

    @cached_property
    def _second(self) -> dict[tuple[int, int], Any]:
        places = combinations_with_replacement(range(len(self.coefficients)), 2)
        every = {(i, j): self._first[i].diff(self.coefficients[j]) for i, j in places}
        return {pair: entry for pair, entry in every.items() if entry != 0}

    def _in_numpy(self, expressions: Any) -> Callable[[Arrays, Arrays], Any]:
        import sympy

        made: Callable[[Arrays, Arrays], Any]
        made = sympy.lambdify((self.inputs, self.coefficients), expressions, "numpy", cse=True)
        return made


def derive(
    function: Callable[..., Any], inputs: tuple[str, ...], names: tuple[str, ...], positive: frozenset[str]
) -> Derivation:
    """Call a formula once with symbols; everything else follows from the expression it returns.

    `positive` names the inputs and coefficients that are always above zero.

    Raises:
        InputError: If the formula does not take symbols, or is none.
    """
    import sympy  # here, because it takes longer to import than all the rest of the package

    x, c = (
        tuple(sympy.Symbol(name, positive=True if name in positive else None, real=True) for name in group)
        for group in (inputs, names)
    )
    return Derivation(shown=_called(function, x, dict(zip(names, c, strict=True))), inputs=x, coefficients=c)


def _called(function: Callable[..., Any], x: tuple[Any, ...], c: Mapping[str, Any]) -> Any:
    import sympy

    name = getattr(function, "__name__", "the formula")
    try:
        shown = sympy.sympify(function(*x, **c))
    except SLIPS as error:
        raise InputError(
            f"The formula of '{name}' cannot be worked out: {type(error).__name__}: {error}. {_WAY_OUT}"
        ) from error
    if not isinstance(shown, sympy.Expr):
        raise InputError(f"The formula of '{name}' gives {shown!r}, which is no formula. {_WAY_OUT}")
    return shown


def _grouped(
    flat: Callable[[Arrays, Arrays], list[Array]], count: int
) -> Callable[[Arrays, Arrays], tuple[Array, list[Array], list[Array]]]:
    # SymPy finds common parts only in a flat list; nested ones are silently written out in full.
    def second_order(x: Arrays, c: Arrays) -> tuple[Array, list[Array], list[Array]]:
        value, *rest = flat(x, c)
        return value, rest[:count], rest[count:]

    return second_order


def _powers_as_exponentials(expression: Any) -> Any:
    """Write x**a as exp(a log x): NumPy's exp is several times faster than its power, to the same digits."""
    import sympy

    return expression.replace(
        lambda part: part.is_Pow and bool(part.exp.free_symbols),
        lambda part: sympy.exp(part.exp * sympy.log(part.base)),
    )


def _powers(expression: Any, inputs: Sequence[Any], coefficients: Sequence[Any]) -> dict[str, str]:
    """Which coefficient is the power of which input, for inputs that enter in no other way."""
    import sympy

    found = {}
    for x in inputs:
        powers = {part for part in expression.atoms(sympy.Pow) if part.has(x)}
        exponents = {sign * part.exp for part in powers for sign in (1, -1) if part.base == x}
        rest = expression.subs(dict.fromkeys(powers, 1))
        named = [c for c in coefficients if c in exponents]
        if len(powers) == 1 and len(named) == 1 and not rest.has(x):
            found[str(named[0])] = str(x)
    return found


def _jointly_linear(count: int, curved: frozenset[tuple[int, int]]) -> tuple[int, ...]:
    """The largest set of indices with no curved pair inside: the formula is linear in these together.

    >>> _jointly_linear(5, frozenset({(1, 3), (3, 3), (2, 4), (4, 4)}))  # E + A/N**alpha + B/D**beta
    (0, 1, 2)
    """
    for size in range(count, 0, -1):
        for chosen in combinations(range(count), size):
            if not any(i in chosen and j in chosen for i, j in curved):
                return chosen
    return ()
