"""From a formula to NumPy code, exact derivatives, LaTeX and structure, by SymPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Arrays = tuple[Array, ...]


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """What SymPy derived from a formula of p coefficients.

    Attributes:
        value: (inputs, coefficients) to the predicted value.
        second_order: The same to value, p first derivatives, and the second derivatives of `pairs`.
        pairs: Coefficient index pairs (i <= j) whose second derivative is not zero everywhere.
        linear: Indices of the most coefficients in which the formula is jointly linear, given the others.
        powers: Coefficient to input, where the formula reads that input only as input**coefficient.
        text, latex: The formula, to compare and to print.
    """

    value: Callable[[Arrays, Arrays], Array]
    second_order: Callable[[Arrays, Arrays], tuple[Array, list[Array], list[Array]]]
    pairs: tuple[tuple[int, int], ...]
    linear: tuple[int, ...]
    powers: Mapping[str, str]
    text: str
    latex: str


def derive(
    function: Callable[..., Any], inputs: tuple[str, ...], names: tuple[str, ...], positive: frozenset[str]
) -> Derivation:
    """Call a formula once with symbols and derive everything from the expression it returns.

    `positive` names the inputs and coefficients that are always above zero.
    """
    import sympy  # here, because it takes longer to import than all the rest of the package

    x, c = (
        [sympy.Symbol(name, positive=True if name in positive else None, real=True) for name in group]
        for group in (inputs, names)
    )
    shown = sympy.sympify(function(*x, **dict(zip(names, c, strict=True))))
    formula = _powers_as_exponentials(shown)
    first = [sympy.diff(formula, symbol) for symbol in c]
    every = {(i, j): sympy.diff(first[i], c[j]) for i in range(len(c)) for j in range(i, len(c))}
    second = {pair: entry for pair, entry in every.items() if entry != 0}
    return Derivation(
        value=sympy.lambdify((x, c), formula, "numpy", cse=True),
        second_order=_grouped(
            sympy.lambdify((x, c), [formula, *first, *second.values()], "numpy", cse=True), len(c)
        ),
        pairs=tuple(second),
        linear=_jointly_linear(len(c), frozenset(second)),
        powers=_powers(shown, x, c),
        text=str(shown),
        latex=str(sympy.latex(shown)),
    )


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


def _powers(expression: Any, inputs: list[Any], coefficients: list[Any]) -> dict[str, str]:
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
